package web

import (
	"html/template"
	"strings"
	"testing"
)

func TestLinesOfALogAreShownWithoutTheirTricks(t *testing.T) {
	for line, want := range map[string]string{
		"plain":                             "plain",
		"<script>alert(1)</script> & \"q\"": "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#34;q&#34;",
		"\x1b[31mred\x1b[0m and not":        `<span class="f1">red</span> and not`,
		"\x1b[1;32mok\x1b[22m still":        `<span class="a-b f2">ok</span><span class="f2"> still</span>`,
		"\x1b[91;44mx\x1b[39my\x1b[mz":      `<span class="f9 g4">x</span><span class="g4">y</span>z`,
		"\x1b[38;5;9mx":                     `<span class="f9">x</span>`,
		"\x1b[38;5;196mx":                   `<span class="f9">x</span>`,
		"\x1b[38;5;22mx\x1b[38;5;250my":     `<span class="f2">x</span><span class="f7">y</span>`,
		"\x1b[38;2;255;80;0mx":              `<span class="f9">x</span>`,
		"\x1b[38:2:0:0:160mx":               `<span class="f4">x</span>`,
		"\x1b[48;5;16mx":                    `<span class="g0">x</span>`,
		"\x1b[31;7mx\x1b[27my":              `<span class="a-r">x</span><span class="f1">y</span>`,
		"\x1b[38;5mx":                       "x",
		"\x1b[99999999999999999999mx":       "x",
		"10 %\r50 %\r100 %":                 "100 %",
		"[Container] 2026/11/26 06:58:44.003735 Entering phase <X>": `<span class="own">[Container] 2026/11/26 06:58:44.003735 </span>Entering phase &lt;X&gt;`,
		"windows\r":                                        "windows",
		"up\x1b[2A\x1b[Kdown\x1b[?25l":                     "updown",
		"\x1b]0;a title\x07shown":                          "shown",
		"\x1b]8;;javascript:alert(1)\x1b\\a\x1b]8;;\x1b\\": "a",
		"bell\a back\b null\x00 del\x7f csi\u009b31m":      "bell back null del csi31m",
		"\x1bP1;2|secret\x1b\\after":                       "after",
		"cut \x1b[3":                                       "cut ",
		"tab\there \x1b(Bok":                               "tab\there ok",
	} {
		if got := logText(line); got != template.HTML(want) {
			t.Errorf("%q is shown as %s, want %s", line, got, want)
		}
	}
}

func FuzzLogText(f *testing.F) {
	f.Add("\x1b[31m<b>\x1b]8;;x\x07")
	f.Add("\x1b[38;5;300;48;2;1m\"'&")
	f.Fuzz(func(t *testing.T, line string) {
		got := string(logText(line))
		for _, part := range strings.Split(got, "<") {
			if part != "" && got[0] != '<' && part == got {
				continue // before the first tag
			}
			if part != "" && !strings.HasPrefix(part, "span class=\"") && !strings.HasPrefix(part, "/span>") && !strings.HasPrefix(got, part) {
				t.Fatalf("%q is shown as %q", line, got)
			}
		}
		if strings.ContainsAny(got, "\x1b\x00\x07\r\n") {
			t.Fatalf("%q is shown with controls: %q", line, got)
		}
	})
}
