package web

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzLogLines: whatever a job prints, a page shows text without control characters, in styles of ours.
func FuzzLogLines(f *testing.F) {
	for _, seed := range []string{"plain", "\x1b[1;31mred\x1b[0m", "\x1b]0;title\a\x1bP\x1b\\x", "50%\r100%", "\x1b[38;2;1", "\xff\x1b"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		var a ansi
		for _, line := range []string{first, second} {
			for _, r := range clipRuns(a.line(line)) {
				if !utf8.ValidString(r.Text) || strings.ContainsFunc(r.Text, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
					t.Errorf("%q is shown as %q", line, r.Text)
				}
				if strings.Trim(r.Class, "c01234567 bfiu") != "" {
					t.Errorf("%q has the style %q", line, r.Class)
				}
			}
		}
	})
}
