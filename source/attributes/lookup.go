package attributes

import (
	"fmt"
	"strings"
)

// Layer is the attribute files that rule one directory: its own on top of its parents'. A nil Layer rules nothing.
type Layer struct {
	parent *Layer
	dir    string // without a trailing slash, "" for the top
	file   *File
}

// Push puts the file of a directory on top. A file without rules adds nothing.
func (l *Layer) Push(dir string, f *File) *Layer {
	if len(f.rules) == 0 {
		return l
	}
	return &Layer{parent: l, dir: dir, file: f}
}

// Lookup returns how the file at a path (slash-separated, from the top of the tree) is to be written. It fails when
// a pattern is too complex to be matched in bounded time, or an attribute asks for what cannot be done.
func (t *Table) Lookup(l *Layer, path string) (Conversion, error) {
	if l == nil {
		return Conversion{}, nil
	}
	said := make([]state, len(t.ids))
	base := path[strings.LastIndexByte(path, '/')+1:]
	for ; l != nil; l = l.parent {
		for i := len(l.file.rules) - 1; i >= 0; i-- {
			r := &l.file.rules[i]
			matched, ok := r.matches(l.dir, path, base)
			if !ok {
				return Conversion{}, fmt.Errorf("the pattern %q in %s is too complex to be matched against %q: simplify it",
					r.pattern, strings.TrimPrefix(l.dir+"/.gitattributes", "/"), path)
			}
			if matched {
				t.fill(said, r.settings)
			}
		}
	}
	return decide(said)
}

// fill lets a line say what nothing of higher precedence has said, its last words first.
func (t *Table) fill(said []state, settings []setting) {
	for i := len(settings) - 1; i >= 0; i-- {
		s := settings[i]
		if said[s.attr].kind != unknown {
			continue
		}
		said[s.attr] = s.to
		if s.to.kind == set {
			t.fill(said, t.macros[s.attr])
		}
	}
}

func (r *rule) matches(dir, path, base string) (matched, ok bool) {
	if r.dirOnly {
		return false, true // only files are looked up
	}
	if r.base {
		if r.prefix == len(r.pattern) {
			return r.pattern == base, true
		}
		return wildmatch(r.pattern, base, false)
	}
	name := path
	if dir != "" {
		var below bool
		if name, below = strings.CutPrefix(path, dir+"/"); !below {
			return false, true
		}
	}
	pattern, prefix := r.pattern, r.prefix
	if pattern[0] == '/' {
		pattern, prefix = pattern[1:], prefix-1
	}
	if !strings.HasPrefix(name, pattern[:prefix]) {
		return false, true
	}
	// Git matches the literal head apart, so that a double star behind it counts as the pattern's beginning.
	return wildmatch(pattern[prefix:], name[prefix:], true)
}
