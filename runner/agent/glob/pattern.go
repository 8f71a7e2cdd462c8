// Package glob finds files by the patterns of a buildspec. It walks a tree once, however many patterns there
// are, enters only directories in which something can match, and never a symbolic link.
//
// In a pattern * matches within one name, ** any number of directories (none included), ? one character and
// [a-z] or [!a-z] one of a set. A backslash takes the next character as it is. Names that begin with a dot are
// matched like any other. Braces have no meaning.
package glob

import (
	"fmt"
	"path"
	"strings"
)

// Pattern is a parsed pattern.
type Pattern struct {
	text     string
	segments []string
}

// maxSegments bounds the names in one pattern, so that a set of positions fits a machine word.
const maxSegments = 60

const anyDirs = "**"

// Parse reads a pattern. Empty names and single dots are dropped, and a pattern that ends in ** or a slash means
// every file below.
func Parse(text string) (Pattern, error) {
	p := Pattern{text: text}
	if strings.HasSuffix(text, "/") {
		text += anyDirs
	}
	for segment := range strings.SplitSeq(text, "/") {
		switch segment {
		case "", ".":
			continue
		case anyDirs:
			if n := len(p.segments); n > 0 && p.segments[n-1] == anyDirs {
				continue
			}
		default:
			if _, err := path.Match(classes(segment), ""); err != nil {
				return p, fmt.Errorf("pattern %q: %q is malformed: close its bracket, or put a backslash before the [", p.text, segment)
			}
		}
		p.segments = append(p.segments, segment)
	}
	if n := len(p.segments); n > 0 && p.segments[n-1] == anyDirs {
		p.segments = append(p.segments, "*")
	}
	if len(p.segments) == 0 {
		return p, fmt.Errorf("pattern %q names nothing; to take every file write **/*", p.text)
	}
	if len(p.segments) > maxSegments {
		return p, fmt.Errorf("pattern %q has %d names, more than the %d allowed", p.text, len(p.segments), maxSegments)
	}
	return p, nil
}

// String returns the pattern as it was written.
func (p Pattern) String() string { return p.text }

// Prefix returns the leading names that hold no wildcard: the directory below which everything that matches lies.
func (p Pattern) Prefix() string {
	n := 0
	for n < len(p.segments)-1 && !strings.ContainsAny(p.segments[n], `*?[\`) {
		n++
	}
	return strings.Join(p.segments[:n], "/")
}

// Match tells whether the pattern matches a slash-separated relative path.
func (p Pattern) Match(name string) bool {
	at := p.start()
	for segment := range strings.SplitSeq(name, "/") {
		if at = p.step(at, segment); at == 0 {
			return false
		}
	}
	return p.done(at)
}

// Covers tells whether the pattern matches a slash-separated relative path or a directory above it.
func (p Pattern) Covers(name string) bool {
	at := p.start()
	for segment := range strings.SplitSeq(name, "/") {
		if at = p.step(at, segment); at == 0 || p.done(at) {
			break
		}
	}
	return p.done(at)
}

// Leads tells whether something below a directory, a slash-separated relative path, can match.
func (p Pattern) Leads(name string) bool {
	at := p.start()
	for segment := range strings.SplitSeq(name, "/") {
		at = p.step(at, segment)
	}
	return p.more(at)
}

// positions is a set: bit i says that the first i segments are matched.
type positions uint64

func (p Pattern) start() positions { return p.close(1) }

// close adds what ** reaches by matching nothing.
func (p Pattern) close(at positions) positions {
	for i, segment := range p.segments {
		if segment == anyDirs && at&(1<<i) != 0 {
			at |= 1 << (i + 1)
		}
	}
	return at
}

// step takes one name of a path.
func (p Pattern) step(at positions, name string) positions {
	var next positions
	for i, segment := range p.segments {
		if at&(1<<i) == 0 {
			continue
		}
		if segment == anyDirs {
			next |= 1 << i
		} else if matchName(segment, name) {
			next |= 1 << (i + 1)
		}
	}
	return p.close(next)
}

func (p Pattern) done(at positions) bool { return at&(1<<len(p.segments)) != 0 }

// more tells whether something below can still match.
func (p Pattern) more(at positions) bool { return at&(1<<len(p.segments)-1) != 0 }

func matchName(segment, name string) bool {
	ok, err := path.Match(classes(segment), name)
	return ok && err == nil
}

// classes turns the shell's [!x] into the [^x] that path.Match knows.
func classes(segment string) string {
	if !strings.Contains(segment, "[!") {
		return segment
	}
	var b strings.Builder
	for i := 0; i < len(segment); i++ {
		switch {
		case segment[i] == '\\' && i+1 < len(segment):
			b.WriteString(segment[i : i+2])
			i++
		case strings.HasPrefix(segment[i:], "[!"):
			b.WriteString("[^")
			i++
		default:
			b.WriteByte(segment[i])
		}
	}
	return b.String()
}
