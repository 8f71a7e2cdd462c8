package scheduler

import (
	"strings"
	"testing"

	"github.com/runner-ci/runner/config"
)

// pushTo is a push to a branch, as a webhook tells of it.
func pushTo(ref, commit string) Trigger {
	return Trigger{Kind: KindPush, Event: "PUSH", Projects: []string{"api"}, Ref: ref, HeadRef: ref, Commit: commit, Read: true}
}

// build plans a trigger as the planner does, and returns its only build.
func build(t *testing.T, s *Scheduler, tr Trigger) Build {
	t.Helper()
	tr = accept(t, s, tr)
	builds, err := s.planTrigger(&tr)
	if err != nil || len(builds) != 1 {
		t.Fatalf("%s is %s (%s) with %d builds, %v", tr.ID, tr.Outcome, tr.Reason, len(builds), err)
	}
	return builds[0]
}

// enter brings a build that was made into the queue, with n jobs.
func enter(t *testing.T, s *Scheduler, b Build, n int) Build {
	t.Helper()
	plan := fanout(n, false)
	b.Plan = &plan
	if err := s.queueBuild(t.Context(), b, newJobs(&b)); err != nil {
		t.Fatal(err)
	}
	return b
}

// sound checks the invariants of a state file whose scheduler is closed by that.
func sound(t *testing.T, s *Scheduler, path string) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	state, err := OpenState(path)
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	if err := state.Check(func(problem string) { t.Error(problem) }); err != nil {
		t.Fatal(err)
	}
}

func TestANewerPushStopsWhatOlderOnesBuild(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	running := enter(t, s, build(t, s, pushTo("refs/heads/fast", "c0ffee")), 2)
	e, l := take(t, s) // one job runs, the other waits
	planning := build(t, s, pushTo("refs/heads/fast", "c0ffe1"))
	if got := mustBuild(t, s, running.ID()); got.StopBy != planning.ID() || got.StopCause != "superseded" {
		t.Errorf("stopped by %q for %q", got.StopBy, got.StopCause)
	}
	if got := jobStates(t, s, running.ID()); got[0] != "leased IN_PROGRESS " || got[1] != "ended STOPPED superseded" {
		t.Errorf("jobs %q", got)
	}
	select {
	case req := <-e.stop:
		if req.Reason != "superseded" || !strings.Contains(req.Message, planning.ID()) {
			t.Errorf("the job was told %+v", req)
		}
	default:
		t.Error("the job that runs was not told to stop")
	}
	if err := s.finish(e, l.attempt.Token, red); err != nil {
		t.Fatal(err)
	}
	newest := build(t, s, pushTo("refs/heads/fast", "c0ffe2"))
	if err := s.queueBuild(t.Context(), enterless(planning), nil); err == nil {
		t.Error("a build that is to stop was queued")
	}
	if _, err := s.Stop(t.Context(), planning.ID(), "ada"); err != nil {
		t.Fatal(err)
	}
	planning = mustBuild(t, s, planning.ID())
	reason, message := planning.whyStopped()
	if err := s.failBuild(planning, &planFailure{status: Stopped, reason: reason, message: message}); err != nil {
		t.Fatal(err)
	}
	for id, by := range map[string]string{running.ID(): planning.ID(), planning.ID(): newest.ID()} {
		b := mustBuild(t, s, id)
		if want := "superseded by " + by + ", the build of a newer push to fast"; b.Status != Stopped || b.Reason != "superseded" || b.Message != want {
			t.Errorf("%s is %s, %s: %q, want %q", id, b.Status, b.Reason, b.Message, want)
		}
	}
	if b := mustBuild(t, s, newest.ID()); b.Status != InProgress || b.StopBy != "" {
		t.Errorf("the newest is %s, stopped by %q", b.Status, b.StopBy)
	}
	sound(t, s, path)
}

// enterless gives a build a plan, which is not stored.
func enterless(b Build) Build {
	plan := fanout(1, false)
	b.Plan = &plan
	return b
}

