package parse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/runner-ci/runner/tests"
)

// endless repeats a text until size bytes have been read.
type endless struct {
	text string
	left int
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && e.left > 0 {
		m := copy(p[n:min(len(p), n+e.left)], e.text[e.at:])
		n, e.left, e.at = n+m, e.left-m, (e.at+m)%len(e.text)
	}
	return n, nil
}

func collect(format string, r io.Reader) (*tests.Part, error) {
	p := tests.NewPart(tests.Run{}, "hostile")
	return p, Parse(format, "hostile", r, Sink{Case: p.Case, File: p.File})
}

func TestHostileFiles(t *testing.T) {
	const size = 1 << 20
	for _, c := range []struct {
		what, format, head, repeat string
		want                       string // in the error, "" for none
	}{
		{"elements without end", JUnit, "", "<testsuite>", "nested more than"},
		{"a tag without end", JUnit, "<testsuite name='", strings.Repeat("a", 99), "cut off"},
		{"attributes without end", JUnit, "<testsuite", " a='b'", "cut off"},
		{"a comment without end", JUnit, "<testsuite><!--", "-", "cut off"},
		{"text without end", JUnit, "<testsuite><testcase name='a'><failure>", "text &amp; ", "cut off"},
		{"a doctype without end", JUnit, "<!DOCTYPE a [", "<!ENTITY a 'b'>", "cut off"},
		{"failures without end", JUnit, "<testsuite><testcase name='a'>", "<failure message='m'>text</failure>", "cut off"},
		{"tries without end", JUnit, "<testsuite><testcase name='a'>", "<flakyFailure message='m'/>", "cut off"},
		{"params without end", TestNG, "<testng-results><class name='c'><test-method name='a' status='PASS'>", "<value>v</value>", "cut off"},
		{"lists without end", Cucumber, "[", "[", "expected"},
		{"a value that nests", Cucumber, `[{"x":`, "[", "nested more than"},
		{"elements in a feature", Cucumber, `[{"elements":[`, `{"name":"a","steps":[{"result":{"status":"passed"}}]},`, "cut off"},
		{"one long line", GoTest, `{"Action":"output","Output":"`, "a", ""},
		{"output without end", GoTest, "{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"T\"}\n", "{\"Action\":\"output\",\"Package\":\"p\",\"Test\":\"T\",\"Output\":\"text\\n\"}\n", "cut off"},
		{"output past every bound", GoTest, "{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"T\"}\n", "{\"Action\":\"output\",\"Package\":\"p\",\"Output\":\"text\\n\"}\n", "cut off"},
		{"subtests without end", TAP, "ok 1\n", strings.Repeat(" ", 99), "no plan"},
		{"notes without end", TAP, "not ok 1\n", "# note\n", "no plan"},
		{"YAML without end", TAP, "not ok 1\n  ---\n", "  a: b\n", "no plan"},
		{"blocks that span", GoCover, "mode: set\n", "f:1.1,1000000.1 1 1\n", "span more than"},
		{"lines far away", LCOV, "SF:a\n", "DA:99999999999999999999,1\n", "cut off"},
		{"branches without end", LCOV, "SF:a\n", "BRDA:1,1,1,1\n", "cut off"},
	} {
		t.Run(c.what, func(t *testing.T) {
			p, err := collect(c.format, io.MultiReader(strings.NewReader(c.head), &endless{text: c.repeat, left: size}))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
			for _, found := range p.Cases {
				if len(found.Details) > tests.MaxDetails+100 || len(found.Output) > tests.MaxDetails+100 || len(found.Tries) > tests.MaxTries {
					t.Errorf("a case keeps %d bytes of details, %d of output, %d tries", len(found.Details), len(found.Output), len(found.Tries))
				}
			}
		})
	}
}

func TestTestsThatNeverEnd(t *testing.T) {
	var b strings.Builder
	for i := range maxGoRunning + 1 {
		fmt.Fprintf(&b, "{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"T%d\"}\n", i)
	}
	_, err := collect(GoTest, strings.NewReader(b.String()))
	if err == nil || !strings.Contains(err.Error(), "not ended") {
		t.Errorf("got %v, want that too many tests have not ended", err)
	}
}

