package quarantine

import (
	"slices"
	"strings"

	"github.com/runner-ci/runner/runner/agent/glob"
)

// Matcher finds the entry that a test is quarantined by. The zero value, and nil, find none.
type Matcher struct {
	exact map[string]*Entry
	globs []pattern

	python *Matcher // of those entries that name Python files; nil for none
}

type pattern struct {
	glob.Pattern
	entry *Entry
}

// between stands between the parts of a test's id: file, class, name.
const between = "::"

// Matcher prepares a list. Of several entries for one test that which names it counts, then the first pattern.
func (l List) Matcher() *Matcher {
	m, ofPython := &Matcher{}, &Matcher{}
	for i := range l {
		m.add(&l[i])
		if strings.Contains(l[i].Test, python) {
			ofPython.add(&l[i])
			m.python = ofPython
		}
	}
	return m
}

func (m *Matcher) add(e *Entry) {
	name := plain(e.Test)
	if m.exact == nil {
		m.exact = make(map[string]*Entry)
	}
	if m.exact[name] == nil {
		m.exact[name] = e
	}
	if !strings.ContainsAny(name, "*?") {
		return
	}
	if p, err := glob.Parse(name); err == nil {
		m.globs = append(m.globs, pattern{p, e})
	}
}

// plain is a name as the daemon knows it.
func plain(name string) string {
	for strings.HasPrefix(name, "./") {
		name = strings.TrimLeft(name[2:], "/")
	}
	return name
}

// Test is the entry for a test's id, nil for none. An entry may name the test, the test around a subtest
// ("pkg::TestOpen" of "pkg::TestOpen/empty"), its file, or its class or package; of pytest also as that calls it.
func (m *Matcher) Test(id string) *Entry {
	if m == nil || len(m.exact) == 0 {
		return nil
	}
	if e := m.first(names(id)); e != nil || m.python == nil {
		return e
	}
	return m.python.first(pythonNames(id))
}

// Case is the entry for a test of a report that says, or whose failure says, in which file it is; nil for none. Failures of
// Go say the file within the package alone.
func (m *Matcher) Case(id, file string) *Entry {
	if e := m.Test(id); e != nil || file == "" || strings.HasSuffix(file, ".go") {
		return e
	}
	return m.Whole(file)
}

// Whole is the entry that quarantines a file, or a package, with all that is in it; nil for none.
func (m *Matcher) Whole(file string) *Entry {
	if m == nil || len(m.exact) == 0 {
		return nil
	}
	return m.first([]string{plain(file)})
}

// In tells whether a test, by its id, is one of a file, a class or a package.
func In(id, file string) bool {
	file = plain(file)
	return slices.Contains(names(id), file) || strings.HasSuffix(file, python) && slices.Contains(pythonNames(id), file)
}

func (m *Matcher) first(names []string) *Entry {
	for _, name := range names {
		if e := m.exact[name]; e != nil {
			return e
		}
	}
	for _, p := range m.globs {
		for _, name := range names {
			if p.Match(name) {
				return p.entry
			}
		}
	}
	return nil
}

// maxAround bounds how many tests around a subtest are looked for.
const maxAround = 20

// names are all by which an entry may mean a test: its id, those of the tests around it, its file, its class.
func names(id string) []string {
	out := []string{id}
	end := strings.LastIndex(id, between)
	if end < 0 {
		return out
	}
	around := id
	for range maxAround {
		i := strings.LastIndexByte(around, '/')
		if i <= end {
			break
		}
		around = around[:i]
		out = append(out, around)
	}
	first, rest, _ := strings.Cut(id[:end], between)
	out = append(out, first)
	if rest != "" {
		second, _, _ := strings.Cut(rest, between)
		out = append(out, second, first+between+second)
	}
	return out
}
