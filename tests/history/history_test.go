package history

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/tests"
)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "tests.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// take commits the cases of one attempt, "name status" each, as one file.
func take(t *testing.T, s *Store, b Build, shard, attempt int, cases ...tests.Case) {
	t.Helper()
	in, err := s.Begin(b, Attempt{Job: shard, Run: tests.Run{Shard: shard, Attempt: attempt}, Took: time.Second, Shard: true})
	if err != nil {
		t.Fatal(err)
	}
	if in == nil {
		return
	}
	g := in.Group("unit", "JUNITXML", 1, false)
	for _, c := range cases {
		if err := in.Case(g, "a.xml", &c); errors.Is(err, ErrFull) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := in.Commit(false); err != nil {
		t.Fatal(err)
	}
}

func build(n int) Build {
	return Build{Project: "api", Number: n, Commit: fmt.Sprintf("commit%d", n), Ref: "refs/heads/main", At: time.Unix(int64(n), 0)}
}

func named(name string, st tests.Status) tests.Case {
	return tests.Case{Suite: "s", Name: name, Status: st, Duration: 10 * time.Millisecond}
}

// TestMergeIsTheMergers: what is judged from disk is what a Merger judges in memory, also when runs are so small that
// they are joined.
func TestMergeIsTheMergers(t *testing.T) {
	s := open(t)
	s.runBytes = 20_000
	m := tests.NewMerger()
	statuses := []tests.Status{tests.Succeeded, tests.Failed, tests.Skipped, tests.Error, tests.Succeeded}
	for shard := range 8 {
		for attempt := 1; attempt <= 2; attempt++ {
			part := tests.NewPart(tests.Run{Shard: shard, Attempt: attempt}, "a.xml")
			part.Took = time.Second
			var cases []tests.Case
			for i := range 150 {
				c := named(fmt.Sprintf("t%d", (i*7+shard*13)%120), statuses[(i+shard+attempt)%len(statuses)])
				if i == 100 {
					c = tests.Case{Suite: fmt.Sprintf("pkg%d", shard), Name: "build", Status: tests.Error, Build: attempt == 1}
				}
				cases = append(cases, c)
				if err := part.Case(&c); err != nil {
					t.Fatal(err)
				}
			}
			m.Add(part)
			take(t, s, build(1), shard, attempt, cases...)
			take(t, s, build(1), shard, attempt, cases...) // a restart takes it in again
		}
	}
	want := m.Report()
	got, err := s.Summary("api", 1)
	if err != nil {
		t.Fatal(err)
	}
	if got.Totals != want.Totals || got.Groups[0].Totals != want.Totals || got.Shards != want.Shards || got.Duration != want.Duration || got.Serial != want.Serial || got.Line != want.Summary() {
		t.Errorf("stored: %+v %d %s %s\nmerger: %+v %d %s %s", got.Totals, got.Shards, got.Duration, got.Serial, want.Totals, want.Shards, want.Duration, want.Serial)
	}
	byID := map[string]tests.Outcome{}
	for _, o := range want.Outcomes {
		byID[o.ID] = o
	}
	cursor, seen := "", 0
	for {
		page, next, err := s.Outcomes("api", 1, Which{}, cursor, 17)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page {
			w, ok := byID[o.ID]
			if !ok || o.Status != w.Status || o.Flaky != w.Flaky || o.Run != w.Run || len(o.Runs) != len(w.Runs) {
				t.Errorf("%s is %s flaky %t of %+v, want %+v", o.ID, o.Status, o.Flaky, o.Run, w)
			}
			seen++
		}
		if cursor = next; next == "" {
			break
		}
	}
	if seen != len(want.Outcomes) {
		t.Errorf("the pages have %d tests, want %d", seen, len(want.Outcomes))
	}
	bad, _, err := s.Outcomes("api", 1, Which{Bad: true}, "", 10_000)
	if err != nil || len(bad) != want.Totals.Failed+want.Totals.Error+want.Totals.Flaky {
		t.Errorf("%d tests failed or are flaky (%v), want those of %+v", len(bad), err, want.Totals)
	}
}

func TestHistoryOfATest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tests.db")
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for n, st := range []tests.Status{tests.Succeeded, tests.Failed, tests.Failed} {
		take(t, s, build(n+1), 0, 1, named("breaks", st), named("fine", tests.Succeeded))
		if err := s.Finish("api", n+1); err != nil {
			t.Fatal(err)
		}
	}
	fork := build(4)
	fork.Fork = true
	take(t, s, fork, 0, 1, named("breaks", tests.Succeeded))
	flaky := build(5)
	take(t, s, flaky, 0, 1, named("fine", tests.Failed))
	take(t, s, flaky, 0, 2, named("fine", tests.Succeeded))
	for range 2 { // done twice, it counts once
		for _, n := range []int{4, 5} {
			if err := s.Finish("api", n); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Expire(func(b Build) bool { return b.Number <= 2 }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(path); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	failing, more, err := s.Ranked("api", Order{By: Failing}, 0, 10)
	if err != nil || more || len(failing) != 1 || failing[0].ID != "s::breaks" || failing[0].Failing.Build.Commit != "commit2" || failing[0].Bad != 2 || failing[0].Runs != 3 {
		t.Errorf("failing: %+v %t (%v), want breaks since commit2", failing, more, err)
	}
	ranked, _, err := s.Ranked("api", Order{By: Flaky}, 0, 10)
	if err != nil || len(ranked) != 1 || ranked[0].ID != "s::fine" || ranked[0].Flaky != 1 || ranked[0].Runs != 4 {
		t.Errorf("flaky: %+v (%v), want fine, once in 4", ranked, err)
	}
	results, err := s.Test("api", "s::breaks")
	if err != nil || len(results) != 3 || results[0].Build.Number != 3 || results[0].Status != tests.Failed || results[0].Build.Ref != "refs/heads/main" {
		t.Errorf("history: %+v (%v)", results, err)
	}
	if page, _, err := s.Outcomes("api", 2, Which{}, "", 10); err != nil || len(page) != 0 {
		t.Errorf("an expired build has tests: %v (%v)", page, err)
	}
	if _, err := s.Test("api", "none"); err == nil {
		t.Error("a test that never ran has a history")
	}
}

func TestBoundsAreTold(t *testing.T) {
	s := open(t)
	s.maxCases = 10
	var cases []tests.Case
	for i := range 25 {
		cases = append(cases, named(fmt.Sprint(i), tests.Succeeded))
	}
	take(t, s, build(1), 0, 1, cases...)
	sum, err := s.Summary("api", 1)
	if err != nil || sum.Totals.Total != 10 || len(sum.Problems) != 1 {
		t.Errorf("%+v (%v), want 10 tests and a problem that tells of others", sum, err)
	}
}

// TestCasesHaveTheirBytes: names of kilobytes make little of a million tests into gigabytes, for which other builds wait.
func TestCasesHaveTheirBytes(t *testing.T) {
	s := open(t)
	s.maxBytes = 1 << 20
	for attempt := range 2 {
		var cases []tests.Case
		for i := range 200 {
			c := named(fmt.Sprint(attempt, i), tests.Succeeded)
			c.Suite = strings.Repeat("x", tests.MaxName)
			cases = append(cases, c)
		}
		take(t, s, build(1), 0, attempt+1, cases...)
		sum, err := s.Summary("api", 1)
		if err != nil || sum.Totals.Total < 200 || sum.Totals.Total > (1<<20)/tests.MaxName || len(sum.Problems) != attempt {
			t.Errorf("%d tests and %d problems after %d attempts (%v), want as many as fit into 1 MiB", sum.Totals.Total, len(sum.Problems), attempt+1, err)
		}
	}
}

func TestCoverageIsTheUnion(t *testing.T) {
	s := open(t)
	for shard := range 2 {
		in, err := s.Begin(build(1), Attempt{Job: shard, Run: tests.Run{Shard: shard, Attempt: 1}})
		if err != nil {
			t.Fatal(err)
		}
		in.Group("cov", "LCOV", 1, false)
		f := &tests.FileCoverage{Path: "a.go"}
		for line := 1; line <= 4; line++ {
			f.Line(line, line == 1+2*shard)
		}
		if err := in.File(f); err != nil {
			t.Fatal(err)
		}
		if err := in.Commit(false); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := s.Summary("api", 1)
	if err != nil || sum.Lines != (tests.Count{Covered: 2, Total: 4}) || sum.Line != "" {
		t.Errorf("%+v (%v), want 2 of 4 lines and no tests", sum, err)
	}
	files, _, err := s.Coverage("api", 1, "", 10)
	if err != nil || len(files) != 1 || !files[0].Hit.Has(1) || !files[0].Hit.Has(3) || files[0].Hit.Has(2) {
		t.Errorf("files: %+v (%v)", files, err)
	}
}

func TestWhatIsJudgedLaterIsNotLost(t *testing.T) {
	s := open(t)
	for shard := range 2 {
		in, err := s.Begin(build(1), Attempt{Job: shard, Run: tests.Run{Shard: shard, Attempt: 1}})
		if err != nil {
			t.Fatal(err)
		}
		c := named(fmt.Sprint(shard), tests.Failed)
		if err := in.Case(in.Group("unit", "JUNITXML", 1, false), "a.xml", &c); err != nil {
			t.Fatal(err)
		}
		if err := in.Commit(true); err != nil { // the attempt that was to follow never comes
			t.Fatal(err)
		}
	}
	if err := s.Finish("api", 1); err != nil {
		t.Fatal(err)
	}
	bad, _, err := s.Outcomes("api", 1, Which{Bad: true}, "", 10)
	failing, _, rankErr := s.Ranked("api", Order{By: Failing}, 0, 10)
	if err != nil || rankErr != nil || len(bad) != 2 || len(failing) != 2 {
		t.Errorf("%d failed, %d in the history (%v, %v), want both", len(bad), len(failing), err, rankErr)
	}
}

func TestAShardWithoutTestsIsNoLack(t *testing.T) {
	s := open(t)
	take(t, s, build(1), 0, 1, named("a", tests.Succeeded))
	in, err := s.Begin(build(1), Attempt{Job: 1, Run: tests.Run{Shard: 1, Attempt: 1}})
	if err != nil {
		t.Fatal(err)
	}
	in.Group("unit", "JUNITXML", 0, false)
	in.Group("never", "JUNITXML", 0, false)
	if err := in.Commit(false); err != nil {
		t.Fatal(err)
	}
	sum, err := s.Summary("api", 1)
	if err != nil || len(sum.Groups) != 2 || sum.Groups[0].Status() != "SUCCEEDED" || sum.Groups[1].Status() != "INCOMPLETE" || sum.Shards != 1 {
		t.Errorf("%+v (%v), want unit SUCCEEDED and never INCOMPLETE", sum, err)
	}
}

func TestAbandonedIntakesLeaveNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tests.db")
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	s.runBytes = 1
	in, err := s.Begin(build(1), Attempt{})
	if err != nil {
		t.Fatal(err)
	}
	c := named("a", tests.Failed)
	if err := in.Case(in.Group("unit", "JUNITXML", 1, false), "a.xml", &c); err != nil {
		t.Fatal(err)
	}
	in.Abandon()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(path); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Summary("api", 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("the build is known: %v", err)
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		if k, _ := tx.Bucket(bucketBlobs).Cursor().First(); k != nil {
			t.Errorf("blob chunk %x was left behind", k)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestARerunElsewhereCountsMore: a test that failed on one shard and passed when it was tried again on another is flaky,
// and the time of the rerun is within that of its shard.
func TestARerunElsewhereCountsMore(t *testing.T) {
	s := open(t)
	b := build(1)
	take(t, s, b, 0, 1, named("a", tests.Succeeded), named("b", tests.Failed))
	in, err := s.Begin(b, Attempt{Job: 1, Run: tests.Run{Shard: 1, Attempt: 1}, Took: time.Second, Shard: true})
	if err != nil {
		t.Fatal(err)
	}
	g := in.Group("unit", "JUNITXML", 2, false)
	for round, name := range map[int]string{0: "c", 7: "b"} {
		in.Round(round)
		c := named(name, tests.Succeeded)
		if err := in.Case(g, fmt.Sprintf("%d.xml", round), &c); err != nil {
			t.Fatal(err)
		}
	}
	if err := in.Commit(false); err != nil {
		t.Fatal(err)
	}
	got, err := s.Summary("api", 1)
	if err != nil || got.Totals.Flaky != 1 || got.Totals.Failed != 0 || got.Totals.Total != 3 || got.Shards != 2 || got.Serial != 2*time.Second {
		t.Errorf("the tests came to %+v (%v), want 1 flaky of 3, on 2 shards in 2s", got, err)
	}
}
