package scheduler

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestForeseeFollowsTheDispatchersRule(t *testing.T) {
	now := time.Now()
	entries := func(project string, seq uint64, priority, n int) (out []entry) {
		for i := range n {
			out = append(out, entry{build: fmt.Sprintf("%s#%d", project, seq), job: string(rune('a' + i)), project: project, index: i, seq: seq, priority: priority, state: JobQueued})
		}
		return out
	}
	minutes := func(n int) func(*entry) time.Duration {
		return func(*entry) time.Duration { return time.Duration(n) * time.Minute }
	}
	asleep := entries("api", 1, 0, 1)
	asleep[0].notBefore = now.Add(10 * time.Minute)
	for name, c := range map[string]struct {
		slots   int
		held    []entry // since four minutes
		waiting []entry
		took    func(*entry) time.Duration
		most    int
		limit   map[string]int
		want    []string // project, and in how many minutes
	}{
		"one slot is passed on":              {1, entries("api", 1, 0, 1), entries("api", 2, 0, 2), minutes(5), 10, nil, []string{"api 1", "api 6"}},
		"projects take turns":                {1, nil, append(entries("api", 1, 0, 3), entries("web", 2, 0, 1)...), minutes(5), 10, nil, []string{"api 0", "web 5", "api 10", "api 15"}},
		"who runs fewer goes first":          {2, entries("api", 1, 0, 1), append(entries("api", 2, 0, 1), entries("web", 3, 0, 1)...), minutes(5), 10, nil, []string{"web 0", "api 1"}},
		"priority goes before":               {1, nil, append(entries("api", 1, 0, 1), entries("web", 2, 5, 1)...), minutes(5), 10, nil, []string{"web 0", "api 5"}},
		"a limit of a project leaves a slot": {2, nil, entries("api", 1, 0, 2), minutes(5), 10, map[string]int{"api": 1}, []string{"api 0", "api 5"}},
		"what takes longer ends any moment":  {1, entries("api", 1, 0, 1), entries("api", 2, 0, 1), minutes(2), 10, nil, []string{"api 0"}},
		"of the unknown no time is told":     {1, entries("api", 1, 0, 1), entries("api", 2, 0, 2), minutes(0), 10, nil, []string{"api ?", "api ?"}},
		"one that waits for another try":     {1, nil, append(slices.Clone(asleep), entries("web", 2, 0, 1)...), minutes(5), 10, nil, []string{"web 0", "api 10"}},
		"as far as is asked":                 {1, nil, entries("api", 1, 0, 9), minutes(5), 2, nil, []string{"api 0", "api 5"}},
		"no slots, no outlook":               {0, nil, entries("api", 1, 0, 2), minutes(5), 10, nil, nil},
	} {
		var held []Turn
		for _, e := range c.held {
			e.leased = now.Add(-4 * time.Minute)
			held = append(held, Turn{entry: e})
		}
		l := limits{slots: c.slots, maxJobs: func(p string) int { return c.limit[p] }, served: map[string]uint64{}, now: now}
		var got []string
		for i, turn := range foresee(held, c.waiting, l, now, c.most, c.took) {
			at := "?"
			if !turn.Starts.IsZero() {
				at = fmt.Sprint(int(turn.Starts.Sub(now).Minutes()))
			}
			if got = append(got, turn.entry.project+" "+at); turn.Place != i+1 {
				t.Errorf("%s: place %d of %d", name, turn.Place, i+1)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
