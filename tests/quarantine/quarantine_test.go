package quarantine

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

const good = `# why
- test: api/store_test.go::store::TestOpen
  owner: '@ann'
  until: 2026-12-31
  reason: waits for the new driver # soon
# of the file
- {test: tests/test_calc.py, owner: bob, until: "2026-12-01"}
- test: 'web/**/*.spec.ts'
  owner: web team
  until: 2026-11-30
`

func TestParse(t *testing.T) {
	list, err := Parse(File, []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	want := List{
		{"api/store_test.go::store::TestOpen", "@ann", "2026-12-31", "waits for the new driver", 2},
		{"tests/test_calc.py", "bob", "2026-12-01", "", 7},
		{"web/**/*.spec.ts", "web team", "2026-11-30", "", 8},
	}
	if fmt.Sprint(list) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", list, want)
	}
	for _, empty := range []string{"", "\n", "# nothing yet\n", "[]", "---\n"} {
		if list, err := Parse(File, []byte(empty)); err != nil || len(list) != 0 {
			t.Errorf("%q is %v, %v; want no entry and no error", empty, list, err)
		}
	}
}

func TestWhatIsWrong(t *testing.T) {
	entry := func(test, until string) string { return "- test: " + test + "\n  owner: ann\n  until: " + until + "\n" }
	for _, tt := range []struct{ text, want string }{
		{"test: a\nowner: b\nuntil: 2026-12-31\n", "1:"},
		{"- a\n", ":1:3: this is no entry"},
		{"- {}\n", ": the entry is empty"},
		{"- test: a\n  until: 2026-12-31\n", ":1:3: the entry has no owner; add it"},
		{"- owner: a\n  until: 2026-12-31\n", ":1:3: the entry has no test"},
		{"- test: a\n  owner: a\n", ":1:3: the entry has no until"},
		{entry("a", "soon"), `:3:10: "soon" is no date; write the last day as YYYY-MM-DD`},
		{entry("a", "2026-02-30"), `:3:10: "2026-02-30" is no date`},
		{entry("a", "20261231"), `:3:10: "20261231" is no date`},
		{entry("a", "2026-12-31") + "  ticket: 4\n", `:4:3: unknown key "ticket"; the keys are`},
		{entry("a", "2026-12-31") + entry("./a", "2026-12-30"), `:4:9: "./a" stands here twice, first in line 1`},
		{entry("'**'", "2026-12-31"), `:1:9: "**" names every test`},
		{entry("''", "2026-12-31"), `:1:3: test is empty`},
		{entry("[a]", "2026-12-31"), `:1:9: test is no text`},
		{entry("\"a\\nb\"", "2026-12-31"), `:1:9: test holds a line end`},
		{entry(strings.Repeat("a", 2000), "2026-12-31"), `:1:9: test has 2000 bytes`},
		{"- test: a\n  test: b\n", "1:"},
		{"- test: [\n", "this is not YAML"},
		{"---\n- test: a\n---\n- test: b\n", ": a second YAML document"},
		{strings.Repeat("[", 200), ":1:1: the YAML is nested too deeply"},
		{strings.Repeat("# a\n", 20_000), "the file has 80000 bytes"},
		{"\xff", "not UTF-8"},
		{manyEntries(MaxEntries + 1), "there are 501 entries"},
	} {
		list, err := Parse(File, []byte(tt.text))
		var e *Error
		if !errors.As(err, &e) || list != nil || !strings.HasPrefix(err.Error(), File) || !strings.Contains(err.Error(), tt.want) || e.Hint == "" {
			t.Errorf("%.60q: %v, want %q", tt.text, err, tt.want)
		}
	}
	_, err := Parse(File, []byte(entry("a", "soon")))
	if want := "   3 |   until: soon\n     |          ^"; !strings.HasSuffix(err.Error(), want) {
		t.Errorf("the excerpt of %v is not\n%s", err, want)
	}
}

func manyEntries(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "- {test: a%d, owner: ann, until: 2026-12-31}\n", i)
	}
	return b.String()
}

