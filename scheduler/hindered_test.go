package scheduler

import (
	"maps"
	"testing"
	"time"
)

func TestWhatKeptJobsFromStartingIsRemembered(t *testing.T) {
	base := time.Unix(1_800_000_000, 0)
	at := func(s int) time.Time { return base.Add(time.Duration(s) * time.Second) }
	var h hindrances
	for _, n := range []struct {
		by hindrance
		at int
	}{{"", 0}, {bySpace, 10}, {bySpace, 15}, {"", 20}, {byDrain, 30}, {bySpace, 40}, {"", 50}, {byDrain, 60}} {
		h.note(n.by, at(n.at))
	}
	for _, c := range []struct {
		from, to int
		want     map[hindrance]time.Duration
	}{
		{0, 100, map[hindrance]time.Duration{bySpace: 20 * time.Second, byDrain: 50 * time.Second}},
		{15, 35, map[hindrance]time.Duration{bySpace: 5 * time.Second, byDrain: 5 * time.Second}},
		{20, 30, nil},
		{65, 70, map[hindrance]time.Duration{byDrain: 5 * time.Second}},
	} {
		if got := h.during(at(c.from), at(c.to)); !maps.Equal(got, c.want) {
			t.Errorf("from %d to %d there was %v, want %v", c.from, c.to, got, c.want)
		}
	}
	for i := range 3 * maxHindered {
		h.note([]hindrance{bySpace, ""}[i%2], at(100+i))
	}
	if len(h.past) != maxHindered {
		t.Errorf("%d spans are remembered, want %d", len(h.past), maxHindered)
	}
}

// TestAWaitForSpaceIsStoredWithTheLease: the job waited, was leased, and its attempt says for what.
func TestAWaitForSpaceIsStoredWithTheLease(t *testing.T) {
	s := open(t, statePath(t))
	queued(t, s, fanout(1, false))
	s.hindered.note(bySpace, time.Now().Add(-time.Hour))
	_, l := take(t, s)
	if l.attempt.WaitedSpace <= 0 || l.attempt.WaitedDrain != 0 {
		t.Errorf("the attempt waited %s for space and %s for a drain", l.attempt.WaitedSpace, l.attempt.WaitedDrain)
	}
	jobs, err := s.Jobs("api#1")
	if err != nil || jobs[0].Attempts[0].WaitedSpace != l.attempt.WaitedSpace {
		t.Errorf("stored is %+v (%v)", jobs[0].Attempts, err)
	}
}
