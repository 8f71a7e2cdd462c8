package buildspec

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// excerptWidth bounds the characters of a source line that an excerpt shows, so that it fits most terminals and a
// line of a megabyte stays out of the log.
const excerptWidth = 100

// excerpt shows the line of a mark, the line before it, and a caret below:
//
//	6 |     commands:
//	7 |       - echo a: b
//	  |         ^^^^^^ note
func (s *source) excerpt(at mark, note string) string {
	if at.line > len(s.lines) {
		return ""
	}
	line := []rune(s.line(at.line))
	at.width = max(1, min(at.width, len(line)-at.col+1))
	from := 0
	if at.col-1+at.width > excerptWidth {
		from = max(0, at.col-1-excerptWidth/4)
	}
	gutter := max(3, len(strconv.Itoa(at.line)))
	var b strings.Builder
	if before := []rune(s.line(at.line - 1)); at.line > 1 && (from == 0 || len(before) > from) {
		fmt.Fprintf(&b, "%s\n", row(gutter, at.line-1, window(before, from)))
	}
	fmt.Fprintf(&b, "%s\n", row(gutter, at.line, window(line, from)))
	pad, width := at.col-1-from, min(at.width, excerptWidth-(at.col-1-from))
	if from > 0 {
		pad += len([]rune(cut))
	}
	fmt.Fprintf(&b, "%*s | %s%s", gutter, "", strings.Repeat(" ", pad), strings.Repeat("^", max(1, width)))
	if note != "" {
		b.WriteString(" " + note)
	}
	return b.String()
}

// row is one line of an excerpt behind its number.
func row(gutter, number int, text string) string {
	return strings.TrimRight(fmt.Sprintf("%*d | %s", gutter, number, text), " ")
}

// cut stands for what a window leaves out.
const cut = "…"

// window is what an excerpt shows of a line, from a character on. What a terminal would act upon becomes a sign for
// it, because the text is a stranger's.
func window(line []rune, from int) string {
	prefix, suffix := "", ""
	if from > 0 {
		line = line[min(from, len(line)):]
		prefix = cut
	}
	if len(line) > excerptWidth {
		line = line[:excerptWidth]
		suffix = cut
	}
	return prefix + shown(line) + suffix
}

// shown is a text as it may be printed.
func shown(text []rune) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return '→'
		case r == '\n':
			return '↵'
		case unicode.IsPrint(r):
			return r
		default:
			return '\uFFFD'
		}
	}, string(text))
}