func TestTooLongATag(t *testing.T) {
	_, err := collect(JUnit, io.MultiReader(strings.NewReader("<testsuite name='"), &endless{text: "aaaaaaaa", left: MaxTag + 1<<20}))
	if err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("got %v, want that the tag is too long", err)
	}
}

// Entities are never expanded, and nothing outside the file is read.
func TestEntitiesAreText(t *testing.T) {
	bomb := `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>
<testsuite name="s"><testcase name="t"><failure>&b;&f;&#0;&lt;</failure></testcase></testsuite>`
	p, err := collect(JUnit, strings.NewReader(bomb))
	if err != nil || len(p.Cases) != 1 {
		t.Fatalf("%d cases, %v", len(p.Cases), err)
	}
	if got, want := p.Cases[0].Details, "&b;&f;\uFFFD<"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Every beginning of every fixture gives what it has, and no more than an error.
func TestCutFiles(t *testing.T) {
	for _, name := range fixtures(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		format := strings.Split(name, "/")[1]
		whole, _ := collect(format, bytes.NewReader(text))
		before := 0
		for end := 0; end <= len(text); end += 1 + len(text)/41 {
			p, _ := collect(format, bytes.NewReader(text[:end]))
			if len(p.Cases) < before && format != GoTest && format != TAP {
				t.Errorf("%s: %d bytes have %d cases, fewer have %d", name, end, len(p.Cases), before)
			}
			before = len(p.Cases)
		}
		if before > len(whole.Cases)+1 {
			t.Errorf("%s: cut off it has %d cases, whole %d", name, before, len(whole.Cases))
		}
	}
}

func TestErrorsSayWhat(t *testing.T) {
	_, err := collect("nosuch", strings.NewReader("x"))
	if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "JUNITXML") {
		t.Errorf("an unknown format: %v", err)
	}
	_, err = collect("", strings.NewReader("hello"))
	if !errors.Is(err, ErrFormat) {
		t.Errorf("an unknown file: %v", err)
	}
	_, err = collect("JunitXml", strings.NewReader("<testsuite></testcase>"))
	var told *Error
	if !errors.As(err, &told) || told.Format != JUnit || !strings.Contains(err.Error(), "found </testcase>, expected </testsuite>") {
		t.Errorf("a wrong end: %v", err)
	}
	enough := errors.New("enough")
	err = Parse("", "x", strings.NewReader("<testsuite><testcase name='a'/></testsuite>"), Sink{Case: func(*tests.Case) error { return enough }})
	if err != enough {
		t.Errorf("the sink's error: %v", err)
	}
	_, err = collect(SimpleCov, strings.NewReader(`{"result":{"line":98.7}}`))
	if err == nil || !strings.Contains(err.Error(), ".resultset.json") {
		t.Errorf("a last_run: %v", err)
	}
}

// FuzzParse holds every parser to its promises: no panic, valid text, bounded fields.
func FuzzParse(f *testing.F) {
	formats := Formats()
	for _, name := range fixtures(f) {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for i, format := range formats {
			if format == strings.Split(name, "/")[1] {
				f.Add(i, text)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which int, text []byte) {
		p, err := collect(formats[uint(which)%uint(len(formats))], bytes.NewReader(text))
		if err != nil && !utf8.ValidString(err.Error()) {
			t.Errorf("the error is no text: %q", err)
		}
		for _, c := range p.Cases {
			for _, s := range []string{c.ID, c.Suite, c.Class, c.Name, c.File, c.Message, c.Details, c.Output} {
				if !utf8.ValidString(s) || len(s) > tests.MaxDetails+100 {
					t.Errorf("%q is %d bytes long or no text", tests.Cut(s, 80), len(s))
				}
			}
			if c.Status == "" || c.Duration < 0 || c.Line < 0 {
				t.Errorf("status %q, duration %v, line %d", c.Status, c.Duration, c.Line)
			}
		}
		for path, f := range p.Files {
			if lines, branches := f.LineTotals(), f.BranchTotals(); !utf8.ValidString(path) || lines.Covered > lines.Total || branches.Covered > branches.Total {
				t.Errorf("%q: %+v %+v", path, lines, branches)
			}
		}
	})
}
