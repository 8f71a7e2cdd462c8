//go:build linux

package agent

import (
	"context"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/runner-ci/runner/runner/agent/glob"
	"github.com/runner-ci/runner/runner/wire"
)

// packFile is one file to pack.
type packFile struct {
	path string // where it is
	name string // what it is called in the archive
	link string // the target, if it is to be packed as a symbolic link
}

// selection gathers the files of one artifact.
type selection struct {
	ctx   context.Context
	what  string // the key of the buildspec, for messages
	spec  wire.ArtifactSpec
	say   func(format string, args ...any)
	seen  map[string]bool // by path
	names map[string]bool // in the archive
	files []packFile
}

// selectFiles finds what the artifact's patterns match, in a fixed order. dir is the source directory, what the key
// of the buildspec that lists the patterns.
func selectFiles(ctx context.Context, dir, what string, spec wire.ArtifactSpec, say func(string, ...any)) ([]packFile, error) {
	s := &selection{ctx: ctx, what: what, spec: spec, say: say, seen: map[string]bool{}, names: map[string]bool{}}
	bases, err := baseDirs(dir, spec.BaseDirectory)
	if err != nil {
		return nil, err
	}
	hit := make([]bool, len(spec.Files))
	for _, base := range bases {
		if err := s.below(base, hit); err != nil {
			return nil, err
		}
	}
	for i, file := range spec.Files {
		if !hit[i] {
			say("Skipping invalid file path %s%s", file, s.why(bases[0], file))
		}
	}
	return keepApart(settleLinks(s.files, say), say), nil
}

// baseDirs resolves base-directory, which may be a glob that matches several directories.
func baseDirs(dir, base string) ([]string, error) {
	root, rel := dir, base
	if filepath.IsAbs(base) {
		root, rel = "/", base
	}
	if !strings.ContainsAny(rel, "*?[") {
		full := filepath.Join(root, rel)
		if info, err := os.Stat(full); err != nil || !info.IsDir() {
			return nil, mistake("no matching base directory path found for %s: it is no directory below %s", base, dir)
		}
		return []string{full}, nil
	}
	pattern, err := glob.Parse(rel)
	if err != nil {
		return nil, mistake("base-directory: %v", err)
	}
	var bases []string
	err = glob.Walk(root, []glob.Pattern{pattern}, glob.Options{Dirs: true}, func(f glob.Found) error {
		bases = append(bases, filepath.Join(root, f.Name))
		return nil
	})
	if err != nil {
		return nil, mistake("base-directory %s: %v", base, err)
	}
	if len(bases) == 0 {
		return nil, mistake("no matching base directory path found for %s", base)
	}
	return bases, nil
}

// excluded returns exclude-paths for a walk from root. Relative ones are as they are; those that lead out of base,
// or are absolute, mean the files at that place, or else what they would mean without their first slash.
func (s *selection) excluded(base, root string) ([]glob.Pattern, error) {
	var all []glob.Pattern
	for _, text := range s.spec.ExcludePaths {
		full := filepath.Clean(text)
		switch {
		case text == "":
			continue // a variable that is not set
		case strings.HasPrefix(full, ".."):
			full = filepath.Join(base, full)
			fallthrough
		case filepath.IsAbs(full):
			rel, ok := within(root, full)
			if !ok { // /dist/** is often meant from the base directory
				rel = strings.TrimPrefix(full, "/")
			}
			if strings.HasSuffix(text, "/") {
				rel += "/"
			}
			text = rel
		}
		p, err := glob.Parse(text)
		if err != nil {
			return nil, mistake("exclude-paths: %v", err)
		}
		all = append(all, p)
	}
	return all, nil
}

// group is the patterns that are walked from one directory.
type group struct {
	root     string
	patterns []glob.Pattern
	index    []int // of spec.Files
}

