package scheduler

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// graph makes a plan of jobs written as "name: dependency dependency", with ? behind the name of one whose failure is
// ignored.
func graph(fastFail bool, jobs ...string) buildspec.Plan {
	p := buildspec.Plan{Batch: "graph", FastFail: fastFail}
	for _, text := range jobs {
		name, on, _ := strings.Cut(text, ":")
		id, ignore := strings.CutSuffix(name, "?")
		p.Jobs = append(p.Jobs, buildspec.Job{ID: id, Identifier: id, Name: id, DependsOn: strings.Fields(on), IgnoreFailure: ignore})
	}
	return p
}

// play runs a build's jobs to their end, one after another; those named in red fail.
func play(t *testing.T, s *Scheduler, build string, failing ...string) (order []string) {
	t.Helper()
	for {
		if b := mustBuild(t, s, build); b.Status.Ended() {
			return order
		}
		e, l := take(t, s)
		res := green
		if slices.Contains(failing, e.job) {
			res = red
		}
		order = append(order, e.job)
		if err := s.finish(e, l.attempt.Token, res); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGraphs(t *testing.T) {
	tests := []struct {
		name    string
		plan    buildspec.Plan
		failing []string
		order   string // in which the jobs run
		end     []string
		status  Status
		message string
	}{
		{
			name: "a diamond", plan: graph(false, "a", "b: a", "c: a", "d: b c"), order: "a b c d",
			end: []string{"SUCCEEDED", "SUCCEEDED", "SUCCEEDED", "SUCCEEDED"}, status: Succeeded,
		},
		{
			name: "dependencies may be written later", plan: graph(false, "d: b c", "c: a", "b: a", "a"), order: "a c b d",
			end: []string{"SUCCEEDED", "SUCCEEDED", "SUCCEEDED", "SUCCEEDED"}, status: Succeeded,
		},
		{
			name: "a failure runs down the chain, and leaves others alone", plan: graph(false, "a", "b: a", "c: b", "x", "y: x"),
			failing: []string{"a"}, order: "a x y",
			end:    []string{"FAILED command_failed", "FAILED dependency_failed", "FAILED dependency_failed", "SUCCEEDED", "SUCCEEDED"},
			status: Failed, message: "a: go test exited with status 1 (2 jobs that depend on it were not started)",
		},
		{
			name: "a failure that is ignored is as good as done", plan: graph(false, "a?", "b: a"), failing: []string{"a"}, order: "a b",
			end: []string{"FAILED command_failed", "SUCCEEDED"}, status: Succeeded,
		},
		{
			name: "a failure that is ignored does not set off fast-fail", plan: graph(true, "a?", "b: a", "c"), failing: []string{"a"},
			order: "a b c", end: []string{"FAILED command_failed", "SUCCEEDED", "SUCCEEDED"}, status: Succeeded,
		},
		{
			name: "what was not started has not been done, whatever its own entry ignores", plan: graph(false, "a", "b?: a", "c: b"),
			failing: []string{"a"}, order: "a",
			end:    []string{"FAILED command_failed", "FAILED dependency_failed", "FAILED dependency_failed"},
			status: Failed, message: "a: go test exited with status 1 (2 jobs that depend on it were not started)",
		},
		{
			name: "fast-fail stops what waits for others, too", plan: graph(true, "a", "b", "c: b"), failing: []string{"a"}, order: "a",
			end:    []string{"FAILED command_failed", "STOPPED fast_fail", "STOPPED fast_fail"},
			status: Failed, message: "a: go test exited with status 1",
		},
		{
			name: "one of two dependencies fails", plan: graph(false, "a", "b", "c: a b"), failing: []string{"b"}, order: "a b",
			end:    []string{"SUCCEEDED", "FAILED command_failed", "FAILED dependency_failed"},
			status: Failed, message: "b: go test exited with status 1 (1 job that depends on it was not started)",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, statePath(t))
			b := queued(t, s, tt.plan)
			if got := strings.Join(play(t, s, b.ID(), tt.failing...), " "); got != tt.order {
				t.Errorf("the jobs ran as %s, want %s", got, tt.order)
			}
			var end []string
			for _, j := range jobStates(t, s, b.ID()) {
				end = append(end, strings.TrimSpace(strings.TrimPrefix(j, "ended ")))
			}
			if !slices.Equal(end, tt.end) {
				t.Errorf("the jobs ended as %q, want %q", end, tt.end)
			}
			if got := mustBuild(t, s, b.ID()); got.Status != tt.status || got.Message != tt.message {
				t.Errorf("the build is %s, %q; want %s, %q", got.Status, got.Message, tt.status, tt.message)
			}
			if len(s.queue.all) != 0 {
				t.Errorf("%d entries stay in the queue", len(s.queue.all))
			}
		})
	}
}

func TestABlockedJobSaysWhatItStillWaitsFor(t *testing.T) {
	s := open(t, statePath(t))
	b := queued(t, s, graph(false, "a", "b", "c", "d", "e", "all: a b c d e", "two: a b"))
	why := func(i int) string {
		jobs, err := s.Jobs(b.ID())
		if err != nil {
			t.Fatal(err)
		}
		return jobs[i].Why
	}
	if got, want := why(5), "waits for a, b, c, d and 1 more"; got != want {
		t.Errorf("it %s, want %s", got, want)
	}
	e, l := take(t, s)
	if err := s.finish(e, l.attempt.Token, green); err != nil {
		t.Fatal(err)
	}
	if got, want := why(5)+"; "+why(6), "waits for b, c, d, e; waits for b"; got != want {
		t.Errorf("after a they say %q, want %q", got, want)
	}
}

