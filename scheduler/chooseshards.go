package scheduler

import (
	"errors"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/scheduler/testqueue"
)

// chooseShards answers x-runner.shards: auto for a project, from the tests that its recent builds ran, what it takes
// until a job of it comes to its tests, and the slots that it may have.
func (s *Scheduler) chooseShards(p *Project) func(target time.Duration, most int) (n int, why string) {
	return func(target time.Duration, most int) (int, string) {
		free := min(s.config().Slots, most)
		if p.MaxJobs > 0 {
			free = min(free, p.MaxJobs)
		}
		var d testqueue.Demand
		err := s.db.View(func(tx *bbolt.Tx) (err error) {
			known, names := suiteOf(tx, p.Name)
			d = testqueue.Demand{Items: known.Items(names), Target: target, Free: free}
			d.Startup, err = startupOf(tx, p.Name)
			return err
		})
		switch {
		case err != nil:
			s.log.Error("reading how long tests took", "project", p.Name, "error", err)
			return 0, "how long the tests of earlier builds took cannot be read; the daemon's log says why"
		case len(d.Items) == 0:
			return 0, "no build of this project has told yet how long its tests take"
		}
		return testqueue.Workers(d)
	}
}

// Of how many builds the start is looked at, and of how many attempts.
const (
	startupBuilds   = 10
	startupAttempts = 200
)

// startupOf is the median of what recent jobs of a project took until their tests could begin.
func startupOf(tx *bbolt.Tx, project string) (time.Duration, error) {
	var starts []time.Duration
	var trouble error
	builds := 0
	err := eachBuild(tx, Filter{Project: project}, noCursor, func(b *Build) (more bool) {
		jobs, err := jobsOf(tx, buildKey(b.Project, b.Number))
		for i := range jobs {
			if jobs[i].TakenFrom != "" {
				continue
			}
			for n := range jobs[i].Attempts {
				if took := startOf(&jobs[i].Attempts[n]); took > 0 {
					starts = append(starts, took)
				}
			}
		}
		builds++
		trouble = err
		return err == nil && builds < startupBuilds && len(starts) < startupAttempts
	})
	if err != nil || trouble != nil || len(starts) == 0 {
		return 0, errors.Join(err, trouble)
	}
	slices.Sort(starts)
	return starts[len(starts)/2], nil
}

// startOf is what an attempt took before its build phases; 0 when it did not come so far.
func startOf(a *Attempt) (took time.Duration) {
	for _, ph := range a.Phases {
		switch ph.Name {
		case runner.PhaseProvisioning, wire.PhaseInstall:
			if ph.Status != Succeeded {
				return 0
			}
			took += ph.Took
		}
	}
	return took
}
