package history

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/runner-ci/runner/tests"
)

// fails is what an attempt told of tests that failed.
func fails(job, attempt int, final bool, ids ...string) Told {
	t := Told{Job: job, Attempt: attempt, Final: final, Passed: map[string]bool{}}
	for _, id := range ids {
		t.Failed = append(t.Failed, Failure{Case: tests.Case{ID: id, Status: tests.Failed}, Job: job, Attempt: attempt})
	}
	return t
}

func TestFailuresOfJobsAndAttempts(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "tests.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tell := func(want string, told Told) {
		t.Helper()
		if _, err := s.Explain("api", 1, told); err != nil {
			t.Fatal(err)
		}
		all, err := s.Failures("api", 1)
		got := ""
		for _, f := range all {
			got += fmt.Sprintf("%s/%d@%d ", f.ID, f.Job, f.Attempt)
		}
		if err != nil || got != want {
			t.Errorf("the failures are %q (%v), want %q", got, err, want)
		}
	}
	tell("a/0@1 ", fails(0, 1, false, "a"))
	tell("a/0@1 b/1@1 ", fails(1, 1, false, "b", "a"))
	tell("a/0@1 b/1@1 ", fails(1, 1, true, "b"))
	tell("a/0@1 b/1@1 c/0@1 ", fails(0, 1, true, "a", "c"))
	second := fails(0, 2, true, "c")
	second.Passed["a"] = true
	tell("b/1@1 c/0@1 ", second)
	many := make([]string, 2*MaxFailures)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	if _, err := s.Explain("api", 2, fails(0, 1, false, many...)); err != nil {
		t.Fatal(err)
	}
	if all, err := s.Failures("api", 2); err != nil || len(all) != MaxFailures {
		t.Errorf("%d failures are explained (%v), want %d", len(all), err, MaxFailures)
	}
}

func TestFailuresGoWithTheirBuilds(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "tests.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for n := 1; n <= 3; n++ {
		if _, err := s.Explain("api", n, fails(0, 1, false, "a")); err != nil {
			t.Fatal(err)
		}
	}
	in, err := s.Begin(Build{Project: "api", Number: 2, At: time.Now()}, Attempt{Run: tests.Run{Attempt: 1}})
	if err != nil {
		t.Fatal(err)
	}
	c := &tests.Case{ID: "a", Name: "a", Status: tests.Failed}
	if err := in.Case(in.Group("unit", "JUNITXML", 1, false), "a.xml", c); err != nil {
		t.Fatal(err)
	}
	if err := in.Commit(false); err != nil {
		t.Fatal(err)
	}
	if err := s.Finish("api", 2); err != nil {
		t.Fatal(err)
	}
	if err := s.Expire(func(Build) bool { return true }); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]int{1: 0, 2: 0, 3: 1} {
		if all, err := s.Failures("api", n); err != nil || len(all) != want {
			t.Errorf("build %d has %d failures (%v), want %d", n, len(all), err, want)
		}
	}
}
