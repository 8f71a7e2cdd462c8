package scheduler

import (
	"errors"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/scheduler/testqueue"
)

// This file reads what tells why builds took as long as they did. What it looks at is bounded: a daemon has builds of years.

// TestRun is how one call of codebuild-tests-run went.
type TestRun struct {
	Job     string // whose tests they are; empty: those of all shards of the build
	Phase   string // that the call is in
	Shards  int
	Real    []testqueue.Item // what each test took, of those that have ended
	Known   testqueue.History
	Startup time.Duration        // of each batch, where it is known
	Joined  map[string]time.Time // when each attempt came to them, by worker
	Batches []TestBatch
}

// TestBatch is a batch of tests as one attempt ran it.
type TestBatch struct {
	Worker string // see WorkerOf
	Began  time.Time
	Ended  time.Time // zero: not yet, or never
	Items  []string
}

// WorkerOf names an attempt in test runs.
func WorkerOf(build, job string, attempt int) string { return workerID(build, job, attempt) }

// TestRuns tells how the tests of a build were divided, as far as shards took them from a queue: of a fixed split nobody
// knows what single tests took.
func (s *Scheduler) TestRuns(build string) (out []TestRun, err error) {
	key, err := keyOf(build)
	if err != nil {
		return nil, err
	}
	var calls map[string]*testCall
	err = s.db.View(func(tx *bbolt.Tx) (err error) {
		calls, err = loadTests(tx, key, time.Now())
		return err
	})
	for _, c := range calls {
		if c.queue == nil {
			continue
		}
		run := TestRun{Job: c.head.Job, Phase: phaseOf(c.id), Joined: c.queue.Joined(), Shards: c.head.Shards, Startup: c.queue.Startup()}
		run.Real, run.Known = c.queue.Times()
		for _, b := range c.queue.Ran() {
			run.Batches = append(run.Batches, TestBatch{Worker: b.Worker, Began: b.Began, Ended: b.Ended, Items: b.Items})
		}
		if len(run.Batches) > 0 {
			out = append(out, run)
		}
	}
	slices.SortFunc(out, func(a, b TestRun) int { return a.Batches[0].Began.Compare(b.Batches[0].Began) })
	return out, err
}

// phaseOf is the phase that a callID is in.
func phaseOf(id string) string {
	_, rest, _ := strings.Cut(id, "\x00")
	phase, _, _ := strings.Cut(rest, "\x00")
	return phase
}

// Of how many builds the starts are looked at, of how many attempts, and how far back a build is looked for that held slots.
const (
	startsBuilds   = 50
	startsAttempts = 500
	heldBuilds     = 300
)

// Starts is how long sandboxes took until their job could begin: medians.
type Starts struct {
	Warm, Cold   time.Duration // of sandboxes that waited for a job, and of others
	Warms, Colds int           // that were looked at
}

// Starts tells how recent jobs of a project began.
func (s *Scheduler) Starts(project string) (out Starts, err error) {
	var warm, cold []time.Duration
	all := func(*Build) bool { return true }
	err = s.recently(Filter{Project: project}, startsBuilds, all, func(_ *Build, jobs []Job) (more bool) {
		for i := range jobs {
			for n := range jobs[i].Attempts {
				a := &jobs[i].Attempts[n]
				took, came := provisioned(a)
				switch {
				case !came || jobs[i].TakenFrom != "":
				case a.Warm:
					warm = append(warm, took)
				default:
					cold = append(cold, took)
				}
			}
		}
		return len(warm)+len(cold) < startsAttempts
	})
	return Starts{Warm: middle(warm), Cold: middle(cold), Warms: len(warm), Colds: len(cold)}, err
}

// provisioned is what the sandbox of an attempt took to be ready, if it came so far.
func provisioned(a *Attempt) (time.Duration, bool) {
	for _, ph := range a.Phases {
		if ph.Name == runner.PhaseProvisioning {
			return ph.Took, ph.Status == Succeeded
		}
	}
	return 0, false
}

func middle(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// recently visits the newest builds that a filter chooses and that are wanted, with their jobs: each in a transaction of its
// own, since a build can have ten thousand.
func (s *Scheduler) recently(f Filter, most int, wanted func(*Build) bool, visit func(*Build, []Job) (more bool)) error {
	builds, _, err := s.Builds(f, "", most)
	if err != nil {
		return err
	}
	for i := range builds {
		if !wanted(&builds[i]) {
			continue
		}
		jobs, err := s.Jobs(builds[i].ID())
		switch {
		case errors.Is(err, ErrNotFound): // retention was quicker
		case err != nil:
			return err
		case !visit(&builds[i], jobs):
			return nil
		}
	}
	return nil
}

// Held is a slot that an attempt held.
type Held struct {
	Build string
	Began time.Time
	Ended time.Time // zero: it still does
}

// Held lists the slots that were held at any moment of a span, as far as recent builds tell.
func (s *Scheduler) Held(from, to time.Time) (out []Held, err error) {
	then := func(b *Build) bool { return b.Created.Before(to) && (b.EndedAt.IsZero() || b.EndedAt.After(from)) }
	err = s.recently(Filter{}, heldBuilds, then, func(b *Build, jobs []Job) (more bool) {
		for i := range jobs {
			if jobs[i].TakenFrom != "" {
				continue
			}
			for _, a := range jobs[i].Attempts {
				if a.Started.Before(to) && (a.EndedAt.IsZero() || a.EndedAt.After(from)) {
					out = append(out, Held{Build: b.ID(), Began: a.Started, Ended: a.EndedAt})
				}
			}
		}
		return true
	})
	return out, err
}

// GreenBefore finds a build of the same tree that had succeeded before this one was made; nil where there is none among the
// project's recent ones.
func (s *Scheduler) GreenBefore(b *Build) (found *Build, err error) {
	if b.Tree == "" {
		return nil, nil
	}
	left := startsBuilds
	err = s.db.View(func(tx *bbolt.Tx) error {
		return eachBuild(tx, Filter{Project: b.Project}, b.Seq, func(other *Build) bool {
			if other.Tree == b.Tree && other.Status == Succeeded && other.EndedAt.Before(b.Created) {
				found = other
			}
			left--
			return found == nil && left > 0
		})
	})
	return found, err
}
