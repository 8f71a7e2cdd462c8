package starter

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Bounds of what is looked at: a repository may be a stranger's, and a home directory may be taken for one.
const (
	maxFileBytes = 1 << 20
	maxEntries   = 50_000
	maxDepth     = 10
)

// skipped folders hold what others wrote, or what a build made.
var skipped = []string{
	"node_modules", "vendor", "third_party", "testdata", "dist", "build", "target", "out", "obj", "venv",
	"__pycache__", "site-packages", "coverage", "tmp", "Pods", "bower_components",
}

// folder is what was found in a directory of the repository: its own files and those below it. Paths are relative to
// it, with slashes.
type folder struct {
	fsys  fs.FS
	dir   string   // in the repository, "." for its root
	files []string // sorted: regular files below it
}

// look lists the regular files of a repository, outside of folders that others filled. Links are not followed.
func look(fsys fs.FS) (folder, error) {
	f := folder{fsys: fsys, dir: "."}
	seen := 0
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			if name == "." {
				return err
			}
			return fs.SkipDir // a folder that may not be read is none of ours
		}
		if seen++; seen > maxEntries {
			return fs.SkipAll
		}
		if entry.IsDir() {
			hidden := strings.HasPrefix(entry.Name(), ".") && name != "."
			if hidden || strings.Count(name, "/") >= maxDepth || name != "." && slices.Contains(skipped, entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if entry.Type().IsRegular() {
			f.files = append(f.files, name)
		}
		return nil
	})
	slices.Sort(f.files)
	return f, err
}

// sub is a directory of the folder as a folder of its own.
func (f folder) sub(dir string) folder {
	below := folder{fsys: f.fsys, dir: path.Join(f.dir, dir)}
	for _, name := range f.files {
		if rest, ok := strings.CutPrefix(name, dir+"/"); ok {
			below.files = append(below.files, rest)
		}
	}
	return below
}

// has tells whether the folder itself holds one of these files.
func (f folder) has(names ...string) bool { return f.first(names...) != "" }

// first is the first of these files that the folder holds, "" when it holds none.
func (f folder) first(names ...string) string {
	for _, name := range names {
		if _, found := slices.BinarySearch(f.files, name); found {
			return name
		}
	}
	return ""
}

// read returns the text of a file of the folder, "" when there is none or it is too large to be what its name says.
func (f folder) read(name string) string {
	if !f.has(name) {
		return ""
	}
	file, err := f.fsys.Open(path.Join(f.dir, name))
	if err != nil {
		return ""
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err != nil && !errors.Is(err, io.EOF) || len(text) > maxFileBytes {
		return ""
	}
	return strings.TrimPrefix(string(text), "\ufeff")
}

// exists tells whether there is a file at a path, also in a folder that is not looked into.
func (f folder) exists(name string) bool {
	_, err := fs.Stat(f.fsys, path.Join(f.dir, name))
	return err == nil
}

// executable tells whether a file of the folder may be run as a program.
func (f folder) executable(name string) bool {
	info, err := fs.Stat(f.fsys, path.Join(f.dir, name))
	return err == nil && info.Mode()&0o111 != 0
}

// matching lists the files for which a test is true.
func (f folder) matching(test func(name string) bool) []string {
	var found []string
	for _, name := range f.files {
		if test(name) {
			found = append(found, name)
		}
	}
	return found
}

// count is the number of files with one of these extensions, like ".go".
func (f folder) count(extensions ...string) int {
	return len(f.matching(func(name string) bool { return slices.Contains(extensions, path.Ext(name)) }))
}
