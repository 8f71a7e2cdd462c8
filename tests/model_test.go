package tests

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestIdentify(t *testing.T) {
	for _, c := range []struct {
		what string
		c    Case
		want string
	}{
		{"class and name", Case{Suite: "s", Class: "c", Name: "n"}, "c::n"},
		{"a suite where there is no class", Case{Suite: "s", Name: "n"}, "s::n"},
		{"the file where it is known", Case{File: "a/b.js", Class: "c", Name: "n"}, "a/b.js::c::n"},
		{"not a file of this machine only", Case{File: "/tmp/x/b.js", Class: "c", Name: "n"}, "c::n"},
		{"nor of Windows", Case{File: "C:/x/b.js", Class: "c", Name: "n"}, "c::n"},
		{"the file as the class", Case{File: "b.js", Class: "b.js", Name: "n"}, "b.js::n"},
		{"white space", Case{Name: " a\n\t b "}, "a b"},
		{"colours", Case{Name: "\x1b[31mred\x1b[0m"}, "red"},
		{"an object's address", Case{Name: "t[<T object at 0x7f3a12bc4d50>]"}, "t[<T object at 0x…>]"},
		{"a number that is no address", Case{Name: "t[0x1f]"}, "t[0x1f]"},
		{"other letters", Case{Name: "größer 😀"}, "größer 😀"},
		{"no letters", Case{Name: "a\xff"}, "a\uFFFD"},
	} {
		if got := Identify(&c.c); got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, got, c.want)
		}
	}
}

func TestLongIDsDiffer(t *testing.T) {
	long := strings.Repeat("ä", 1000)
	a, b := Identify(&Case{Name: long + "a"}), Identify(&Case{Name: long + "b"})
	if a == b || len(a) > maxID || !utf8.ValidString(a) {
		t.Errorf("got %d bytes %q and %q", len(a), a, b)
	}
}

func TestSummary(t *testing.T) {
	for _, c := range []struct {
		r    Report
		want string
	}{
		{Report{Totals: Totals{Succeeded: 1204, Failed: 1, Error: 1, Flaky: 1}, Shards: 6, Duration: 131 * time.Second, Serial: 498 * time.Second},
			"1,204 passed, 2 failed, 1 flaky, 6 shards, 2m11s (3.8× faster than one)"},
		{Report{Totals: Totals{Succeeded: 3}, Shards: 1, Duration: 1234 * time.Millisecond, Serial: 1234 * time.Millisecond}, "3 passed, 1.2s"},
		{Report{Totals: Totals{Skipped: 1000000, Unknown: 2}, Shards: 2}, "0 passed, 1,000,000 skipped, 2 unknown, 2 shards, 0s"},
		{Report{Duration: 2 * time.Minute}, "0 passed, 2m"},
	} {
		if got := c.r.Summary(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestTimes(t *testing.T) {
	a := told(Run{Shard: 0}, "a", "x", "SUCCEEDED", "y", "SUCCEEDED")
	b := told(Run{Shard: 1}, "a", "z", "SUCCEEDED")
	c := told(Run{Shard: 1, Attempt: 1}, "a", "z", "SUCCEEDED")
	c.Took = 7 * time.Second
	r := merged(a, b, c)
	if r.Shards != 2 || r.Duration != 8*time.Second || r.Serial != 10*time.Second {
		t.Errorf("%d shards, longest %v, sum %v; want 2, 8s, 10s", r.Shards, r.Duration, r.Serial)
	}
}

func TestCoverageAsJSON(t *testing.T) {
	f := FileCoverage{Path: "a.go"}
	for _, line := range []int{1, 2, 3, 63, 64, 65, 200, -1, 0, MaxLine + 1} {
		f.Line(line, line%2 == 0)
	}
	f.Branch(3, "0,1:x", true)
	f.Counted(9, Count{1, 2})
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"known":"1-3,63-65,200"`; !strings.Contains(string(text), want) {
		t.Errorf("got %s, want %s in it", text, want)
	}
	var back FileCoverage
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back.Arms, f.Arms) || !reflect.DeepEqual(back.Counts, f.Counts) || back.LineTotals() != f.LineTotals() || !reflect.DeepEqual(back.Hit, f.Hit) {
		t.Errorf("%+v came back as %+v", f, back)
	}
	for _, bad := range []string{"x", "3-", "0", "1-99999999999"} {
		if err := new(Lines).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q was read as lines", bad)
		}
	}
}

func TestTriesAreBounded(t *testing.T) {
	p := NewPart(Run{}, "a")
	for range 3 * MaxTries {
		p.Case(&Case{Name: "x", Status: Failed, Unique: true})
	}
	if len(p.Cases) != 1 || len(p.Cases[0].Tries) != MaxTries {
		t.Errorf("%d cases, %d tries", len(p.Cases), len(p.Cases[0].Tries))
	}
}
