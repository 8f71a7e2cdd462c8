package scheduler

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

func TestTheNumberOfShardsIsChosen(t *testing.T) {
	s := open(t, statePath(t))
	p, err := s.Project("api")
	if err != nil {
		t.Fatal(err)
	}
	s.config().Slots = 16
	choose := s.chooseShards(&p)
	if n, why := choose(0, 256); n != 0 || !strings.Contains(why, "no build of this project") {
		t.Errorf("without history %d are chosen: %s", n, why)
	}
	queued(t, s, fanout(1, false))
	e, l := take(t, s)
	ev := &attemptEvents{s: s, build: e.build, job: e.job, index: e.index, token: l.attempt.Token}
	var phases []wire.PhaseEnded
	for _, ph := range []string{runner.PhaseProvisioning, wire.PhaseInstall} {
		phases = append(phases, wire.PhaseEnded{Phase: ph}, wire.PhaseEnded{Phase: ph, Status: wire.StatusSucceeded, Millis: 5000})
	}
	if err := ev.Progress(t.Context(), runner.Progress{Frame: 1, Phases: phases}); err != nil {
		t.Fatal(err)
	}
	err = s.db.Update(func(tx *bbolt.Tx) error { // 160 s of tests, and one that has left the suite
		if err := learnTimes(tx, "api", 1, []testSample{{"old", time.Hour, 1}}); err != nil {
			return err
		}
		for i := range 40 {
			if err := learnTimes(tx, "api", 12, []testSample{{fmt.Sprint("test ", i), 4 * time.Second, 1}}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		target     time.Duration
		most, want int
		why        string
	}{
		{0, 256, 4, "cost 10s to start"}, // √(160 s / 10 s)
		{time.Minute, 256, 4, "end within 1m0s"},
		{30 * time.Second, 256, 8, "end within 30s"},
		{30 * time.Second, 5, 5, "out of reach"},
		{time.Second, 256, 14, "out of reach"}, // slots: 16, and three tests each from 14 on
	} {
		if n, why := choose(c.target, c.most); n != c.want || !strings.Contains(why, c.why) {
			t.Errorf("for %s, at most %d, %d are chosen (%s), want %d (%s)", c.target, c.most, n, why, c.want, c.why)
		}
	}
}
