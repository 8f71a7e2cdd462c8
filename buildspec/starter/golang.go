package starter

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	goVersion = regexp.MustCompile(`(?m)^go[ \t]+([0-9]+\.[0-9]+(?:\.[0-9]+)?)`)
	goChain   = regexp.MustCompile(`(?m)^toolchain[ \t]+go([0-9]+\.[0-9]+(?:\.[0-9]+)?)[ \t]*\r?$`)
	goMain    = regexp.MustCompile(`(?m)^package main\b`)
)

// usualGo is the version for a go.mod that names none.
const usualGo = "1.26"

func writeGo(f folder, r *recipe) {
	mod := f.read("go.mod")
	version, source := usualGo, ""
	for _, pattern := range []*regexp.Regexp{goVersion, goChain} {
		if m := pattern.FindStringSubmatch(mod); m != nil {
			version, source = minor(m[1]), "go.mod"
		}
	}
	r.title = "Builds the Go programs and runs the tests."
	r.use("golang:"+version, source)
	r.install = []step{run("go version"), run("go mod download")}
	if f.exists("vendor/modules.txt") {
		r.install = r.install[:1]
	}
	r.preBuild = []step{run("go vet ./...")}
	if programs := goPrograms(f); len(programs) > 0 {
		r.foundf("%s: %s", plural(len(programs), "program", "programs"), few(programs))
		r.build = append(r.build, run("mkdir -p dist"), step{
			why:     "A folder as -o takes every program that the patterns name.",
			command: "go build -o dist/ " + strings.Join(goPatterns(programs), " "),
		})
		r.artifacts = []string{"dist/**/*"}
	} else {
		r.build = append(r.build, run("go build ./..."))
		r.onlyTold = "artifacts: with files: would keep what a job leaves; a library leaves nothing."
	}
	tested := goTested(f)
	r.foundf("tests in %s", plural(len(tested), "package", "packages"))
	if len(tested) > 1 {
		r.shard("go test", "go list ./...")
	} else {
		r.build = append(r.build, run("go test ./..."))
	}
	r.cache = &cache{name: "go", lock: []string{"go.mod"}, paths: []string{"/go/pkg/mod/**/*", "/root/.cache/go-build/**/*"}}
	if f.has("go.sum") {
		r.cache.lock = []string{"go.sum"}
	}
}

// goPrograms are the packages that are programs, at the places where programs are: the module's root, and below cmd.
func goPrograms(f folder) []string {
	var dirs []string
	for _, name := range f.files {
		dir := path.Dir(name)
		near := dir == "." || dir == "cmd" || path.Dir(dir) == "cmd"
		if !near || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || slices.Contains(dirs, dir) {
			continue
		}
		if text := f.read(name); goMain.MatchString(text) && !strings.Contains(text, "//go:build ignore") {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// goPatterns are the patterns that name the programs.
func goPatterns(programs []string) []string {
	var patterns []string
	for _, dir := range programs {
		pattern := "./cmd/..."
		if dir == "." {
			pattern = "."
		}
		if !slices.Contains(patterns, pattern) {
			patterns = append(patterns, pattern)
		}
	}
	return patterns
}

// goTested are the packages that have tests.
func goTested(f folder) []string {
	var dirs []string
	for _, name := range f.files {
		if strings.HasSuffix(name, "_test.go") && !slices.Contains(dirs, path.Dir(name)) {
			dirs = append(dirs, path.Dir(name))
		}
	}
	return dirs
}