// below collects what matches in one base directory. Patterns that lead out of it, which are absolute or begin
// with "..", are walked from where they lead; in the archive their files keep that path without its "/" or "..".
func (s *selection) below(base string, hit []bool) error {
	groups := []*group{{root: base}}
	for i, file := range s.spec.Files {
		if file == "" {
			continue // a variable that is not set
		}
		g, rel := groups[0], file
		if full := filepath.Clean(file); filepath.IsAbs(full) || strings.HasPrefix(full, "..") {
			g, rel = outside(base, full, strings.HasSuffix(file, "/"))
			groups = append(groups, g)
		}
		pattern, err := glob.Parse(rel)
		if err != nil {
			return mistake("%s: %v", s.what, err)
		}
		g.patterns = append(g.patterns, pattern)
		g.index = append(g.index, i)
	}
	for _, g := range groups {
		if err := s.walk(base, g, hit); err != nil {
			return err
		}
	}
	return nil
}

// outside finds where a pattern that may lead out of base is to be walked from.
func outside(base, full string, dir bool) (*group, string) {
	tail := ""
	if dir {
		tail = "/"
	}
	if !filepath.IsAbs(full) {
		up := base
		for strings.HasPrefix(full, "../") {
			up, full = filepath.Dir(up), strings.TrimPrefix(full, "../")
		}
		return &group{root: up}, full + tail
	}
	if rel, ok := within(base, full); ok {
		return &group{root: base}, rel + tail
	}
	return &group{root: "/"}, full[1:] + tail
}

func (s *selection) walk(base string, g *group, hit []bool) error {
	if len(g.patterns) == 0 {
		return nil
	}
	exclude, err := s.excluded(base, g.root)
	if err != nil {
		return err
	}
	err = glob.Walk(g.root, g.patterns, glob.Options{Exclude: exclude}, func(f glob.Found) error {
		if err := context.Cause(s.ctx); err != nil {
			return err
		}
		for _, p := range f.Patterns {
			hit[g.index[p]] = true
		}
		return s.add(filepath.Join(g.root, f.Name), f)
	})
	if err == nil || context.Cause(s.ctx) != nil {
		return err
	}
	return mistake("%s: %v", s.what, err)
}

// add takes one file that matched.
func (s *selection) add(full string, f glob.Found) error {
	if s.seen[full] {
		return nil
	}
	s.seen[full] = true
	file := packFile{path: full, name: f.Name}
	switch {
	case f.Type.IsRegular():
	case f.Type&fs.ModeSymlink != 0:
		if s.spec.EnableSymlinks {
			file.link, _ = os.Readlink(full) // settleLinks decides when all names are known
		}
		if problem := leadsNowhere(full); problem != "" && file.link == "" {
			s.say("Skipping invalid file path %s (%s)", full, problem)
			return nil
		}
	default:
		s.say("Skipping invalid file path %s (it is no regular file)", f.Name)
		return nil
	}
	if s.spec.DiscardPaths {
		file.name = path.Base(file.name)
	}
	file.name = s.free(file.name)
	s.files = append(s.files, file)
	return nil
}

// free returns the name, or one beside it when another file of the archive has it already: app.log, app-2.log.
func (s *selection) free(name string) string {
	taken := name
	ext := path.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	for n := 2; s.names[name]; n++ {
		name = stem + "-" + strconv.Itoa(n) + ext
	}
	s.names[name] = true
	if name != taken {
		s.say("Two files are called %s: the second is packed as %s", taken, name)
	}
	return name
}

// why explains a path that matched nothing, where there is more to say than that.
func (s *selection) why(base, file string) string {
	if file == "" {
		return "(it holds only variables that are not set)"
	}
	full := file
	if !filepath.IsAbs(full) {
		full = filepath.Join(base, file)
	}
	if info, err := os.Stat(full); err == nil && info.IsDir() {
		return " (it is a directory: to take what is in it write " + strings.TrimSuffix(file, "/") + "/**/*)"
	}
	return ""
}
