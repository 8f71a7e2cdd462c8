package parse

import (
	"path"
	"strings"

	"github.com/runner-ci/runner/tests"
)

// sources are the endings of files that code is in.
var sources = map[string]bool{}

func init() {
	for _, ending := range strings.Fields("go py rb php java kt scala groovy cs fs vb js jsx ts tsx mjs cjs mts cts c cc cpp cxx h hpp rs swift ex exs pl pm t feature") {
		sources["."+ending] = true
	}
}

// foreign are parts of paths below which code is not the project's.
var foreign = []string{"node_modules/", "site-packages/", "/vendor/", "/gems/", "node:", "/usr/lib/", "/usr/share/", "/usr/local/go/"}

// Bounds of the search for a place: bytes of a failure's text, and places looked at.
const (
	maxLocate = 16 << 10
	maxPlaces = 50
)

// locate finds where a failure happened in its text: the first place in a file that is called a test, else the first
// that is the project's own.
func locate(root, text string) (file string, line int) {
	text = tests.Cut(text, maxLocate)
	for at, n := 0, 0; n < maxPlaces; n++ {
		p, ok := nextPlace(text, at)
		if !ok {
			break
		}
		at = p.end
		name := tests.SourcePath(root, p.path)
		if isForeign(p.path) {
			continue
		}
		lower := strings.ToLower(name)
		if strings.Contains(lower, "test") || strings.Contains(lower, "spec") {
			return name, p.line
		}
		if file == "" {
			file, line = name, p.line
		}
	}
	return file, line
}

// place is a source file with a line in a text, as stacks and assertions of most languages write it: "a_test.go:12",
// "FooTest.java:34)", "spec/a_spec.rb:5:in", "Foo.cs:line 7".
type place struct {
	path       string
	line       int
	start, end int // in the text
}

// nextPlace is the first place in text whose colon is at or behind at.
func nextPlace(text string, at int) (place, bool) {
	for {
		i := strings.IndexByte(text[at:], ':')
		if i < 0 {
			return place{}, false
		}
		colon := at + i
		at = colon + 1
		number := at
		if strings.HasPrefix(text[number:], "line ") {
			number += len("line ")
		}
		end := number
		for end < len(text) && end-number < 8 && text[end] >= '0' && text[end] <= '9' {
			end++
		}
		if end == number || end-number > 7 {
			continue
		}
		start := colon
		for start > 0 && pathByte(text[start-1]) {
			start--
		}
		name := strings.ReplaceAll(text[start:colon], `\`, "/")
		if dot := path.Ext(name); sources[dot] && len(name) > len(dot) {
			return place{text[start:colon], atoi([]byte(text[number:end])), start, end}, true
		}
	}
}

// pathByte tells whether a byte may be in a path that a stack shows without quotes.
func pathByte(b byte) bool {
	switch {
	case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b >= 0x80:
		return true
	}
	return strings.IndexByte("_@.~/\\+-", b) >= 0
}

func isForeign(path string) bool {
	for _, part := range foreign {
		if strings.Contains(path, part) {
			return true
		}
	}
	return false
}
