package attributes

import (
	"bytes"
	"strings"
)

// maxLine is the length from which git ignores a line of an attribute file.
const maxLine = 2048

// state is what an attribute is said to be.
type state struct {
	kind  stateKind
	value string // for kind valued
}

type stateKind uint8

const (
	unknown     stateKind = iota // nothing said yet
	unspecified                  // "!name"
	set                          // "name"
	unset                        // "-name"
	valued                       // "name=value"
)

// setting is one attribute on a line.
type setting struct {
	attr int
	to   state
}

// rule is one line with a pattern.
type rule struct {
	pattern  string
	prefix   int  // how much of the pattern is literal
	base     bool // the pattern has no slash: it matches the last part of a path
	dirOnly  bool
	settings []setting
}

// File is one parsed .gitattributes.
type File struct {
	rules []rule
}

// Table knows the names and macros of one tree. It is not safe for concurrent use.
type Table struct {
	ids    map[string]int
	macros map[int][]setting
}

// The attributes that decide how a file is written, by their number in a Table.
const (
	attrText = iota
	attrCRLF
	attrEOL
	attrIdent
	attrFilter
	attrEncoding
	attrKnown
)

// NewTable returns a table with git's built-in macro "binary".
func NewTable() *Table {
	t := &Table{ids: make(map[string]int), macros: make(map[int][]setting)}
	for i, name := range []string{"text", "crlf", "eol", "ident", "filter", "working-tree-encoding"} {
		t.ids[name] = i
	}
	t.macros[t.id("binary")] = []setting{
		{t.id("diff"), state{kind: unset}}, {t.id("merge"), state{kind: unset}}, {attrText, state{kind: unset}},
	}
	return t
}

func (t *Table) id(name string) int {
	id, ok := t.ids[name]
	if !ok {
		id = len(t.ids)
		t.ids[name] = id
	}
	return id
}

// Parse reads an attribute file. Only the file at the top of the tree (root) may define macros, and it must be
// parsed first. Lines that git would skip are skipped.
func (t *Table) Parse(data []byte, root bool) *File {
	f := &File{}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if len(line) < maxLine {
			t.line(f, line, root)
		}
	}
	return f
}

const blank = " \t\r\n"

func (t *Table) line(f *File, line string, root bool) {
	line = strings.TrimLeft(line, blank)
	if line == "" || line[0] == '#' {
		return
	}
	name, rest := cutField(line)
	if line[0] == '"' {
		if unquoted, after, ok := unquote(line); ok {
			name, rest = unquoted, after
		}
	}
	macro, isMacro := strings.CutPrefix(name, "[attr]")
	isMacro = isMacro && macro != ""
	if isMacro && (!root || !validName(macro)) {
		return
	}
	settings, ok := t.settings(rest)
	if !ok {
		return
	}
	if isMacro {
		t.macros[t.id(macro)] = settings
		return
	}
	if r, ok := newRule(name); ok {
		r.settings = settings
		f.rules = append(f.rules, r)
	}
}

func newRule(pattern string) (rule, bool) {
	if strings.HasPrefix(pattern, "!") || pattern == "" {
		return rule{}, false // negative patterns have no meaning here
	}
	r := rule{}
	r.pattern, r.dirOnly = strings.CutSuffix(pattern, "/")
	r.base = !strings.Contains(r.pattern, "/")
	if r.prefix = strings.IndexAny(r.pattern, `*?[\`); r.prefix < 0 {
		r.prefix = len(r.pattern)
	}
	return r, true
}

// settings parses what follows a pattern. One invalid name makes git drop the line.
func (t *Table) settings(s string) ([]setting, bool) {
	var all []setting
	for s = strings.TrimLeft(s, blank); s != ""; s = strings.TrimLeft(s, blank) {
		var field string
		field, s = cutField(s)
		name, value, hasValue := strings.Cut(field, "=")
		to := state{kind: set}
		switch {
		case strings.HasPrefix(name, "-"):
			name, to.kind = name[1:], unset
		case strings.HasPrefix(name, "!"):
			name, to.kind = name[1:], unspecified
		case hasValue:
			to = state{valued, value}
		}
		if !validName(name) {
			return nil, false
		}
		all = append(all, setting{t.id(name), to})
	}
	return all, true
}

func cutField(s string) (field, rest string) {
	if i := strings.IndexAny(s, blank); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

func validName(s string) bool {
	if s == "" || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return true
}

// unquote reads a string in C's quotes at the head of s.
func unquote(s string) (text, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; c {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			n, size := escape(s[i+1:])
			if size == 0 {
				return "", "", false
			}
			b.WriteByte(n)
			i += size
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// escape reads what follows a backslash, and returns how many bytes that were: 0 when it means nothing.
func escape(s string) (c byte, size int) {
	if s == "" {
		return 0, 0
	}
	if i := strings.IndexByte(`abfnrtv\"`, s[0]); i >= 0 {
		return "\a\b\f\n\r\t\v\\\""[i], 1
	}
	if len(s) < 3 || s[0] < '0' || s[0] > '3' {
		return 0, 0
	}
	for i := range 3 {
		if s[i] < '0' || s[i] > '7' {
			return 0, 0
		}
		c = c<<3 | (s[i] - '0')
	}
	return c, 3
}
