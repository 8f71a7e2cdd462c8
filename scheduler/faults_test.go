package scheduler

import (
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

func lostBox(begun bool) runner.Result {
	return runner.Result{Status: wire.StatusFault, Reason: "sandbox_lost", Message: "it is gone", Transient: true, Begun: begun}
}

// withSecret is a plan of one job that is given a parameter.
func withSecret() buildspec.Plan {
	plan := fanout(1, false)
	plan.Jobs[0].Parameters = []buildspec.Parameter{{Name: "TOKEN", From: "/deploy/token"}}
	return plan
}

func TestWhichFaultsAreTriedAgain(t *testing.T) {
	lasting := lostBox(false)
	lasting.Transient = false
	tests := []struct {
		name            string
		plan            buildspec.Plan
		trusted         bool
		daemon, project string
		res             runner.Result
		again           bool
		says            string
	}{
		{"without secrets, a lost container is", fanout(1, false), true, "", "", lostBox(true), true, ""},
		{"with secrets, one whose commands began is not", withSecret(), true, "", "", lostBox(true), false, "before-commands"},
		{"with secrets, one whose commands had not begun is", withSecret(), true, "", "", lostBox(false), true, ""},
		{"an untrusted build is given none that is protected", withSecret(), false, "", "", lostBox(true), true, ""},
		{"the project may dare it", withSecret(), true, "never", "always", lostBox(true), true, ""},
		{"the daemon may forbid it", fanout(1, false), true, "never", "", lostBox(false), false, ""},
		{"the daemon may be careful", fanout(1, false), true, "before-commands", "", lostBox(true), false, "runner retry"},
		{"what another try cannot mend is not", fanout(1, false), true, "always", "", lasting, false, ""},
		{"a failure is not", fanout(1, false), true, "always", "", red, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config.Default()
			api := config.Project{Name: "api", URL: "https://example.com/api.git", Branch: "main", RetryFaults: tt.project}
			api.Fill()
			cfg.RetryFaults, cfg.Projects = tt.daemon, []config.Project{api}
			s := openWith(t, statePath(t), cfg)
			b := queued(t, s, tt.plan)
			b.Trusted = tt.trusted
			if err := s.db.Update(func(tx *bbolt.Tx) error { return putBuild(tx, &b) }); err != nil {
				t.Fatal(err)
			}
			e, l := take(t, s)
			if err := s.finish(e, l.attempt.Token, tt.res); err != nil {
				t.Fatal(err)
			}
			jobs, err := s.Jobs(b.ID())
			if err != nil {
				t.Fatal(err)
			}
			j := jobs[0]
			if again := j.State == JobQueued && j.Again != nil; again != tt.again {
				t.Fatalf("the job is %s, again %v; want it tried again: %v", j.State, j.Again, tt.again)
			}
			if !strings.Contains(j.Attempts[0].Message, tt.says) {
				t.Errorf("the message is %q, want %q in it", j.Attempts[0].Message, tt.says)
			}
			if tt.again && !strings.Contains(j.Why, "sandbox_lost") {
				t.Errorf("the job says %q of why it waits, want the reason", j.Why)
			}
		})
	}
}

func TestFaultsOfABuildHaveABudgetTogether(t *testing.T) {
	s := open(t, statePath(t))
	b := queued(t, s, fanout(8, false))
	tries := 0
	for ; ; tries++ {
		if s.Queued() == 0 {
			break
		}
		e, l := take(t, s)
		if err := s.finish(e, l.attempt.Token, lostBox(false)); err != nil {
			t.Fatal(err)
		}
	}
	if want := 8 + buildFaults; tries != want {
		t.Errorf("a machine that loses every container was given %d attempts, want %d", tries, want)
	}
	got := mustBuild(t, s, b.ID())
	if got.Status != Fault || !strings.Contains(got.Message, "see to the machine") && !strings.Contains(got.Message, "tried 4 times") {
		t.Errorf("the build is %s: %s", got.Status, got.Message)
	}
}

func TestTheWaitAfterAFaultOutlivesTheDaemon(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	b := queued(t, s, fanout(1, false))
	e, l := take(t, s)
	if err := s.finish(e, l.attempt.Token, lostBox(false)); err != nil {
		t.Fatal(err)
	}
	jobs, _ := s.Jobs(b.ID())
	want := *jobs[0].Again
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if _, err := s.recover(); err != nil {
		t.Fatal(err)
	}
	if e = s.queue.get(b.ID(), "BuildFanoutShard1"); e == nil || e.state != JobQueued {
		t.Fatal("the job is not queued after a restart")
	}
	if left := time.Until(e.notBefore); left <= 0 || left > want.Pause {
		t.Errorf("after a restart it waits %s, want what is left of %s", left, want.Pause)
	}
	if next(s.queue, limits{slots: 1, maxJobs: func(string) int { return 0 }, now: time.Now()}) != nil {
		t.Error("it is given a slot before its wait is over")
	}
	if _, err := s.Stop(t.Context(), b.ID(), "ada"); err != nil {
		t.Fatal(err)
	}
	if got := mustBuild(t, s, b.ID()); got.Status != Stopped || got.Reason != "stopped" {
		t.Errorf("a stop during the wait leaves the build %s (%s)", got.Status, got.Reason)
	}
}

