package starter

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Result is a buildspec with what led to it.
type Result struct {
	Text  string   // of the file
	Found []string // what was found, a sentence each: "go.mod asks for Go 1.26"
	Notes []string // what to know or to do next, a sentence each

	Privileged bool // its job asks for privileged-mode, which runner run and projects must permit
}

// language is one that this package can write for.
type language struct {
	name       string
	manifests  []string // one of these files makes a folder a project of it
	extensions []string // of its sources; the language with most of them is the main one
	write      func(folder, *recipe)
}

// unknownManifests say that the folder is a project of a language that nothing can be written for, whatever lies below.
var unknownManifests = []string{
	"CMakeLists.txt", "meson.build", "configure.ac", "composer.json", "mix.exs", "Package.swift", "build.sbt", "pubspec.yaml",
	"stack.yaml", "dune-project", "build.zig", "WORKSPACE", "MODULE.bazel", "deno.json", "project.clj", "rebar.config",
}

// languages in the order of preference when two have as many sources.
var languages = []language{
	{"Go", []string{"go.mod"}, []string{".go"}, writeGo},
	{"Rust", []string{"Cargo.toml"}, []string{".rs"}, writeRust},
	{"Java", []string{"pom.xml", "build.gradle", "build.gradle.kts"}, []string{".java", ".kt", ".scala", ".groovy"}, writeJava},
	{"Python", pythonManifests, []string{".py"}, writePython},
	{"Ruby", []string{"Gemfile"}, []string{".rb", ".rake"}, writeRuby},
	{"Node", []string{"package.json"}, []string{".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".vue", ".svelte"}, writeNode},
	{"Docker", []string{"Dockerfile"}, nil, writeDocker},
}

// maxProjectDepth is how many folders below the root a project is looked for when the root is none.
const maxProjectDepth = 2

// Write writes a buildspec for what is in fsys, which is the folder dir of a repository ("." for its root, where builds
// begin). It writes for the folder's main language or, when it is no project of any language known here, for the first
// folder in it that is; failing that, it writes a file to be filled in. The error is that the folder cannot be read, or
// that its name is none for commands.
func Write(fsys fs.FS, dir string) (Result, error) {
	if dir != "." && !plainPath.MatchString(dir) {
		return Result{}, fmt.Errorf("the folder is called %q, and commands would have to quote that: write for the root of the repository", dir)
	}
	root, err := look(fsys)
	if err != nil {
		return Result{}, err
	}
	at := root
	found := languagesOf(root)
	unknown := root.first(unknownManifests...)
	var others []string
	if len(found) == 0 && unknown == "" {
		if dirs := projects(root); len(dirs) > 0 {
			at = root.sub(dirs[0])
			found = languagesOf(at)
			others = dirs[1:]
		}
	}
	r := &recipe{dir: path.Join(dir, at.dir)}
	if len(found) == 0 {
		writeFallback(r, unknown)
		return r.result(), nil
	}
	manifest := path.Join(at.dir, at.first(found[0].manifests...))
	r.foundf("a project of %s, by %s", found[0].name, manifest)
	found[0].write(at, r)
	for _, l := range found[1:] {
		if l.name == "Docker" {
			r.notef("there is a Dockerfile too: to build its image, add a job whose entry in batch has env.privileged-mode: true")
			continue
		}
		r.notef("there is %s too: add its commands, or a build-list with an entry for each", l.name)
	}
	if len(others) > 0 {
		r.notef("there are more projects in %s: give each an entry of batch.build-list with a buildspec of its own", few(others))
	}
	return r.result(), nil
}

// languagesOf are the languages whose manifests the folder holds, the one with most sources first.
func languagesOf(f folder) []language {
	var found []language
	for _, l := range languages {
		if f.has(l.manifests...) {
			found = append(found, l)
		}
	}
	sources := func(l language) int { return f.count(l.extensions...) }
	slices.SortStableFunc(found, func(a, b language) int { return sources(b) - sources(a) })
	return found
}

// projects are the folders below the root that are projects and can be named in commands as they are, those with most
// sources first. A Dockerfile alone makes none there: images of tools are kept in folders too.
func projects(root folder) []string {
	var dirs []string
	for _, name := range root.files {
		dir := path.Dir(name)
		if dir == "." || strings.Count(dir, "/") >= maxProjectDepth || !plainPath.MatchString(dir) || slices.Contains(dirs, dir) {
			continue
		}
		isManifest := func(l language) bool { return l.extensions != nil && slices.Contains(l.manifests, path.Base(name)) }
		if slices.ContainsFunc(languages, isManifest) {
			dirs = append(dirs, dir)
		}
	}
	sources := map[string]int{}
	for _, dir := range dirs {
		below := root.sub(dir)
		sources[dir] = below.count(languagesOf(below)[0].extensions...)
	}
	slices.SortStableFunc(dirs, func(a, b string) int { return sources[b] - sources[a] })
	return dirs
}

// few names the first of many.
func few(names []string) string {
	const most = 4
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
