package scheduler

import (
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/runner"
)

// waiting makes n queued jobs of one build.
func waiting(q *queue, project string, seq uint64, priority, n int) {
	for i := range n {
		e := &entry{build: project + string(rune('0'+seq)), job: string(rune('a' + i)), project: project, index: i, seq: seq, priority: priority, state: JobQueued}
		q.add(e)
	}
}

// drawAll hands out slots one by one, each job ending only when keep is false, and returns the projects in turn.
func drawAll(q *queue, l limits, n int, keep bool) []string {
	var got []string
	for range n {
		e := next(q, l)
		if e == nil {
			break
		}
		got = append(got, e.project)
		l.served[e.project] = uint64(len(got))
		q.lease(e)
		if !keep {
			q.remove(entryKey(e.build, e.job))
		}
	}
	return got
}

func TestNextIsFair(t *testing.T) {
	unlimited := func(string) int { return 0 }
	tests := []struct {
		name    string
		fill    func(q *queue)
		slots   int
		maxJobs func(string) int
		keep    bool
		want    []string
	}{
		{
			name:  "a thousand jobs of one project delay another by one job",
			fill:  func(q *queue) { waiting(q, "big", 1, 0, 1000); waiting(q, "small", 2, 0, 2) },
			slots: 1, maxJobs: unlimited,
			want: []string{"big", "small", "big", "small", "big"},
		},
		{
			name:  "running jobs count: the project with fewer goes first",
			fill:  func(q *queue) { waiting(q, "a", 1, 0, 3); waiting(q, "b", 2, 0, 3) },
			slots: 4, maxJobs: unlimited, keep: true,
			want: []string{"a", "b", "a", "b"},
		},
		{
			name:  "higher priority goes before everything else",
			fill:  func(q *queue) { waiting(q, "a", 1, 0, 2); waiting(q, "urgent", 2, 10, 2) },
			slots: 1, maxJobs: unlimited,
			want: []string{"urgent", "urgent", "a", "a"},
		},
		{
			name:  "a project's limit leaves slots to others",
			fill:  func(q *queue) { waiting(q, "a", 1, 0, 5); waiting(q, "b", 2, 0, 1) },
			slots: 4, keep: true,
			maxJobs: func(p string) int {
				if p == "a" {
					return 2
				}
				return 0
			},
			want: []string{"a", "b", "a"},
		},
		{
			name:  "no slot, no job",
			fill:  func(q *queue) { waiting(q, "a", 1, 0, 5) },
			slots: 2, maxJobs: unlimited, keep: true,
			want: []string{"a", "a"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := newQueue()
			tt.fill(q)
			l := limits{slots: tt.slots, maxJobs: tt.maxJobs, served: make(map[string]uint64), now: time.Now()}
			got := drawAll(q, l, 5, tt.keep)
			if len(got) < len(tt.want) {
				t.Fatalf("drew %v, want it to begin with %v", got, tt.want)
			}
			for i := range tt.want {
				if got[i] != tt.want[i] {
					t.Fatalf("drew %v, want it to begin with %v", got, tt.want)
				}
			}
			if tt.keep && len(got) > len(tt.want) {
				t.Fatalf("drew %v, want no more than %v", got, tt.want)
			}
		})
	}
}

func TestNextTakesJobsInThePlansOrder(t *testing.T) {
	q := newQueue()
	waiting(q, "a", 2, 0, 3)
	waiting(q, "a", 1, 0, 3)
	l := limits{slots: 1, maxJobs: func(string) int { return 0 }, served: map[string]uint64{}, now: time.Now()}
	var last *entry
	for range 6 {
		e := next(q, l)
		if last != nil && (e.seq < last.seq || (e.seq == last.seq && e.index < last.index)) {
			t.Fatalf("build %d job %d came after build %d job %d", e.seq, e.index, last.seq, last.index)
		}
		q.remove(entryKey(e.build, e.job))
		last = e
	}
}

func TestNextWaitsBeforeASecondAttempt(t *testing.T) {
	q := newQueue()
	waiting(q, "a", 1, 0, 1)
	now := time.Now()
	for _, e := range q.all {
		q.wait(e, now, now.Add(time.Second))
	}
	l := limits{slots: 1, maxJobs: func(string) int { return 0 }, served: map[string]uint64{}, now: now}
	if e := next(q, l); e != nil {
		t.Fatalf("a job that must wait was drawn: %+v", e)
	}
	l.now = now.Add(2 * time.Second)
	if next(q, l) == nil {
		t.Fatal("nothing was drawn after the wait")
	}
}

func TestEntriesOfEndedJobsLeaveTheQueue(t *testing.T) {
	chain := buildspec.Plan{Jobs: []buildspec.Job{{ID: "test", Name: "test"}, {ID: "deploy", Name: "deploy", DependsOn: []string{"test"}}}}
	tests := []struct {
		name string
		gone func(*Scheduler, Build) error
	}{
		{"the build was stopped before its jobs were in the queue", func(s *Scheduler, b Build) error {
			_, err := s.Stop(t.Context(), b.ID(), "ada")
			return err
		}},
		{"the build's rows are missing", func(s *Scheduler, b Build) error {
			return s.db.Update(func(tx *bbolt.Tx) error {
				return tx.Bucket(bucketBuilds).Delete(buildKey(b.Project, b.Number))
			})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, statePath(t))
			s.runner = &runner.Runner{Sandboxes: t.TempDir(), Logger: s.log} // no engine: an attempt ends at once
			b := queued(t, s, chain)
			jobs, err := s.Jobs(b.ID())
			if err != nil {
				t.Fatal(err)
			}
			if err := tt.gone(s, b); err != nil {
				t.Fatal(err)
			}
			s.enqueue(&b, jobs) // late
			other := queued(t, s, fanout(1, false))
			for s.dispatchOne(t.Context()) {
			}
			s.work.Wait()
			if len(s.queue.all) != 0 {
				t.Errorf("%d entries stay in the queue", len(s.queue.all))
			}
			if got := mustBuild(t, s, other.ID()); !got.Status.Ended() {
				t.Errorf("the next build is %s", got.Status)
			}
		})
	}
}
