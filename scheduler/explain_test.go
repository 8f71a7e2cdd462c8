package scheduler

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/runner"
)

// ranBuild stores a build of one job whose sandbox took some seconds, and which ran from one time to another.
func ranBuild(t *testing.T, s *Scheduler, n int, tree string, status Status, warm bool, provision, from, to int) Build {
	t.Helper()
	base := time.Unix(1_800_000_000, 0)
	at := func(sec int) time.Time { return base.Add(time.Duration(sec) * time.Second) }
	b := Build{Project: "api", Number: n, Seq: uint64(n), Tree: tree, Status: status, Created: at(from), EndedAt: at(to)}
	j := Job{Build: b.ID(), ID: "build", State: JobEnded, Status: status, Started: at(from), EndedAt: at(to), Attempts: []Attempt{{
		Number: 1, Status: status, Warm: warm, Started: at(from), EndedAt: at(to),
		Phases: []Phase{{Name: runner.PhaseProvisioning, Status: Succeeded, Took: time.Duration(provision) * time.Second}},
	}}}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		if err := errors.Join(tx.Bucket(bucketNumbers).Put([]byte(b.Project), number(uint64(n))), tx.Bucket(bucketOrder).Put(number(b.Seq), buildKey(b.Project, b.Number)), putBuild(tx, &b)); err != nil {
			return err
		}
		return putJob(tx, buildKey(b.Project, b.Number), 0, &j)
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWhatTellsWhyBuildsTookLong(t *testing.T) {
	s := open(t, statePath(t))
	ranBuild(t, s, 1, "t1", Succeeded, true, 1, 0, 100)
	ranBuild(t, s, 2, "t1", Failed, true, 3, 110, 120)
	ranBuild(t, s, 3, "t2", Succeeded, false, 9, 115, 140)
	b := ranBuild(t, s, 4, "t1", Succeeded, false, 7, 150, 160)
	starts, err := s.Starts("api")
	if want := (Starts{Warm: 3 * time.Second, Cold: 9 * time.Second, Warms: 2, Colds: 2}); err != nil || starts != want {
		t.Errorf("sandboxes began in %+v (%v), want %+v", starts, err, want)
	}
	green, err := s.GreenBefore(&b)
	if err != nil || green == nil || green.Number != 1 {
		t.Errorf("the same tree was green in %v (%v), want build 1", green, err)
	}
	b.Tree = "t3"
	if green, err := s.GreenBefore(&b); green != nil || err != nil {
		t.Errorf("another tree was green in %v (%v)", green, err)
	}
	base := time.Unix(1_800_000_000, 0)
	held, err := s.Held(base.Add(118*time.Second), base.Add(145*time.Second))
	if got := fmt.Sprint(len(held)); err != nil || got != "2" || held[0].Build != "api#3" || held[1].Build != "api#2" {
		t.Errorf("slots were held by %+v (%v), want those of builds 3 and 2", held, err)
	}
}
