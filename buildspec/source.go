package buildspec

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxBytes bounds a buildspec. The longest ones known, batches that are generated, stay below 200 KiB.
const maxBytes = 1 << 20

// mark is a place in the text: line and column from 1, width in characters. The zero mark is the text's beginning.
type mark struct {
	line, col, width int
}

// source is the text of a buildspec with clean line ends, and its lines.
type source struct {
	file  string
	text  string
	lines []string
	utf16 bool // the bytes were UTF-16
	// starts holds the offset in characters of each line, for the places of YAML's tokens.
	starts []int

	wide     []rune // the line of that number, where it has characters of several bytes
	wideLine int
}

// newSource cleans the text. It fails on what is not text at all.
func newSource(file string, data []byte) (*source, error) {
	src := &source{file: file}
	if len(data) > maxBytes {
		return nil, src.refuse(mark{}, complaint{
			message: fmt.Sprintf("this file is %d bytes long, and a buildspec may have %d", len(data), maxBytes),
			hint:    "move long scripts into files of the repository, and call them",
		})
	}
	data, src.utf16 = fromUTF16(data)
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if bytes.IndexByte(data, '\r') >= 0 {
		data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
		data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
	}
	src.setText(string(data))
	if at, c, bad := src.firstBad(); bad {
		return nil, src.refuse(at, c)
	}
	return src, nil
}

func (s *source) setText(text string) {
	s.text = text
	s.lines = strings.Split(text, "\n")
	s.starts = make([]int, len(s.lines))
	offset := 0
	for i, line := range s.lines {
		s.starts[i] = offset
		offset += utf8.RuneCountInString(line) + 1
	}
}

// firstBad finds the first thing that no YAML may hold: bytes that are not UTF-8, and control characters.
func (s *source) firstBad() (mark, complaint, bool) {
	for i, line := range s.lines {
		col := 0
		for k, r := range line {
			col++
			at := mark{line: i + 1, col: col, width: 1}
			if r == utf8.RuneError && !strings.HasPrefix(line[k:], "\uFFFD") {
				return at, complaint{
					message: fmt.Sprintf("found the byte 0x%02X, which is not UTF-8 text", line[k]),
					hint:    "save the file as UTF-8",
				}, true
			}
			if r != '\t' && unicode.IsControl(r) {
				return at, complaint{
					message: fmt.Sprintf("found the control character U+%04X", r),
					hint:    `remove it; inside double quotes it can be written as an escape, like "\x1b"`,
				}, true
			}
		}
	}
	return mark{}, complaint{}, false
}

// at is the place of the character at an offset, counted in characters from 0.
func (s *source) at(offset int) mark {
	i, found := slices.BinarySearch(s.starts, max(0, offset))
	if !found {
		i--
	}
	return mark{line: i + 1, col: max(0, offset) - s.starts[i] + 1, width: 1}
}

// line is the text of a line, counted from 1, or "" where there is none.
func (s *source) line(n int) string {
	if n < 1 || n > len(s.lines) {
		return ""
	}
	return s.lines[n-1]
}

// runeAt is the character at a place. A line can be as long as the text and have a token every few characters, so
// it is not counted out from its beginning each time.
func (s *source) runeAt(at mark) (rune, bool) {
	line := s.line(at.line)
	if at.col < 1 || at.col > len(line) {
		return 0, false
	}
	if s.narrow(at.line) {
		return rune(line[at.col-1]), true
	}
	if s.wideLine != at.line {
		s.wide, s.wideLine = []rune(line), at.line
	}
	if at.col > len(s.wide) {
		return 0, false
	}
	return s.wide[at.col-1], true
}

// textAt is what stands at a mark.
func (s *source) textAt(at mark) string {
	line := []rune(s.line(at.line))
	from := min(max(0, at.col-1), len(line))
	return string(line[from:min(from+at.width, len(line))])
}

// narrow tells whether each character of a line is one byte.
func (s *source) narrow(n int) bool {
	return n < len(s.starts) && s.starts[n]-s.starts[n-1]-1 == len(s.lines[n-1])
}

// problem gives a complaint its place and its excerpt.
func (s *source) problem(sev Severity, at mark, c complaint) Problem {
	at = mark{line: max(1, at.line), col: max(1, at.col), width: max(1, at.width)}
	return Problem{
		File: s.file, Line: at.line, Column: at.col, Severity: sev,
		Message: shown([]rune(c.message)), Hint: c.hint, Excerpt: s.excerpt(at, shown([]rune(c.note))),
	}
}

// refuse is the error of a text with one problem.
func (s *source) refuse(at mark, c complaint) *Error {
	return &Error{Problems: []Problem{s.problem(SeverityError, at, c)}}
}
