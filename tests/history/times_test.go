package history

import (
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/tests"
)

// TestOnlyShardsAreCompared: the speed of a build is that of the jobs that share a suite. What other jobs tested, and how
// long, is no part of it.
func TestOnlyShardsAreCompared(t *testing.T) {
	type job struct {
		took  time.Duration
		shard bool
		cases int
	}
	for _, c := range []struct {
		name   string
		jobs   []job
		shards int
		line   string
	}{
		{"shards", []job{{8 * time.Second, true, 1}, {10 * time.Second, true, 1}}, 2, "2 passed, 2 shards, 10s (1.8× faster than one)"},
		{"one shard waits for the other", []job{{0, true, 1}, {10 * time.Second, true, 1}}, 2, "2 passed, 2 shards, 10s"},
		{"a job beside shards", []job{{8 * time.Second, true, 1}, {10 * time.Second, true, 1}, {50 * time.Second, false, 1}}, 2, "3 passed, 2 shards, 10s (1.8× faster than one)"},
		{"a shard without tests", []job{{8 * time.Second, true, 1}, {10 * time.Second, true, 1}, {50 * time.Second, true, 0}}, 2, "2 passed, 2 shards, 10s (1.8× faster than one)"},
		{"jobs that share nothing", []job{{8 * time.Second, false, 1}, {10 * time.Second, false, 1}}, 1, "2 passed, 10s"},
	} {
		s := open(t)
		for i, j := range c.jobs {
			in, err := s.Begin(build(1), Attempt{Job: i, Run: tests.Run{Shard: i, Attempt: 1}, Took: j.took, Shard: j.shard})
			if err != nil {
				t.Fatal(err)
			}
			group := in.Group("unit", "JUNITXML", 1, false)
			for range j.cases {
				of := named(strings.Repeat("x", i+1), tests.Succeeded)
				if err := in.Case(group, "a.xml", &of); err != nil {
					t.Fatal(err)
				}
			}
			if err := in.Commit(false); err != nil {
				t.Fatal(err)
			}
		}
		sum, err := s.Summary("api", 1)
		if err != nil || sum.Shards != c.shards || sum.Line != c.line {
			t.Errorf("%s: %d shards, %q (%v); want %d, %q", c.name, sum.Shards, sum.Line, err, c.shards, c.line)
		}
	}
}
