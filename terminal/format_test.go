package terminal

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

func TestDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0.0 s", 0: "0.0 s", 340 * time.Millisecond: "0.3 s", 12340 * time.Millisecond: "12.3 s",
		59940 * time.Millisecond: "59.9 s", 59960 * time.Millisecond: "1m 00s", 127 * time.Second: "2m 07s",
		3599600 * time.Millisecond: "1h 00m", 62 * time.Minute: "1h 02m", 24 * time.Hour: "1d 0h", 76 * time.Hour: "3d 4h",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[int64]string{
		-1: "0 B", 0: "0 B", 999: "999 B", 1000: "1.0 KB", 12_345: "12 KB", 999_499: "999 KB", 999_500: "1.0 MB",
		1_500_000: "1.5 MB", 2 << 30: "2.1 GB", 1 << 62: "4.6 EB",
	} {
		if got := Size(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}

func TestCountsAndAges(t *testing.T) {
	for n, want := range map[int]string{0: "0 files", 1: "1 file", 4812: "4,812 files", 1234567: "1,234,567 files"} {
		if got := Count(n, "file", "files"); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{0: "just now", 5 * time.Minute: "5 min ago", 3 * time.Hour: "3 h ago", 72 * time.Hour: "3 d ago"} {
		if got := Ago(now.Add(-d), now); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
	if got := Ago(time.Time{}, now); got != "-" {
		t.Errorf("no time: %q", got)
	}
}

func TestFilterLetsOnlyColoursThrough(t *testing.T) {
	for name, c := range map[string][2]string{
		"text":              {"héllo\tworld\n", "héllo\tworld\n"},
		"colour":            {"\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"},
		"title":             {"a\x1b]0;pwned\x07b", "ab"},
		"clipboard":         {"a\x1b]52;c;cm0gLXJm\x1b\\b", "ab"},
		"clear":             {"a\x1b[2J\x1b[Hb", "ab"},
		"private":           {"a\x1b[?1049hb\x1b[>0mc", "abc"},
		"charset":           {"a\x1b(0b", "ab"},
		"C1 in UTF-8":       {"a\u009b31mb", "a31mb"},
		"bell":              {"a\a\bb\x7f", "ab"},
		"endless":           {"a\x1b[" + strings.Repeat("1;", 500) + "mb", "ab"},
		"broken off":        {"a\x1b[31\nb", "a\nb"},
		"esc in string":     {"a\x1b]x\x1by\x07b", "ab"},
		"esc in a sequence": {"a\x1b[3\x1b[31mb", "a\x1b[31mb"},
		"accented":          {"Â© ÀÿÂ", "Â© ÀÿÂ"},
	} {
		for _, size := range []int{1, 3, 1 << 20} {
			var out bytes.Buffer
			f := NewFilter(&out)
			for in := []byte(c[0]); len(in) > 0; in = in[min(size, len(in)):] {
				if n, err := f.Write(in[:min(size, len(in))]); err != nil || n != min(size, len(in)) {
					t.Fatalf("%s: %d, %v", name, n, err)
				}
			}
			if out.String() != c[1] {
				t.Errorf("%s in pieces of %d: got %q, want %q", name, size, out.String(), c[1])
			}
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{"", "\x1b[31m", "\x1b]0;x\x07", "\xc2\x9b", "\x1b\x1b[", "a\r\nb"} {
		f.Add([]byte(seed), 1)
	}
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		var whole, pieces bytes.Buffer
		_, _ = NewFilter(&whole).Write(text)
		cut = min(max(cut, 0), len(text))
		p := NewFilter(&pieces)
		_, _ = p.Write(text[:cut])
		_, _ = p.Write(text[cut:])
		if whole.String() != pieces.String() {
			t.Fatalf("cut at %d: %q, whole %q", cut, pieces.String(), whole.String())
		}
		for i, r := range whole.Bytes() {
			if r == 0x1b && whole.Bytes()[i+1] != '[' {
				t.Fatalf("an escape that is no colour in %q", whole.String())
			}
		}
	})
}

func TestLinesAreNeverLost(t *testing.T) {
	long := strings.Repeat("x", 3*maxLine+5)
	text := "one\ntwo\n\n" + long + "\nlast"
	for _, size := range []int{1, 7, 40000, len(text)} {
		var b lineBuffer
		var got []string
		keep := func(line []byte) { got = append(got, string(line)) }
		for in := []byte(text); len(in) > 0; in = in[min(size, len(in)):] {
			b.add(in[:min(size, len(in))], keep)
		}
		b.flush(keep)
		if joined := strings.Join(got, ""); joined != strings.ReplaceAll(text, "\n", "") {
			t.Fatalf("pieces of %d: %d bytes, want %d", size, len(joined), len(text))
		}
		if got[0] != "one" || got[2] != "" || got[len(got)-1] != "last" {
			t.Errorf("pieces of %d: lines %q … %q", size, got[:3], got[len(got)-1])
		}
	}
}

func TestTableAlignsWhatIsSeen(t *testing.T) {
	var out bytes.Buffer
	o := New(&out)
	o.color = true
	table := Table{Head: []string{"a", "n"}, Right: map[int]bool{1: true}}
	table.Row(o.paint(red, "x"), "1")
	table.Row("größer", "1,000")
	table.Print(o)
	want := "\x1b[2ma\x1b[0m            \x1b[2mn\x1b[0m\n\x1b[31mx\x1b[0m            1\ngrößer   1,000\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestScreenRedrawsItsBlock(t *testing.T) {
	var out bytes.Buffer
	s := screen{o: &Output{w: &out, live: true, width: 10}}
	s.draw([]string{"one", "a line too long"})
	s.print("log\n")
	s.clear()
	want := "\r\x1b[Jone\na line t…\n" + "\x1b[2A\r\x1b[Jlog\none\na line t…\n" + "\x1b[2A\r\x1b[J"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestListsOfUntrustedTextStayLines(t *testing.T) {
	var out bytes.Buffer
	o := New(&out)
	Builds(o, []client.Build{{ID: "api#1", Status: succeeded, Title: "a\nb\x1b]0;x\x07\x1b[31mc"}}, time.Now())
	Triggers(o, []client.Trigger{{ID: "t", Outcome: "skipped", Reason: "no\nway"}}, time.Now())
	Files(o, []client.ArtifactSet{{Job: "build", Files: []client.ArtifactFile{{Path: "a\nb", Size: 3}}}})
	text := out.String()
	if strings.Count(text, "\n") != 6 || strings.Contains(text, "\x1b") {
		t.Errorf("got %q", text)
	}
	for _, want := range []string{"a bc", "no way", `a\nb`} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

// TestATriggerOfNoNamedRefIsOfTheDefaultBranch: of a schedule or of runner start, while a commit alone says what it is.
func TestATriggerOfNoNamedRefIsOfTheDefaultBranch(t *testing.T) {
	for _, c := range []struct {
		trigger client.Trigger
		want    bool
	}{
		{client.Trigger{Kind: "schedule"}, true},
		{client.Trigger{Kind: "manual", Commit: "0123456789abcdef0123456789abcdef01234567"}, false},
		{client.Trigger{Kind: "push", Ref: "refs/heads/main"}, false},
	} {
		var out bytes.Buffer
		Triggers(New(&out), []client.Trigger{c.trigger}, time.Now())
		if got := strings.Contains(out.String(), "default branch"); got != c.want {
			t.Errorf("%+v says default branch: %v\n%s", c.trigger, got, out.String())
		}
	}
}
