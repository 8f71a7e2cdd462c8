package scheduler

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// open makes a scheduler on a real state file, with the project api in its configuration. Nothing runs: the tests
// take the steps themselves, as the loops would.
func open(t testing.TB, path string) *Scheduler {
	t.Helper()
	cfg := config.Default()
	p := config.Project{Name: "api", URL: "https://example.com/api.git", Branch: "main"}
	p.Fill()
	cfg.Projects = []config.Project{p}
	return openWith(t, path, cfg)
}

func openWith(t testing.TB, path string, cfg *config.Config) *Scheduler {
	t.Helper()
	s, err := Open(path, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.tests.hold = 0 // shards take turns here
	t.Cleanup(func() { s.Close() })
	return s
}

func statePath(t *testing.T) string { return filepath.Join(t.TempDir(), "state.db") }

func accept(t testing.TB, s *Scheduler, tr Trigger) Trigger {
	t.Helper()
	stored, _, err := s.Accept(t.Context(), tr)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// queued brings a build of the given jobs to the point where the dispatcher takes over.
func queued(t testing.TB, s *Scheduler, plan buildspec.Plan) Build {
	t.Helper()
	return queuedIn(t, s, plan, nil)
}

// queuedIn is queued, with images.
func queuedIn(t testing.TB, s *Scheduler, plan buildspec.Plan, images map[string]runner.Image) Build {
	t.Helper()
	tr := accept(t, s, Trigger{Kind: KindPush, Projects: []string{"api"}, Ref: "refs/heads/main", Commit: "c0ffee"})
	builds, err := s.planTrigger(&tr)
	if err != nil || len(builds) != 1 {
		t.Fatalf("the trigger made %v (%v), want one build", builds, err)
	}
	b := builds[0]
	b.Plan, b.Images = &plan, images
	if err := s.queueBuild(t.Context(), b, newJobs(&b)); err != nil {
		t.Fatal(err)
	}
	return b
}

func fanout(n int, fastFail bool) buildspec.Plan {
	p := buildspec.Plan{FastFail: fastFail}
	for i := range n {
		p.Jobs = append(p.Jobs, buildspec.Job{ID: fmt.Sprintf("BuildFanoutShard%d", i+1), Name: fmt.Sprintf("shard %d/%d", i+1, n), Shard: i, Shards: n})
	}
	return p
}

// take leases the next job as the dispatcher does.
func take(t *testing.T, s *Scheduler) (*entry, leased) {
	t.Helper()
	s.mu.Lock()
	e := next(s.queue, limits{slots: 100, maxJobs: func(string) int { return 0 }, served: s.served, now: time.Now().Add(time.Hour)})
	if e != nil {
		s.queue.lease(e)
	}
	s.mu.Unlock()
	if e == nil {
		t.Fatal("no job waits")
	}
	l, err := s.lease(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return e, l
}

func jobStates(t *testing.T, s *Scheduler, build string) (out []string) {
	t.Helper()
	jobs, err := s.Jobs(build)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		if j.State == JobEnded && (j.EndedAt.IsZero() || j.Why != "") {
			t.Errorf("job %s ended at %v and waits for %q", j.ID, j.EndedAt, j.Why)
		}
		out = append(out, fmt.Sprintf("%s %s %s", j.State, j.Status, j.Reason))
	}
	return out
}

func mustBuild(t *testing.T, s *Scheduler, id string) Build {
	t.Helper()
	b, err := s.Build(id)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var (
	green = runner.Result{Status: wire.StatusSucceeded}
	red   = runner.Result{Status: wire.StatusFailed, Reason: "command_failed", Message: "go test exited with status 1", Exit: 1}
)

func TestOneDeliveryIsOneTriggerHoweverOftenItComes(t *testing.T) {
	s := open(t, statePath(t))
	var wg sync.WaitGroup
	ids := make([]string, 20)
	for i := range ids {
		wg.Go(func() {
			tr, _, err := s.Accept(t.Context(), Trigger{Kind: KindPush, Projects: []string{"api"}, Delivery: "github:1"})
			if err != nil {
				t.Error(err)
			}
			ids[i] = tr.ID
		})
	}
	wg.Wait()
	if slices.Sort(ids); ids[0] != ids[19] {
		t.Errorf("one delivery became the triggers %v", slices.Compact(ids))
	}
}

func TestAnAcceptedTriggerSurvivesARestart(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	tr := accept(t, s, Trigger{Kind: KindPush, Projects: []string{"api"}, Ref: "refs/heads/main"})
	instance, epoch := s.Instance(), s.Epoch()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if s.Instance() != instance || s.Epoch() != epoch+1 {
		t.Errorf("instance %s epoch %d after %s %d; want the same one, a greater epoch", s.Instance(), s.Epoch(), instance, epoch)
	}
	builds := s.planTriggers(t.Context())
	if len(builds) != 1 || builds[0].ID() != "api#1" || builds[0].Trigger != tr.ID {
		t.Fatalf("after the restart the trigger made %+v, want api#1", builds)
	}
	if again := s.planTriggers(t.Context()); len(again) != 0 {
		t.Errorf("the trigger made builds twice: %+v", again)
	}
	if unplanned, err := s.recover(); err != nil || len(unplanned) != 1 {
		t.Errorf("a build without a plan is not taken up: %v %v", unplanned, err)
	}
}

func TestABuildSucceedsWhenAllItsJobsDo(t *testing.T) {
	s := open(t, statePath(t))
	b := queued(t, s, fanout(3, false))
	for range 3 {
		e, l := take(t, s)
		if err := s.finish(e, l.attempt.Token, green); err != nil {
			t.Fatal(err)
		}
	}
	got := mustBuild(t, s, b.ID())
	if got.Status != Succeeded || got.EndedAt.IsZero() || got.Phase != "COMPLETED" {
		t.Errorf("the build is %s in %s", got.Status, got.Phase)
	}
	if n := len(s.queue.all); n != 0 {
		t.Errorf("%d entries stay in the queue", n)
	}
}

func TestAFailedShardFailsTheBuildAndIsNamed(t *testing.T) {
	s := open(t, statePath(t))
	b := queued(t, s, fanout(3, false))
	for i := range 3 {
		e, l := take(t, s)
		res := green
		if i == 1 {
			res = red
		}
		if err := s.finish(e, l.attempt.Token, res); err != nil {
			t.Fatal(err)
		}
	}
	got := mustBuild(t, s, b.ID())
	if want := "shard 2/3: go test exited with status 1"; got.Status != Failed || got.Message != want {
		t.Errorf("the build is %s (%s), want FAILED (%s)", got.Status, got.Message, want)
	}
}

func TestFastFailStopsWhatWaitsAndWhatRuns(t *testing.T) {
	s := open(t, statePath(t))
	b := queued(t, s, fanout(3, true))
	first, l1 := take(t, s)
	second, l2 := take(t, s)
	if err := s.finish(first, l1.attempt.Token, red); err != nil {
		t.Fatal(err)
	}
	select {
	case req := <-second.stop:
		if req.Reason != "fast_fail" {
			t.Errorf("the sibling is stopped for %s", req.Reason)
		}
	default:
		t.Error("the running sibling was not told to stop")
	}
	stopped := runner.Result{Status: wire.StatusStopped, Reason: "fast_fail"}
	if err := s.finish(second, l2.attempt.Token, stopped); err != nil {
		t.Fatal(err)
	}
	want := []string{"ended FAILED command_failed", "ended STOPPED fast_fail", "ended STOPPED fast_fail"}
	if got := jobStates(t, s, b.ID()); !slices.Equal(got, want) {
		t.Errorf("the jobs are %q, want %q", got, want)
	}
	if got := mustBuild(t, s, b.ID()); got.Status != Failed {
		t.Errorf("the build is %s, want FAILED", got.Status)
	}
}

func TestIgnoredFailuresDoNotFailTheBuild(t *testing.T) {
	s := open(t, statePath(t))
	plan := fanout(2, true)
	plan.Jobs[0].IgnoreFailure = true
	b := queued(t, s, plan)
	e, l := take(t, s)
	if err := s.finish(e, l.attempt.Token, red); err != nil {
		t.Fatal(err)
	}
	e, l = take(t, s)
	if err := s.finish(e, l.attempt.Token, green); err != nil {
		t.Fatal(err)
	}
	if got := mustBuild(t, s, b.ID()); got.Status != Succeeded {
		t.Errorf("the build is %s, want SUCCEEDED", got.Status)
	}
}

func TestDependentsWaitAndFailWithWhatTheyDependOn(t *testing.T) {
	s := open(t, statePath(t))
	b := queued(t, s, buildspec.Plan{Jobs: []buildspec.Job{
		{ID: "test", Name: "test"},
		{ID: "image", Name: "image", DependsOn: []string{"test"}},
		{ID: "deploy", Name: "deploy", DependsOn: []string{"image"}},
	}})
	if got, want := jobStates(t, s, b.ID()), []string{"queued IN_PROGRESS ", "blocked IN_PROGRESS ", "blocked IN_PROGRESS "}; !slices.Equal(got, want) {
		t.Fatalf("the jobs begin as %q, want %q", got, want)
	}
	e, l := take(t, s)
	if err := s.finish(e, l.attempt.Token, green); err != nil {
		t.Fatal(err)
	}
	e, l = take(t, s)
	if e.job != "image" {
		t.Fatalf("after test comes %s, want image", e.job)
	}
	if err := s.finish(e, l.attempt.Token, red); err != nil {
		t.Fatal(err)
	}
	if got := jobStates(t, s, b.ID())[2]; got != "ended FAILED dependency_failed" {
		t.Errorf("deploy is %q, want it to fail with its dependency", got)
	}
	if got := mustBuild(t, s, b.ID()); got.Status != Failed || got.Reason != "command_failed" {
		t.Errorf("the build is %s (%s), want the cause, not the consequence", got.Status, got.Reason)
	}
}

func TestALateAnswerFromALostHolderIsRefused(t *testing.T) {
	s := open(t, statePath(t))
	b := queued(t, s, fanout(1, false))
	e, old := take(t, s)
	transient := runner.Result{Status: wire.StatusFault, Reason: "engine_unavailable", Transient: true}
	if err := s.finish(e, old.attempt.Token, transient); err != nil {
		t.Fatal(err)
	}
	if got := jobStates(t, s, b.ID()); got[0] != "queued IN_PROGRESS " {
		t.Fatalf("after a fault of the machine the job is %q, want it queued again", got)
	}
	e, fresh := take(t, s)
	if fresh.attempt.Number != 2 || fresh.attempt.Sandbox == old.attempt.Sandbox {
		t.Errorf("the second attempt is number %d in sandbox %s, the first was in %s", fresh.attempt.Number, fresh.attempt.Sandbox, old.attempt.Sandbox)
	}
	if err := s.finish(e, old.attempt.Token, red); !errors.Is(err, ErrFenced) {
		t.Errorf("the lost holder's result was answered %v, want ErrFenced", err)
	}
	ev := &attemptEvents{s: s, build: e.build, job: e.job, token: old.attempt.Token}
	if err := ev.Sent(t.Context()); !errors.Is(err, ErrFenced) {
		t.Errorf("the lost holder's event was answered %v, want ErrFenced", err)
	}
	if err := s.finish(e, fresh.attempt.Token, green); err != nil {
		t.Fatal(err)
	}
	if got := mustBuild(t, s, b.ID()); got.Status != Succeeded {
		t.Errorf("the build is %s, want SUCCEEDED", got.Status)
	}
}

func TestFaultsAreTriedAgainWithinABudget(t *testing.T) {
	s := open(t, statePath(t))
	b := queued(t, s, fanout(1, false))
	transient := runner.Result{Status: wire.StatusFault, Reason: "engine_unavailable", Message: "no engine", Transient: true}
	for range maxFaults + 1 {
		e, l := take(t, s)
		if err := s.finish(e, l.attempt.Token, transient); err != nil {
			t.Fatal(err)
		}
	}
	if got := mustBuild(t, s, b.ID()); got.Status != Fault || got.Reason != "engine_unavailable" {
		t.Errorf("the build is %s (%s), want FAULT (engine_unavailable)", got.Status, got.Reason)
	}
}

func TestStopEndsWhatWaitsAtOnceAndAsksWhatRuns(t *testing.T) {
	s := open(t, statePath(t))
	b := queued(t, s, fanout(2, false))
	e, l := take(t, s)
	for range 2 { // idempotent while it runs
		if _, err := s.Stop(t.Context(), b.ID(), "ada"); err != nil {
			t.Fatal(err)
		}
	}
	if req := <-e.stop; req.Message != "stopped by ada" {
		t.Errorf("the running job is told %q", req.Message)
	}
	if err := s.finish(e, l.attempt.Token, runner.Result{Status: wire.StatusStopped, Reason: "stopped"}); err != nil {
		t.Fatal(err)
	}
	if got := mustBuild(t, s, b.ID()); got.Status != Stopped || got.Message != "stopped by ada" {
		t.Errorf("the build is %s (%s)", got.Status, got.Message)
	}
	if _, err := s.Stop(t.Context(), b.ID(), "ada"); !errors.Is(err, ErrEnded) {
		t.Errorf("stopping an ended build was answered %v, want ErrEnded", err)
	}
}

func TestAQueueThatStandsStillTimesOut(t *testing.T) {
	s := open(t, statePath(t))
	b := queued(t, s, fanout(2, false))
	s.sweepQueue(time.Now().Add(config.DefaultQueueTimeout - time.Minute))
	if got := mustBuild(t, s, b.ID()); got.Status != InProgress {
		t.Fatalf("the build is %s before the limit", got.Status)
	}
	s.sweepQueue(time.Now().Add(config.DefaultQueueTimeout + time.Minute))
	if got := mustBuild(t, s, b.ID()); got.Status != TimedOut || got.Reason != "queue_timeout" {
		t.Errorf("the build is %s (%s), want TIMED_OUT (queue_timeout)", got.Status, got.Reason)
	}
}

// TestAClockThatJumpsTimesNothingOut has a job that was queued two days ago by the clock, when the daemon starts again.
func TestAClockThatJumpsTimesNothingOut(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	b := queued(t, s, fanout(2, false))
	key := buildKey(b.Project, b.Number)
	err := s.db.Update(func(tx *bbolt.Tx) error {
		jobs, err := jobsOf(tx, key)
		for i := range jobs {
			jobs[i].Queued = jobs[i].Queued.Add(-48 * time.Hour)
			err = errors.Join(err, putJob(tx, key, i, &jobs[i]))
		}
		return err
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if _, err := s.recover(); err != nil {
		t.Fatal(err)
	}
	s.sweepQueue(time.Now().Add(config.DefaultQueueTimeout - time.Minute))
	if got := mustBuild(t, s, b.ID()); got.Status != InProgress {
		t.Errorf("the build is %s (%s) after a start", got.Status, got.Reason)
	}
	s.sweepQueue(time.Now().Add(config.DefaultQueueTimeout + time.Minute))
	if got := mustBuild(t, s, b.ID()); got.Reason != "queue_timeout" {
		t.Errorf("the build is %s (%s), want TIMED_OUT (queue_timeout) after the limit has passed again", got.Status, got.Reason)
	}
}

func TestListsArePagedNewestFirst(t *testing.T) {
	s := open(t, statePath(t))
	for range 7 {
		queued(t, s, fanout(1, false))
	}
	for _, project := range []string{"", "api"} {
		var got []int
		cursor := ""
		for {
			page, next, err := s.Builds(Filter{Project: project}, cursor, 3)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range page {
				got = append(got, b.Number)
				if b.Plan != nil {
					t.Error("a list carries plans")
				}
			}
			if cursor = next; next == "" {
				break
			}
		}
		if want := []int{7, 6, 5, 4, 3, 2, 1}; !slices.Equal(got, want) {
			t.Errorf("the pages of project %q hold %v, want %v", project, got, want)
		}
	}
	triggers, next, err := s.Triggers("", "", 5)
	if err != nil || len(triggers) != 5 || next == "" {
		t.Fatalf("%d triggers, next %q, %v", len(triggers), next, err)
	}
	rest, next, err := s.Triggers("", next, 5)
	if err != nil || len(rest) != 2 || next != "" {
		t.Errorf("the second page holds %d triggers, next %q, %v; want the last two", len(rest), next, err)
	}
}

func TestTheStateChecksClean(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	queued(t, s, fanout(3, false))
	e, l := take(t, s)
	if err := s.finish(e, l.attempt.Token, red); err != nil {
		t.Fatal(err)
	}
	take(t, s) // one leased, one queued
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	st, err := OpenState(path)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.Check(func(p string) {
		// The first sandbox's row goes with its sandbox; there is no engine here that had one.
		t.Error(p)
	}); err != nil {
		t.Fatal(err)
	}
}

// holds tells whether a file has these bytes in it.
func holds(t *testing.T, path, text string) bool {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(data), text)
}