func TestTheLastDayIsIncluded(t *testing.T) {
	at := func(text string) time.Time {
		now, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
	e := Entry{Until: "2026-12-31"}
	for when, want := range map[string]State{
		"2026-12-31T00:00:00Z": InForce, "2026-12-31T23:59:59Z": InForce, "2027-01-01T00:00:00Z": Expired,
		"2027-01-01T01:00:00+02:00": InForce, "2026-12-31T23:00:00-02:00": Expired,
		"2026-10-02T00:00:00Z": InForce, "2026-10-01T23:59:59Z": TooLong,
	} {
		if got := e.State(at(when)); got != want {
			t.Errorf("at %s it is %s, want %s", when, got, want)
		}
	}
	list, _ := Parse(File, []byte(good))
	if in := list.At(at("2026-12-01T12:00:00Z")); len(in) != 2 || in[1].Owner != "bob" {
		t.Errorf("on the first of December %v are in force", in)
	}
}

func TestMatch(t *testing.T) {
	entry := func(test string) *Matcher { return List{{Test: test, Owner: "ann"}}.Matcher() }
	for _, tt := range []struct {
		test, id string
		want     bool
	}{
		{"m/store::TestOpen", "m/store::TestOpen", true},
		{"m/store::TestOpen", "m/store::TestOpenAll", false},
		{"m/store::TestOpen", "m/store::TestOpen/a/b", true},
		{"m/store::TestOpen/a", "m/store::TestOpen", false},
		{"m/store", "m/store::TestOpen", true},
		{"m/store", "m/store/sub::TestOpen", false},
		{"m/**", "m/store/sub::TestOpen", true},
		{"m/store::*", "m/store::TestOpen/sub", true},
		{"./tests/test_a.py", "tests/test_a.py::test_a::test_x", true},
		{"tests/test_*.py", "tests/test_a.py::test_a::test_x", true},
		{"tests/test_*.py", "tests/sub/test_a.py::test_a::test_x", false},
		{"com.x.FooTest", "src/FooTest.java::com.x.FooTest::adds", true},
		{"src/FooTest.java::com.x.FooTest", "src/FooTest.java::com.x.FooTest::adds", true},
		{"adds", "src/FooTest.java::com.x.FooTest::adds", false},
		{"a.py::test_x[1-2]", "a.py::test_x[1-2]", true},
		{"a.py::test_x[1-2]", "a.py::test_x1", false},
		{"a.py::test_x[", "a.py::test_x[", true},
		{"**/*::TestFlaky*", "m/store::TestFlakyOne", true},
		{"alone", "alone", true},
		{"tests/test_a.py", "tests.test_a::test_x", true},
		{"tests/test_*.py", "tests.test_a.TestC::test_x[1.5]", true},
		{"tests/test_a.py::TestC::test_x", "tests.test_a.TestC::test_x", true},
		{"tests/test_a.py::TestC", "tests.test_a.TestC::test_x", true},
		{"tests/test_a.py::TestC::test_x", "tests/test_a.py::tests.test_a.TestC::test_x", true},
		{"tests/test_a.py::test_x", "tests.test_a.TestC::test_x", false},
		{"tests/test_a.py::test_x", "tests.test_a::test_xy", false},
		{"tests/test_a.py", "tests.test_ab::test_x", false},
		{"tests/**", "tests.test_a::test_x", false},
		{"com/**", "com.x.FooTest::adds", false},
	} {
		if got := entry(tt.test).Test(tt.id) != nil; got != tt.want {
			t.Errorf("%q quarantines %q: %t, want %t", tt.test, tt.id, got, tt.want)
		}
	}
	m := List{{Test: "tests/**", Owner: "all"}, {Test: "tests/a.py", Owner: "one"}, {Test: "b.py::test"}}.Matcher()
	if got := m.Test("tests/a.py::a::x"); got == nil || got.Owner != "one" {
		t.Errorf("an entry that names the file yields to a pattern: %v", got)
	}
	if m.Whole("./tests/a.py").Owner != "one" || m.Whole("tests/b.py").Owner != "all" || m.Whole("b.py") != nil {
		t.Error("whole files are not told from tests of them")
	}
	for _, tt := range []struct {
		test, file, name string
		want             bool
	}{
		{"tests.test_a.TestC::test_x[a::b]", "./tests/test_a.py", "TestC::test_x[a::b]", true},
		{"tests/test_a.py::TestC::test_x", "tests/test_a.py", "TestC::test_x", true},
		{"tests/test_a.py", "tests/test_a.py", "test_x", true},
		{"test_a::test_y", "test_a.py", "test_x", false},
		{"div divides::div divides", "calc.test.js", "div divides", true},
		{"calc.test.js::div divides::div divides", "calc.test.js", "div divides", true},
		{"calc.test.js", "calc.test.js", "div divides", true},
		{"other.test.js", "calc.test.js", "div divides", false},
	} {
		if got := entry(tt.test).Named(tt.file, tt.name) != nil; got != tt.want {
			t.Errorf("%q quarantines %q of %s: %t, want %t", tt.test, tt.name, tt.file, got, tt.want)
		}
	}
	if m := entry("src/a.test.js"); m.Case("div::div", "src/a.test.js") == nil || m.Case("div::div", "b.test.js") != nil || m.Case("div::div", "") != nil || entry("a_test.go").Case("m/a::TestA", "a_test.go") != nil {
		t.Error("the file that a report names is not what counts")
	}
	if !In("tests.test_a.TestC::test_x", "./tests/test_a.py") || In("tests.test_a::test_x", "tests/test_b.py") {
		t.Error("tests of a Python file are not told from others")
	}
	var none *Matcher
	if none.Test("a") != nil || none.Whole("a") != nil || (&Matcher{}).Test("a") != nil {
		t.Error("no list quarantines something")
	}
}

func TestEdit(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	e := Entry{Test: "it's [a] test::x", Owner: "@ann", Until: "2026-12-01", Reason: "see #4: slow"}
	text, err := Add(File, []byte(good), e, now)
	if err != nil || !strings.HasPrefix(string(text), good) {
		t.Fatalf("adding gave %v:\n%s", err, text)
	}
	text, err = Remove(File, text, "./tests/test_calc.py")
	if err != nil || strings.Contains(string(text), "# of the file") || !strings.Contains(string(text), "# soon") || !strings.Contains(string(text), "# why") {
		t.Fatalf("removing gave %v:\n%s", err, text)
	}
	list, err := Parse(File, text)
	if err != nil || len(list) != 3 || list[2].Test != e.Test || list[2].Reason != e.Reason {
		t.Fatalf("after both there are %v, %v", list, err)
	}
	for _, old := range list {
		if text, err = Remove(File, text, old.Test); err != nil {
			t.Fatal(err)
		}
	}
	if text, err = Add(File, text, e, now); err != nil || !strings.HasPrefix(string(text), "# why\n") {
		t.Errorf("adding to a file without entries gave %v:\n%s", err, text)
	}
	fresh, err := Add(File, nil, e, now)
	if err != nil || !strings.HasPrefix(string(fresh), "# Tests whose failures") {
		t.Errorf("a new file is %v:\n%s", err, fresh)
	}
	in, err := Add(File, []byte("  - test: a\n    owner: b\n    until: 2026-12-01"), e, now)
	if err != nil || !strings.Contains(string(in), "\n  - test: 'it''s") {
		t.Errorf("adding to a list that is indented gave %v:\n%s", err, in)
	}
	for _, tt := range []struct {
		text, test, until, want string
	}{
		{good, "x", "2026-11-24", "2026-11-24 is over"},
		{good, "x", "2027-11-24", "more than 90 days ahead"},
		{good, "x", "soon", "is no date"},
		{good, "tests/test_calc.py", "2026-12-01", "in quarantine already, by line 7"},
		{"[{test: a, owner: b, until: 2026-12-01}]", "x", "2026-12-01", "edit it by hand"},
		{"- a", "x", "2026-12-01", "this is no entry"},
	} {
		if _, err := Add(File, []byte(tt.text), Entry{Test: tt.test, Owner: "ann", Until: tt.until}, now); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("adding %s until %s: %v, want %q", tt.test, tt.until, err, tt.want)
		}
	}
	if _, err := Remove(File, []byte(good), "nothing"); err == nil || !strings.Contains(err.Error(), "has no entry for nothing") {
		t.Errorf("removing what is not there: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{good, "- test: &a b\n  owner: *a\n", "- ? test\n  : b\n", "- test: |\n    a\n", "- !!str a", "{", "- test: 1\n  owner: true\n  until: 2026-01-01"} {
		f.Add(seed)
	}
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := Parse(File, []byte(text))
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Message == "" || e.Hint == "" || list != nil {
				t.Fatalf("%#v is no answer", err)
			}
			return
		}
		m := list.Matcher()
		for _, e := range list {
			if e.Owner == "" || e.Line < 1 || m.Test(e.Test) == nil || m.Whole(e.Test) == nil {
				t.Fatalf("entry %+v of %v", e, list)
			}
			if made, err := Remove(File, []byte(text), e.Test); err == nil {
				if left, err := Parse(File, made); err != nil || len(left) != len(list)-1 {
					t.Fatalf("without %q %v (%v) are left", e.Test, left, err)
				}
			}
		}
		if made, err := Add(File, []byte(text), Entry{Test: "new::test", Owner: "ann", Until: "2026-12-01"}, now); err == nil {
			if more, err := Parse(File, made); err != nil || len(more) != len(list)+1 {
				t.Fatalf("with one more there are %v (%v)", more, err)
			}
		}
	})
}
