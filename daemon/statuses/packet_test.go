package statuses

import (
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
)

func packetOf(b *client.Build, messages bool) string {
	return (&packet{b: b, check: "runner/api", url: "https://ci.example.com/projects/api/builds/7", messages: messages}).text()
}

// outside is what of a text of Markdown is not within code: what a reader's forge acts on.
func outside(t *testing.T, text string) string {
	t.Helper()
	var prose strings.Builder
	fence := ""
	for _, line := range strings.Split(text, "\n") {
		ticks := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case fence == "" && len(ticks) >= 3:
			fence = ticks
		case fence != "" && strings.TrimRight(line, " ") == ticks && len(ticks) >= len(fence):
			fence = ""
		case fence == "":
			prose.WriteString(withoutQuotes(t, line) + "\n")
		}
	}
	if fence != "" {
		t.Errorf("a fence is not closed:\n%s", text)
	}
	return prose.String()
}

// withoutQuotes drops code within a line, by the rule of CommonMark: a run of backticks ends at the next run as long.
func withoutQuotes(t *testing.T, line string) string {
	t.Helper()
	var out strings.Builder
	for line != "" {
		i := strings.IndexByte(line, '`')
		if i < 0 {
			break
		}
		out.WriteString(line[:i])
		line = line[i:]
		n := len(line) - len(strings.TrimLeft(line, "`"))
		rest, end := line[n:], -1
		for at := 0; at < len(rest); {
			if rest[at] != '`' {
				at++
				continue
			}
			run := len(rest[at:]) - len(strings.TrimLeft(rest[at:], "`"))
			if run == n {
				end = at + run
				break
			}
			at += run
		}
		if end < 0 {
			t.Errorf("code is not closed: %q", line)
			return out.String() + line
		}
		line = rest[end:]
	}
	return out.String() + line
}

const evil = "@everyone ` `` ``` ```` </code> ![x](https://evil.example/x.png) <img src=x> #1 \u202e\x1b[31m\n```\n@team\n~~~\n-->\n/close\n[a](https://evil.example)"

// TestNothingOfAJobLeavesItsCode: whatever a job says, it calls nobody, links nowhere and shows no image.
func TestNothingOfAJobLeavesItsCode(t *testing.T) {
	builds := map[string]*client.Build{
		"tests": {ID: "api#7", Status: "FAILED", Commit: strings.Repeat("a", 40), Tests: &client.BuildTests{Total: 9, Failed: 9, Failures: []client.TestFailure{
			{Name: evil, Message: evil, File: evil, Line: 3, Command: evil, FirstBuild: evil, Runs: 3, Base: &client.TestResult{Ref: evil},
				Excerpt: []client.SourceLine{{Number: 3, Text: evil}}},
			{Name: "``"}, {Name: "`"}, {Name: evil}, {Name: ""},
		}}},
		"command": {ID: "api#7", Status: "FAILED", Jobs: []client.Job{
			{Name: evil, Status: "FAILED", Reason: "command_failed", Exit: 1, Command: evil, Phases: []client.Phase{{Name: evil, Status: "FAILED"}}},
			{Name: evil, Status: "FAILED", Reason: evil, Message: evil},
		}},
		"fault": {ID: "api#7", Status: "FAULT", Message: evil, Reason: evil},
	}
	for name, b := range builds {
		text := packetOf(b, true)
		prose := outside(t, text)
		for _, bad := range []string{"@", "evil", "<", "![", "#1 ", "-->", "\x1b", "\u202e"} {
			if strings.Contains(prose, bad) {
				t.Errorf("%s: %q stands outside of code:\n%s", name, bad, prose)
			}
		}
		if strings.ContainsAny(text, "\x1b\u202e") {
			t.Errorf("%s: what does not print was kept", name)
		}
	}
}

func TestAPacketIsBounded(t *testing.T) {
	huge := strings.Repeat("é", 1<<20)
	b := &client.Build{ID: "api#7", Status: "FAILED", Message: huge, Tests: &client.BuildTests{Total: 5000, Failed: 5000}}
	for range 500 {
		b.Tests.Failures = append(b.Tests.Failures, client.TestFailure{Name: huge, Message: strings.Repeat("x\n", 1<<16), File: huge, Command: huge,
			Excerpt: []client.SourceLine{{Number: 1, Text: huge}}})
	}
	if text := packetOf(b, true); len(text) > 30_000 || !strings.Contains(text, "and 4987 more") {
		t.Errorf("%d bytes", len(text))
	}
	b.Tests = nil
	for range 500 {
		b.Jobs = append(b.Jobs, client.Job{Name: huge, Status: "FAILED", Reason: "command_failed", Command: huge})
	}
	if text := packetOf(b, true); len(text) > 30_000 || !strings.Contains(text, "497 more jobs that failed") {
		t.Errorf("%d bytes", len(text))
	}
}

func TestAPacketSaysWhatFailedAndHowToRunIt(t *testing.T) {
	b := &client.Build{ID: "api#7", Status: "FAILED", Commit: "0123456789abcdef", Seconds: 41, Tests: &client.BuildTests{Total: 812, Failed: 1, Failures: []client.TestFailure{{
		Name: "TestParse", Message: "got 3, the password", File: "parse_test.go", Line: 31, Runs: 4, New: true, Command: "go test -run '^TestParse$' ./parse",
		Base: &client.TestResult{Ref: "refs/heads/main", Status: "SUCCEEDED"}, Excerpt: []client.SourceLine{{Number: 31, Text: "\tif got != 4 {"}},
	}}}}
	const want = "**`runner/api` failed** · [api#7](https://ci.example.com/projects/api/builds/7) · `0123456789` in 41 s\n" +
		"\n1 of 812 tests failed.\n" +
		"\n**`TestParse`** at `parse_test.go:31`, new in this build; it passes on `main`\n" +
		"\n```text\ngot 3, the password\n```\n" +
		"\n```text\n> 31 | \tif got != 4 {\n```\n" +
		"\n```sh\ngo test -run '^TestParse$' ./parse\n```\n" +
		"\nAgain: `runner retry --failed api#7`\n"
	if got := packetOf(b, true); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := packetOf(b, false); strings.Contains(got, "password") || !strings.Contains(got, "TestParse") {
		t.Errorf("of a build with secrets:\n%s", got)
	}
}