func TestAWaitIsNoLongerThanItWasToBe(t *testing.T) {
	now := time.Now()
	a := &Again{At: now.Add(10 * time.Second), Pause: 10 * time.Second}
	for name, tt := range map[string]struct {
		now  time.Time
		want time.Duration
	}{
		"halfway":                {now.Add(5 * time.Second), 5 * time.Second},
		"over":                   {now.Add(time.Hour), 0},
		"the clock was set back": {now.Add(-48 * time.Hour), 10 * time.Second},
	} {
		if got := a.left(tt.now); got != tt.want {
			t.Errorf("%s: %s are left, want %s", name, got, tt.want)
		}
	}
	if (*Again)(nil).left(now) != 0 {
		t.Error("no wait is left of none")
	}
}

func TestPausesGrowAndDiffer(t *testing.T) {
	least := time.Duration(0)
	for retries := range maxFaults {
		seen := map[time.Duration]bool{}
		for range 20 {
			p := againAfter(retries, "x", time.Now()).Pause
			if p <= least {
				t.Fatalf("the pause before retry %d is %s, no longer than %s before the last", retries+1, p, least)
			}
			seen[p] = true
		}
		if len(seen) < 2 {
			t.Errorf("all pauses before retry %d are the same", retries+1)
		}
		for p := range seen {
			least = max(least, p)
		}
	}
}

func TestAQueueTimeOutEndsTheWaitAfterAFault(t *testing.T) {
	s := open(t, statePath(t))
	b := queued(t, s, fanout(1, false))
	e, l := take(t, s)
	if err := s.finish(e, l.attempt.Token, lostBox(false)); err != nil {
		t.Fatal(err)
	}
	s.sweepQueue(time.Now().Add(48 * time.Hour))
	got := mustBuild(t, s, b.ID())
	if got.Status != TimedOut || got.Reason != "queue_timeout" || !strings.Contains(got.Message, "sandbox_lost") {
		t.Errorf("the build is %s (%s): %s; want TIMED_OUT (queue_timeout) with the fault named", got.Status, got.Reason, got.Message)
	}
}

func TestAnAttemptAfterAFaultSaysWhyItIs(t *testing.T) {
	s := open(t, statePath(t))
	s.runner = &runner.Runner{}
	queued(t, s, fanout(1, false))
	e, l := take(t, s)
	if err := s.finish(e, l.attempt.Token, lostBox(false)); err != nil {
		t.Fatal(err)
	}
	e, l = take(t, s)
	a, err := s.attempt(t.Context(), e, l)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(a.Preface, "sandbox_lost") || a.Begun {
		t.Errorf("the second attempt begins with %q, begun %v", a.Preface, a.Begun)
	}
	l.attempt.Sent, l.attempt.Boot = true, "another"
	if a, err = s.attempt(t.Context(), e, l); err != nil || !a.Begun {
		t.Errorf("after a reboot a job that was sent counts as begun: %v %v", a.Begun, err)
	}
}

func TestAPlanIsTriedAgainWithinABudget(t *testing.T) {
	s := open(t, statePath(t))
	tr := accept(t, s, Trigger{Kind: KindPush, Projects: []string{"api"}, Ref: "refs/heads/main", Commit: "c0ffee"})
	builds, err := s.planTrigger(&tr)
	if err != nil || len(builds) != 1 {
		t.Fatalf("the trigger made %v (%v), want one build", builds, err)
	}
	b := builds[0]
	again := func(f planFailure) time.Duration {
		wait, err := s.planAgain(&b, &f)
		if err != nil {
			t.Fatal(err)
		}
		return wait
	}
	down := planFailure{status: Fault, reason: "source_unreachable", message: "no answer", passing: true}
	for name, f := range map[string]planFailure{
		"a failure":          {status: Failed, reason: "buildspec", passing: true},
		"what does not pass": {status: Fault, reason: "source_tls"},
	} {
		if wait := again(f); wait != 0 {
			t.Errorf("%s is planned again in %s", name, wait)
		}
	}
	for n := range maxFaults {
		wait := again(down)
		got := mustBuild(t, s, b.ID())
		if wait == 0 || got.Again.left(time.Now()) == 0 || !strings.Contains(got.Message, "no answer; trying again") || got.Status != InProgress {
			t.Errorf("try %d: it waits %s, and the build says %s: %q", n+1, wait, got.Status, got.Message)
		}
	}
	if wait := again(down); wait != 0 {
		t.Errorf("after %d tries it is planned again in %s", maxFaults, wait)
	}
	if err := s.failBuild(b, &down); err != nil {
		t.Fatal(err)
	}
	if got := mustBuild(t, s, b.ID()); got.Status != Fault || got.Again != nil || got.Faults != maxFaults {
		t.Errorf("in the end it is %s, waits %v, tried %d times", got.Status, got.Again, got.Faults)
	}
}