// TestADaemonThatDiesBetweenSupersedingAndTelling leaves nobody who was told: the next daemon reads from the rows what to do.
func TestADaemonThatDiesBetweenSupersedingAndTelling(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	old := enter(t, s, build(t, s, pushTo("refs/heads/fast", "c0ffee")), 1)
	take(t, s)
	s.mu.Lock()
	s.queue = newQueue() // so that what follows the commit reaches nobody
	s.mu.Unlock()
	newer := build(t, s, pushTo("refs/heads/fast", "c0ffe1"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	unplanned, err := s.recover()
	if err != nil || len(unplanned) != 1 || unplanned[0].ID() != newer.ID() {
		t.Fatalf("builds to plan: %v, %v; want %s", unplanned, err, newer.ID())
	}
	held := s.leases()
	if len(held) != 1 || held[0].build != old.ID() {
		t.Fatalf("leases %+v", held)
	}
	select {
	case req := <-held[0].stop:
		if req.Reason != "superseded" {
			t.Errorf("told %+v", req)
		}
	default:
		t.Error("the attempt that is adopted is not told to stop")
	}
	sound(t, s, path)
}

func TestWhatIsNeverSuperseded(t *testing.T) {
	manual := Trigger{Kind: KindManual, Projects: []string{"api"}, Ref: "refs/heads/fast"}
	submit := Trigger{Kind: KindSubmit, Projects: []string{"api"}, Ref: "refs/heads/fast"}
	tag := Trigger{Kind: KindTag, Event: "PUSH", Projects: []string{"api"}, Ref: "refs/tags/v1", Commit: "c0ffee"}
	pull := Trigger{Kind: KindPullRequest, Event: "PULL_REQUEST_UPDATED", Projects: []string{"api"}, Ref: "refs/pull/7/head", PullRequest: 7, Commit: "c0ffee"}
	other := pull
	other.PullRequest, other.Ref = 8, "refs/pull/8/head"
	onBranch, ofBranch := pull, pushTo("refs/heads/fast", "c0ffee") // a forge that has no ref for a pull request
	onBranch.Ref = "refs/heads/fast"
	fast, main := pushTo("refs/heads/fast", "c0ffee"), pushTo("refs/heads/main", "c0ffee")
	for _, c := range []struct {
		name         string
		older, newer Trigger
		change       func(*config.Project)
		stops        bool
	}{
		{"a branch", fast, fast, nil, true},
		{"a pull request", pull, pull, nil, true},
		{"the default branch", main, main, nil, false},
		{"the default branch, where it is not protected", main, main, func(p *config.Project) { p.Protected = []string{"release/*"} }, true},
		{"a protected branch", fast, fast, func(p *config.Project) { p.Protected = []string{"fast"} }, false},
		{"nobody knows the default branch", fast, fast, func(p *config.Project) { p.Branch = "" }, false},
		{"switched off", fast, fast, func(p *config.Project) { p.CancelSuperseded = config.CancelNo }, false},
		{"a tag", tag, tag, nil, false},
		{"started by hand", manual, fast, nil, false},
		{"by one started by hand", fast, manual, nil, false},
		{"a submit", submit, submit, nil, false},
		{"another branch", fast, pushTo("refs/heads/faster", "c0ffee"), nil, false},
		{"another pull request", pull, other, nil, false},
		{"a push and a pull request of one branch", ofBranch, onBranch, nil, false},
		{"a pull request and a push of one branch", onBranch, ofBranch, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := *config.Default()
			p := config.Project{Name: "api", URL: "https://example.com/api.git", Branch: "main"}
			p.Fill()
			if c.change != nil {
				c.change(&p)
			}
			cfg.Projects = []config.Project{p}
			s := openWith(t, statePath(t), &cfg)
			old := enter(t, s, build(t, s, c.older), 1)
			build(t, s, c.newer)
			if b := mustBuild(t, s, old.ID()); (b.Reason == "superseded") != c.stops {
				t.Errorf("it is %s (%s); it should be superseded: %t", b.Status, b.Reason, c.stops)
			}
		})
	}
}

// TestATriggerThatWasOvertakenBuildsNothing: the newer push was numbered first.
func TestATriggerThatWasOvertakenBuildsNothing(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	late := accept(t, s, pushTo("refs/heads/fast", "c0ffee"))
	first := build(t, s, pushTo("refs/heads/fast", "c0ffe1"))
	builds, err := s.planTrigger(&late)
	if want := "superseded: " + first.ID() + " is of a newer push to fast"; err != nil || len(builds) != 0 || late.Outcome != OutcomeSkipped || late.Reason != want {
		t.Errorf("it is %s, %q, with %d builds (%v), want %q", late.Outcome, late.Reason, len(builds), err, want)
	}
	kept := accept(t, s, pushTo("refs/heads/main", "c0ffee"))
	build(t, s, pushTo("refs/heads/main", "c0ffe1"))
	if builds, err := s.planTrigger(&kept); err != nil || len(builds) != 1 {
		t.Errorf("of a protected branch each push is built: %d, %v", len(builds), err)
	}
	sound(t, s, path)
}

func TestOfSeveralProjectsEachHasItsFilters(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	for name, p := range map[string]config.Project{
		"web":  {Filters: []config.FilterGroup{{f("EVENT", "PUSH"), f("HEAD_REF", "^refs/heads/web")}}},
		"docs": {Paths: []string{"docs/**"}},
	} {
		p.Name, p.URL = name, "https://example.com/api.git"
		if err := s.PutProject(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	tr := pushTo("refs/heads/fast", "c0ffee")
	tr.Projects = []string{"api", "docs", "web"}
	tr = accept(t, s, tr)
	d, err := s.decide(&tr, nil)
	if err != nil || !d.asks {
		t.Fatalf("before git was asked: %+v, %v", d, err)
	}
	git := looks{"https://example.com/api.git": {message: "x", files: []string{"src/a"}, looked: true}}
	if d, err = s.decide(&tr, git); err != nil {
		t.Fatal(err)
	}
	builds, err := s.commitTrigger(&tr, d)
	if err != nil || len(builds) != 1 || builds[0].Project != "api" || tr.Outcome != OutcomeBuilt {
		t.Fatalf("%s with %v, %v", tr.Outcome, tr.Builds, err)
	}
	stored, err := s.Trigger(tr.ID)
	if err != nil || len(stored.Skipped) != 2 {
		t.Fatalf("%+v, %v", stored.Skipped, err)
	}
	if x := stored.Skipped[0]; x.Project != "docs" || !x.Passed || x.Reason != "no file under docs/** changed" {
		t.Errorf("%+v", x)
	}
	if x := stored.Skipped[1]; x.Project != "web" || x.Passed || !strings.Contains(x.Reason, "HEAD_REF") {
		t.Errorf("%+v", x)
	}
	// Whoever comes second with a trigger that is settled changes nothing.
	if again, err := s.commitTrigger(&tr, d); err != nil || len(again) != 0 || lastOf(t, s, "api") != 1 {
		t.Errorf("again: %d builds, %v", len(again), err)
	}
	sound(t, s, path)
}

func lastOf(t *testing.T, s *Scheduler, project string) int {
	t.Helper()
	p, err := s.Project(project)
	if err != nil {
		t.Fatal(err)
	}
	return p.LastNumber
}

func TestSkippedTriggersMakeNoNumber(t *testing.T) {
	s := open(t, statePath(t))
	said := pushTo("refs/heads/main", "c0ffee")
	said.SkipWord = "[skip ci]"
	tr := accept(t, s, said)
	if tr.Outcome != OutcomeSkipped || !strings.Contains(tr.Reason, "[skip ci]") || len(tr.Builds) != 0 || lastOf(t, s, "api") != 0 {
		t.Errorf("it is %s: %q, with %v; the newest number is %d", tr.Outcome, tr.Reason, tr.Builds, lastOf(t, s, "api"))
	}
	fork := forkRequest("c0ffee")
	policy(t, s, config.ApproveForks)
	cfg := *s.config()
	cfg.Projects[0].Filters = []config.FilterGroup{{f("EVENT", "PULL_REQUEST_MERGED")}}
	if tr := accept(t, s, fork); tr.Outcome != OutcomeSkipped || !strings.Contains(tr.Reason, "EVENT") {
		t.Errorf("a fork's request that no filter lets through is %s (%s): nobody is to look at it", tr.Outcome, tr.Reason)
	}
}
