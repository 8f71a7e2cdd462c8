package terminal

import (
	"bytes"
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/compare"
)

// differing is a report with something of everything, and hostile text wherever a build may have written it.
func differing() *compare.Report {
	return &compare.Report{
		Green:  client.Build{ID: "api#1", Status: succeeded, Ref: "refs/heads/main", Commit: "81f97d7aaaa", Seconds: 123, Title: "Speed up"},
		Red:    client.Build{ID: "api#2", Status: failed, Reason: "command_failed", Message: "go test\nexit status 1", Ref: "refs/heads/main", Commit: "74a5837bbbb", Seconds: 118, Title: "Share \x1b]0;pwned\x07it"},
		Chosen: "the last green build of main before",
		Logs: []compare.Divergence{
			{Job: "linux", GreenLines: 40, RedLines: 1844, Places: 2, Moved: 14, Phase: "BUILD", Command: "go test", RedMore: 3, First: []compare.Row{
				{Kind: compare.Same, Number: 25, Text: "=== RUN\tTestOne"}, {Kind: compare.Green, Number: 26, Text: "--- PASS"},
				{Kind: compare.Red, Number: 26, Text: "--- FAIL\x1b[2J"}, {Kind: compare.Red, Number: 27, Text: "    want 3"},
			}},
			{Job: "arm", RedLines: 7}, {Job: "old", Missing: "the log of this attempt is no longer kept"},
		},
		MoreJobs: []string{"a", "b"},
		Environment: []compare.Fact{
			{What: "commit", Green: "81f97d7aaaa", Red: "74a5837bbbb"},
			{What: "variable", Name: "GOFLAGS", Red: "-race", Absent: "green", Note: "from project"},
			{What: "variable", Name: "TOKEN", Hidden: true, Note: "from trigger"},
			{What: "variable", Name: "S", Green: "secret one", Red: "secret two", Hidden: true},
			{Job: "linux", What: "plan", Red: "BUILD: go vet\nnow", Absent: "green"},
		},
		Tests: &compare.Tests{
			Failing: compare.TestChanges{Count: 12, First: []compare.TestChange{{ID: "p::TestOne", Name: "TestOne", Green: succeeded, Red: failed, File: "one_test.go", Line: 8, Message: "want 3\ngot 4"}, {ID: "TestTwo", Red: failed, Flaky: true}}},
			Slower:  compare.TestChanges{Count: 1, First: []compare.TestChange{{Name: "TestSlow", GreenSeconds: 1, RedSeconds: 75}}},
			Still:   1, Same: 300,
		},
		Notes: []string{"something could not be told"},
	}
}

func TestDifference(t *testing.T) {
	var out bytes.Buffer
	Difference(New(&out), differing())
	want := strings.TrimPrefix(`
green   ✓ api#1   SUCCEEDED                 main   81f97d7   2m 03s   Speed up
red     ✗ api#2   FAILED (command failed)   main   74a5837   1m 58s   Share it
          go test
          api#1 is the last green build of main before

log       linux goes apart at line 26 of 1,844, in BUILD: go test
             25   === RUN    TestOne
  green      26   --- PASS
  red        26   --- FAIL
  red        27       want 3
  red             … 3 more lines
          2 places differ, 14 lines in another order; all of it: runner diff api#1 api#2 --job linux --log

log       arm: the same, 7 lines

log       old: the log of this attempt is no longer kept

2 more jobs were not compared: a, b; name one with --job

environment   5 differences
  commit             81f97d7 → 74a5837
  variable GOFLAGS   none → -race                       from project
  variable TOKEN     another value, which is not told   from trigger
  variable S         secret one → secret two
  linux: plan        only red     BUILD: go vet now

tests         12 newly failing, 1 much slower, 1 failing in both
✗ p::TestOne   newly failing   one_test.go:8
    want 3
✗ TestTwo   newly failing, and not in green, flaky
● TestSlow   much slower: 1.0 s → 1m 15s

note      something could not be told

api#1 and api#2 differ
`, "\n")
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNoDifference(t *testing.T) {
	r := &compare.Report{Green: client.Build{ID: "api#1", Status: succeeded}, Red: client.Build{ID: "api#2", Status: succeeded}, Same: true}
	var out bytes.Buffer
	Difference(New(&out), r)
	for _, want := range []string{"\nenvironment   the same\n", "\ntests         neither build has any\n", "\napi#1 and api#2 are the same in all that was compared\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
}

// TestColours holds when there are colours in a pipe: when they were asked for, by the last word that counts.
func TestColours(t *testing.T) {
	for _, c := range []struct {
		color          Color
		noColor, force string
		want           bool
	}{
		{"", "", "", false}, {ColorAuto, "", "1", true}, {ColorAuto, "", "0", false}, {ColorAuto, "1", "1", false},
		{ColorAlways, "1", "", true}, {ColorNever, "", "1", false},
	} {
		t.Setenv("NO_COLOR", c.noColor)
		t.Setenv("CLICOLOR_FORCE", c.force)
		var out bytes.Buffer
		o := NewColored(&out, c.color)
		if got := o.paint(red, "x") != "x"; got != c.want {
			t.Errorf("%+v: coloured: %v", c, got)
		}
	}
}
