package glob

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Found is one thing that a pattern matched.
type Found struct {
	Name     string // relative to the root, slash-separated
	Type     fs.FileMode
	Patterns []int // those that matched it
}

// Options of a walk.
type Options struct {
	Exclude []Pattern
	// Dirs asks for directories that match instead of files.
	Dirs bool
	// All asks for directories that match as well as files. It goes before Dirs.
	All bool
	// Tolerant passes over directories that cannot be read.
	Tolerant bool
	// Skip is asked before a directory is entered, with its relative name.
	Skip func(dir string) bool
}

// Walk calls visit for everything below root that matches one of the patterns and no excluding one, in the order
// of the names in each directory. Symbolic links are reported, never entered. A directory that cannot be read
// is an error, unless it vanished meanwhile; an error of visit ends the walk.
func Walk(root string, patterns []Pattern, opts Options, visit func(Found) error) error {
	w := walk{root: root, patterns: patterns, opts: opts, visit: visit}
	start := make([]positions, len(patterns))
	for i, p := range patterns {
		start[i] = p.start()
	}
	return w.dir("", start)
}

type walk struct {
	root     string
	patterns []Pattern
	opts     Options
	visit    func(Found) error
}

func (w *walk) dir(rel string, at []positions) error {
	entries, err := w.entries(rel, at)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := w.entry(path.Join(rel, entry.Name()), entry, at); err != nil {
			return err
		}
	}
	return nil
}

// entries lists a directory, or only looks the names up that can match when all patterns name one.
func (w *walk) entries(rel string, at []positions) ([]fs.DirEntry, error) {
	dir := filepath.Join(w.root, filepath.FromSlash(rel))
	names, few := w.literals(at)
	if !few {
		entries, err := os.ReadDir(dir)
		if err != nil && !os.IsNotExist(err) && !w.opts.Tolerant {
			return nil, fmt.Errorf("listing files: %w", err)
		}
		return entries, nil
	}
	var entries []fs.DirEntry
	for _, name := range names {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err == nil {
			entries = append(entries, fs.FileInfoToDirEntry(info))
		}
	}
	return entries, nil
}

// literals returns the only names that can match here. It gives up when there is a wildcard, or more than one
// name, for they would have to be sorted.
func (w *walk) literals(at []positions) (names []string, few bool) {
	for i, p := range w.patterns {
		for j, segment := range p.segments {
			if at[i]&(1<<j) == 0 {
				continue
			}
			if strings.ContainsAny(segment, `*?[\`) {
				return nil, false
			}
			if len(names) == 0 {
				names = append(names, segment)
			} else if names[0] != segment {
				return nil, false
			}
		}
	}
	return names, true
}

func (w *walk) entry(rel string, entry fs.DirEntry, at []positions) error {
	next := make([]positions, len(at))
	var matched []int
	more := false
	for i, p := range w.patterns {
		next[i] = p.step(at[i], entry.Name())
		if p.done(next[i]) {
			matched = append(matched, i)
		}
		more = more || p.more(next[i])
	}
	if len(matched) > 0 && (w.opts.All || entry.IsDir() == w.opts.Dirs) && !w.excluded(rel) {
		if err := w.visit(Found{Name: rel, Type: entry.Type(), Patterns: matched}); err != nil {
			return err
		}
	}
	if !entry.IsDir() || !more || w.opts.Skip != nil && w.opts.Skip(rel) {
		return nil
	}
	return w.dir(rel, next)
}

func (w *walk) excluded(rel string) bool {
	for _, p := range w.opts.Exclude {
		if p.Match(rel) {
			return true
		}
	}
	return false
}
