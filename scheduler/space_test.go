package scheduler

import (
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/config"
)

// TestNoJobIsLeasedWhileThereIsNoSpace has a job that could run but for the disk, and one whose patience ends meanwhile.
func TestNoJobIsLeasedWhileThereIsNoSpace(t *testing.T) {
	s := open(t, statePath(t))
	why := "waiting for space: 1.0 GiB free, floor 2.0 GiB on /data"
	s.UseSpace(func() string { return why })
	b := queued(t, s, fanout(1, false))
	if s.dispatchOne(t.Context()) || s.Running() != 0 || s.Queued() != 1 {
		t.Errorf("%d jobs run and %d wait, want the one to wait", s.Running(), s.Queued())
	}
	s.sweepQueue(time.Now().Add(config.DefaultQueueTimeout + time.Minute))
	jobs, err := s.Jobs(b.ID())
	if err != nil || jobs[0].Status != TimedOut || !strings.Contains(jobs[0].Message, why) {
		t.Errorf("the job is %s: %s (%v), want TIMED_OUT with what it waited for", jobs[0].Status, jobs[0].Message, err)
	}
}
