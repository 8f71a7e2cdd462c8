package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Problem is one thing wrong in a configuration file, with where it stands and what to do about it.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`   // from 1; 0 when no place can be named
	Column  int    `json:"column,omitempty"` // from 1
	Message string `json:"message"`
	Excerpt string `json:"excerpt,omitempty"` // the line and the one before it, with a mark below
	Hint    string `json:"hint,omitempty"`

	width int // of the word to mark
}

// String is the problem as a compiler would print it: file:line:col, message, excerpt, hint.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": error: " + p.Message)
	if p.Excerpt != "" {
		b.WriteString("\n" + p.Excerpt)
	}
	if p.Hint != "" {
		b.WriteString("\nhint: " + p.Hint)
	}
	return b.String()
}

// Problems is everything wrong in one file, in the file's order. It is the error of Parse and Load.
type Problems []Problem

func (ps Problems) Error() string {
	texts := make([]string, len(ps))
	for i, p := range ps {
		texts[i] = p.String()
	}
	return strings.Join(texts, "\n\n")
}

// FieldError is one wrong setting of a project, named as runner.yml names it. Check returns them joined.
type FieldError struct {
	Field   string // "url", "limits.timeout", "env.CI"
	Message string
	Hint    string // what to do, when there is more to say than the message does
}

func (e *FieldError) Error() string {
	msg := e.Field + ": " + e.Message
	if e.Hint != "" {
		msg += " (" + e.Hint + ")"
	}
	return msg
}

// excerptWidth is where a long source line is cut in an excerpt, in runes: a terminal's width less the gutter.
const excerptWidth = 110

// excerpt shows the line a problem is on, the one before it for context, and marks the wrong word.
func excerpt(lines []string, line, column, width int) string {
	if line < 1 || line > len(lines) {
		return ""
	}
	var b strings.Builder
	if line > 1 {
		fmt.Fprintf(&b, "%4d | %s\n", line-1, clip(lines[line-2]))
	}
	text := clip(lines[line-1])
	fmt.Fprintf(&b, "%4d | %s\n", line, text)
	runes := []rune(text)
	pad := make([]rune, 0, column)
	for i := range min(max(column-1, 0), len(runes)) {
		if runes[i] == '\t' {
			pad = append(pad, '\t') // keeps the mark below its word, however wide tabs are shown
		} else {
			pad = append(pad, ' ')
		}
	}
	width = max(1, min(width, len(runes)-len(pad)))
	fmt.Fprintf(&b, "     | %s%s", string(pad), strings.Repeat("^", width))
	return b.String()
}

// clip cuts a line at excerptWidth and replaces what a terminal would act upon.
func clip(line string) string {
	runes := []rune(strings.TrimRight(line, "\r"))
	if len(runes) > excerptWidth {
		runes = append(runes[:excerptWidth-1:excerptWidth-1], '…')
	}
	for i, r := range runes {
		if (r < ' ' && r != '\t') || (r >= 0x7f && r < 0xa0) {
			runes[i] = '�'
		}
	}
	return string(runes)
}

var (
	secretLine  = regexp.MustCompile(`((?:password|secret|token|ssh-key|known-hosts)["']?\s*:\s*["']?)([^\s"'},]+)`)
	urlPassword = regexp.MustCompile(`(://[^\s/:@]*:)([^\s/@]+)(@)`)
)

// mask hides what is or may be a secret in the lines of a file that are about to be shown: values written
// where a reference belongs, also in a file too broken to be understood, and passwords in addresses.
func mask(lines, literals []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		line = replaceGroup(secretLine, line, func(v string) bool {
			return !strings.HasPrefix(v, "file:") && !strings.HasPrefix(v, "env:")
		})
		line = replaceGroup(urlPassword, line, func(string) bool { return true })
		for _, literal := range literals {
			for part := range strings.Lines(literal) {
				if part = strings.TrimSpace(part); len(part) > 3 {
					line = strings.ReplaceAll(line, part, stars(part))
				}
			}
		}
		out[i] = line
	}
	return out
}

// replaceGroup replaces the second group of each match by as many stars, so that columns stay true.
func replaceGroup(re *regexp.Regexp, line string, hide func(string) bool) string {
	for _, m := range slices.Backward(re.FindAllStringSubmatchIndex(line, -1)) {
		if v := line[m[4]:m[5]]; hide(v) {
			line = line[:m[4]] + stars(v) + line[m[5]:]
		}
	}
	return line
}

func stars(s string) string { return strings.Repeat("*", utf8.RuneCountInString(s)) }