// oracle computes from outcomes alone how the jobs of a graph must end, without fast-fail.
func oracle(p *buildspec.Plan, fails map[string]bool) map[string]string {
	end := make(map[string]string)
	var of func(i int) string
	of = func(i int) string {
		j := p.Jobs[i]
		if end[j.ID] != "" {
			return end[j.ID]
		}
		out := "SUCCEEDED"
		if fails[j.ID] {
			out = "FAILED command_failed"
		}
		for _, on := range j.DependsOn {
			k := slices.IndexFunc(p.Jobs, func(o buildspec.Job) bool { return o.ID == on })
			if r := of(k); r == "FAILED dependency_failed" || (r != "SUCCEEDED" && !p.Jobs[k].IgnoreFailure) {
				out = "FAILED dependency_failed"
			}
		}
		end[j.ID] = out
		return out
	}
	for i := range p.Jobs {
		of(i)
	}
	return end
}

// Settling job by job must come to the same as looking at everything, also when a daemon dies in between.
func TestRandomGraphsEndAsTheyMust(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 3))
		plan, fails := buildspec.Plan{Batch: "graph"}, map[string]bool{}
		for i := range 4 + r.IntN(12) {
			j := buildspec.Job{ID: fmt.Sprintf("j%d", i), IgnoreFailure: r.IntN(4) == 0}
			j.Name = j.ID
			for k := range i {
				if r.IntN(4) == 0 {
					j.DependsOn = append(j.DependsOn, fmt.Sprintf("j%d", k))
				}
			}
			fails[j.ID] = r.IntN(4) == 0
			plan.Jobs = append(plan.Jobs, j)
		}
		r.Shuffle(len(plan.Jobs), func(i, k int) { plan.Jobs[i], plan.Jobs[k] = plan.Jobs[k], plan.Jobs[i] })
		path := statePath(t)
		s := open(t, path)
		b := queued(t, s, plan)
		for !mustBuild(t, s, b.ID()).Status.Ended() {
			if r.IntN(5) == 0 { // a new daemon, which knows the rows alone
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = open(t, path)
				if _, err := s.recover(); err != nil {
					t.Fatal(err)
				}
			}
			e, l := take(t, s)
			res := green
			if fails[e.job] {
				res = red
			}
			if err := s.finish(e, l.attempt.Token, res); err != nil {
				t.Fatal(err)
			}
		}
		jobs, err := s.Jobs(b.ID())
		if err != nil {
			t.Fatal(err)
		}
		want := oracle(&plan, fails)
		for _, j := range jobs {
			if got := strings.TrimSpace(fmt.Sprintf("%s %s", j.Status, j.Reason)); got != want[j.ID] {
				t.Errorf("seed %d: %s ended %s, want %s", seed, j.ID, got, want[j.ID])
			}
		}
		if got := mustBuild(t, s, b.ID()); got.Open != 0 {
			t.Errorf("seed %d: the ended build counts %d open jobs", seed, got.Open)
		}
	}
}

func TestAGraphIsStoppedInItsMiddle(t *testing.T) {
	s := open(t, statePath(t))
	b := queued(t, s, graph(false, "a", "b: a", "c: b", "x"))
	e, l := take(t, s)
	if err := s.finish(e, l.attempt.Token, green); err != nil {
		t.Fatal(err)
	}
	running, held := take(t, s) // b
	if _, err := s.Stop(t.Context(), b.ID(), "ada"); err != nil {
		t.Fatal(err)
	}
	want := []string{"ended SUCCEEDED ", "leased IN_PROGRESS ", "ended STOPPED stopped", "ended STOPPED stopped"}
	if got := jobStates(t, s, b.ID()); !slices.Equal(got, want) {
		t.Errorf("while b ends, the jobs are %q, want %q", got, want)
	}
	stopped := runner.Result{Status: wire.StatusStopped, Reason: "stopped"}
	if err := s.finish(running, held.attempt.Token, stopped); err != nil {
		t.Fatal(err)
	}
	if got := mustBuild(t, s, b.ID()); got.Status != Stopped || got.Message != "stopped by ada" || len(s.queue.all) != 0 {
		t.Errorf("the build is %s (%s), with %d entries in the queue", got.Status, got.Message, len(s.queue.all))
	}
}

func TestARestartRemembersThatFastFailIsDue(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	b := queued(t, s, fanout(2, true))
	first, l := take(t, s)
	second, _ := take(t, s)
	if err := s.finish(first, l.attempt.Token, red); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // before the sibling's attempt has heard of it
		t.Fatal(err)
	}
	s = open(t, path)
	if _, err := s.recover(); err != nil {
		t.Fatal(err)
	}
	select {
	case req := <-s.queue.all[entryKey(b.ID(), second.job)].stop:
		if req.Reason != "fast_fail" {
			t.Errorf("the sibling is stopped for %s", req.Reason)
		}
	default:
		t.Error("after the restart the sibling runs on")
	}
}

// BenchmarkFinishInALargeBatch ends one job of a build with many. It must not grow with their number.
func BenchmarkFinishInALargeBatch(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("%d jobs", n), func(b *testing.B) {
			s := open(b, b.TempDir()+"/state.db")
			var plan buildspec.Plan
			for i := range n {
				id := fmt.Sprintf("j%d", i)
				plan.Jobs = append(plan.Jobs, buildspec.Job{ID: id, Name: id, Phases: make([]buildspec.Phase, 4)})
			}
			build := queued(b, s, plan)
			s.db.NoSync = true // the disk is not what is measured
			b.ResetTimer()
			for i := range b.N {
				e := s.queue.all[entryKey(build.ID(), fmt.Sprintf("j%d", i%n))]
				if e == nil {
					b.Skip("more rounds than jobs")
				}
				s.queue.lease(e)
				l, err := s.lease(b.Context(), e)
				if err == nil {
					err = s.finish(e, l.attempt.Token, green)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
