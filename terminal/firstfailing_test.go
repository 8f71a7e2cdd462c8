package terminal

import (
	"bytes"
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
)

// failingStates is a build whose test fails while it runs, told of in two states, and then its end.
func failingStates(jobs ...client.Job) []client.Build {
	known := client.TestFailure{
		ID: "test_calc::test_add", Name: "test_add", File: "test_calc.py", Line: 2, Message: "expected 5, found 4\nmore",
		Excerpt: []client.SourceLine{{Number: 1, Text: "def test_add():"}, {Number: 2, Text: "    assert x == 5"}}, New: true, Runs: 3,
		Command: "pytest test_calc.py::test_add",
	}
	other := client.TestFailure{ID: "test_calc::test_sub", Message: "no", New: true, Runs: 3, Command: "pytest test_calc.py::test_sub"}
	first, second, end := build(inProgress, jobs...), build(inProgress, jobs...), build(failed, jobs...)
	first.Tests = &client.BuildTests{Failing: true, Failures: []client.TestFailure{known}}
	second.Tests = &client.BuildTests{Failing: true, Failures: []client.TestFailure{known, other}}
	end.Tests = &client.BuildTests{Total: 2, Failed: 2, Summary: "2 failed", Failing: true, Failures: []client.TestFailure{known, other}}
	return []client.Build{build(inProgress, jobs...), first, second, end}
}

const packet = `✗ test_calc::test_add  test_calc.py:2
    expected 5, found 4
      1 | def test_add():
    > 2 |     assert x == 5
    new in this build
    pytest test_calc.py::test_add
`

// inTheEnd names what was explained before, and explains what was not.
const inTheEnd = `tests     2 failed
✗ test_calc::test_add  test_calc.py:2
    expected 5, found 4
✗ test_calc::test_sub
    no
    new in this build
    pytest test_calc.py::test_sub

`

func endOf(b client.Build) (client.Build, []client.TestCase) {
	return b, []client.TestCase{
		{ID: "test_calc::test_add", Status: "FAILED", File: "test_calc.py", Line: 2, Message: "expected 5, found 4"},
		{ID: "test_calc::test_sub", Status: "FAILED", Message: "no"},
	}
}

// TestAPipeIsToldOfTheFirstFailedTestOnce: between the lines of the log, even where one has not ended.
func TestAPipeIsToldOfTheFirstFailedTestOnce(t *testing.T) {
	one := job("build", "build", "leased", inProgress, 1)
	states := failingStates(one)
	var out bytes.Buffer
	o := New(&out)
	v := &plainView{o: o}
	v.update(states[0])
	v.log(one, []byte("begun\nhalf a li"))
	v.update(states[1])
	v.log(one, []byte("ne\n"))
	v.update(states[2])
	v.update(states[3])
	v.end()
	b, cases := endOf(states[3])
	Tests(o, b, cases)
	if want := "api#1     Fix it · 0123456\nbegun\nhalf a li\n" + packet + "ne\n" + inTheEnd; out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestAPipeOfSeveralJobsIsToldOfTheFirstFailedTest(t *testing.T) {
	a, b := job("s1", "shard 1/2", "leased", inProgress, 1), job("s2", "shard 2/2", "leased", inProgress, 1)
	states := failingStates(a, b)
	var out bytes.Buffer
	v := &plainView{o: New(&out)}
	v.update(states[0])
	v.log(a, []byte("one\nhalf a li"))
	v.update(states[1])
	v.log(a, []byte("ne\n"))
	v.update(states[2])
	v.end()
	if want := "api#1     Fix it · 0123456 · 2 jobs\n[shard 1/2] one\n" + packet + "[shard 1/2] half a line\n"; out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// TestATerminalIsToldOfTheFirstFailedTestOnce: above the block, cut to the width.
func TestATerminalIsToldOfTheFirstFailedTestOnce(t *testing.T) {
	one := job("build", "build", "leased", inProgress, 1)
	states := failingStates(one)
	var out bytes.Buffer
	o := &Output{w: &out, live: true, width: 30}
	if _, err := follow(t.Context(), &script{states: states, logs: map[string]string{"build": ""}}, "api#1", &liveView{screen: screen{o: o}}, never); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"✗ test_calc::test_add  test_", "\n    > 2 |     assert x == 5\n", "\n    pytest test_calc.py::tes…\n"} {
		if n := strings.Count(out.String(), want); n != 1 {
			t.Errorf("%q is shown %d times in %q", want, n, out.String())
		}
	}
	out.Reset()
	b, cases := endOf(states[3])
	Tests(o, b, cases)
	if out.String() != inTheEnd {
		t.Errorf("in the end it shows\n%s\nwant\n%s", out.String(), inTheEnd)
	}
}

// TestWhoLeavesAtTheFirstFailureIsToldOfItOnce: the state at which a view is left is not shown by it.
func TestWhoLeavesAtTheFirstFailureIsToldOfItOnce(t *testing.T) {
	var out bytes.Buffer
	o := New(&out)
	src := &script{states: failingStates(job("build", "build", "leased", inProgress, 1)), logs: map[string]string{"build": ""}}
	b, err := FollowUntil(t.Context(), src, "api#1", o, func(b client.Build) bool { return b.Tests != nil && b.Tests.Failing })
	if err != nil || b.Status != inProgress {
		t.Fatalf("%s, %v", b.Status, err)
	}
	Tests(o, b, nil)
	if want := "api#1     Fix it · 0123456\ntests     failing\n" + packet + "\n"; out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// TestHowATestDidBefore is what is said of it in one line.
func TestHowATestDidBefore(t *testing.T) {
	main := &client.TestResult{Build: "api#9", Ref: "refs/heads/main", Status: succeeded}
	for _, tt := range []struct {
		f    client.TestFailure
		want string
	}{
		{client.TestFailure{New: true}, "no earlier results"}, // also of runner run, which knows none
		{client.TestFailure{New: true, Runs: 3}, "new in this build"},
		{client.TestFailure{New: true, Runs: 3, Flaky: 1}, "passed in the build before, flaky in 1 of 3 builds"},
		{client.TestFailure{FirstBuild: "api#7", FirstCommit: "03f1c9e0aa", Runs: 12, Flaky: 1, Base: main}, "since api#7 03f1c9e, passes on main (api#9), flaky in 1 of 12 builds"},
	} {
		if got := explanation(New(&bytes.Buffer{}), &tt.f); len(got) != 1 || strings.TrimSpace(got[0]) != tt.want {
			t.Errorf("told %q, want %q", got, tt.want)
		}
	}
}
