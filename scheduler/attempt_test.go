package scheduler

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// retrying makes a plan of one job that may be tried again up to count times.
func retrying(count int) buildspec.Plan {
	return buildspec.Plan{Jobs: []buildspec.Job{{ID: "build", Name: "build", Phases: []buildspec.Phase{
		{Name: "BUILD", OnFailure: "RETRY", Retry: &buildspec.Retry{Count: count, Pattern: ".*"}},
	}}}}
}

func TestOnFailureRetryMakesAttempts(t *testing.T) {
	asks := runner.Result{Status: wire.StatusFailed, Reason: "command_failed", Message: "flaky", Retry: true}
	lost := runner.Result{Status: wire.StatusFault, Reason: "engine_unavailable", Message: "no engine", Transient: true}
	lies := runner.Result{Status: wire.StatusSucceeded, Retry: true}
	repeat := func(r runner.Result, n int) []runner.Result { return slices.Repeat([]runner.Result{r}, n) }
	tests := []struct {
		name    string
		plan    buildspec.Plan
		results []runner.Result
		retries []int // that each attempt's job is told of
		status  Status
	}{
		{"it succeeds in the end", retrying(3), append(repeat(asks, 2), green), []int{0, 1, 2}, Succeeded},
		{"it asks once too often", retrying(2), repeat(asks, 3), []int{0, 1, 2}, Failed},
		{"its plan knows of no retry", fanout(1, false), repeat(asks, 1), []int{0}, Failed},
		{"none is left at a count of 0", retrying(0), repeat(asks, 1), []int{0}, Failed},
		{"one that succeeded asks", retrying(3), repeat(lies, 1), []int{0}, Succeeded},
		{"faults of the machine count by themselves", retrying(2), append(append(repeat(asks, 2), repeat(lost, 2)...), green), []int{0, 1, 2, 2, 2}, Succeeded},
		{"and have their own end", retrying(2), append(repeat(asks, 2), repeat(lost, maxFaults+1)...), []int{0, 1, 2, 2, 2, 2}, Fault},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, statePath(t))
			s.runner = &runner.Runner{}
			b := queued(t, s, tt.plan)
			var told []int
			for _, res := range tt.results {
				e, l := take(t, s)
				a, err := s.attempt(t.Context(), e, l)
				if err != nil {
					t.Fatal(err)
				}
				told = append(told, a.Job.Retries)
				if err := s.finish(e, l.attempt.Token, res); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(told, tt.retries) {
				t.Errorf("the attempts were told of %v retries, want %v", told, tt.retries)
			}
			if got := mustBuild(t, s, b.ID()); got.Status != tt.status {
				t.Errorf("the build is %s, want %s", got.Status, tt.status)
			}
			jobs, _ := s.Jobs(b.ID())
			logs := make(map[string]bool)
			for _, a := range jobs[0].Attempts {
				logs[a.Log] = true
			}
			if len(logs) != len(tt.results) {
				t.Errorf("%d attempts left %d logs", len(tt.results), len(logs))
			}
		})
	}
}

func TestAStoppedJobIsNotTriedAgain(t *testing.T) {
	s := open(t, statePath(t))
	b := queued(t, s, retrying(3))
	e, l := take(t, s)
	if _, err := s.Stop(t.Context(), b.ID(), "ada"); err != nil {
		t.Fatal(err)
	}
	if err := s.finish(e, l.attempt.Token, runner.Result{Status: wire.StatusFailed, Retry: true}); err != nil {
		t.Fatal(err)
	}
	if got := mustBuild(t, s, b.ID()); got.Status != Stopped {
		t.Errorf("the build is %s", got.Status)
	}
}

func TestFastFailOutweighsARetry(t *testing.T) {
	s := open(t, statePath(t))
	plan := fanout(2, true)
	plan.Jobs[1].Phases = retrying(3).Jobs[0].Phases
	b := queued(t, s, plan)
	first, l1 := take(t, s)
	second, l2 := take(t, s)
	if err := s.finish(first, l1.attempt.Token, red); err != nil {
		t.Fatal(err)
	}
	<-second.stop // it has been told, and ends as it would have
	if err := s.finish(second, l2.attempt.Token, runner.Result{Status: wire.StatusFailed, Retry: true}); err != nil {
		t.Fatal(err)
	}
	if got := mustBuild(t, s, b.ID()); got.Status != Failed {
		t.Errorf("the build is %s, want it to have ended", got.Status)
	}
}

func TestWhatAnAttemptLeavesIsInItsRow(t *testing.T) {
	s := open(t, statePath(t))
	b := queued(t, s, fanout(2, false))
	e, l := take(t, s)
	res := runner.Result{
		Status: wire.StatusSucceeded, Set: "set", Secondary: map[string]string{"docs": "set/docs"},
		Reports:  &runner.Reports{Set: "set/reports", Groups: []wire.ReportGroup{{Name: "unit", Format: "JUNITXML", Files: 2}}},
		Exported: []wire.Var{{Name: "TAG", Value: "v1"}},
	}
	if err := s.finish(e, l.attempt.Token, res); err != nil {
		t.Fatal(err)
	}
	jobs, err := s.Jobs(b.ID())
	if err != nil {
		t.Fatal(err)
	}
	a := jobs[0].Attempts[0]
	if a.Set != "set" || !reflect.DeepEqual(a.Secondary, res.Secondary) || !reflect.DeepEqual(a.Reports, res.Reports) || !slices.Equal(a.Exported, res.Exported) {
		t.Errorf("the row holds %+v", a)
	}
	_, blobs := s.Active() // the build's other job is open
	for _, id := range []string{a.Log, "set", "set/docs", "set/reports"} {
		if !blobs[id] {
			t.Errorf("%s may expire while its build runs", id)
		}
	}
}

func TestABreakpointHoldsAJobUntilSomebodyLetsItGoOn(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	b := queued(t, s, fanout(2, false))
	e, l := take(t, s)
	if _, err := s.Resume(t.Context(), b.ID(), "", "ada"); err == nil || !strings.Contains(err.Error(), "waits at no breakpoint") {
		t.Errorf("resuming what does not wait was answered %v", err)
	}
	ev := &attemptEvents{s: s, build: e.build, job: e.job, index: e.index, token: l.attempt.Token}
	yes, no := true, false
	if err := ev.Progress(t.Context(), runner.Progress{Frame: 1, Paused: &yes, Pause: 3}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path) // it waits through a restart
	if _, err := s.recover(); err != nil {
		t.Fatal(err)
	}
	jobs, _ := s.Jobs(b.ID())
	if j := jobs[0]; j.Attempts[0].Paused.IsZero() || !strings.Contains(j.Why, "runner resume "+b.ID()) {
		t.Errorf("the paused job says %q, since %v", j.Why, j.Attempts[0].Paused)
	}
	for range 2 { // an impatient person
		if ids, err := s.Resume(t.Context(), b.ID(), "", "ada"); err != nil || !slices.Equal(ids, []string{"BuildFanoutShard1"}) {
			t.Fatalf("resumed %v, %v", ids, err)
		}
	}
	want := runner.ResumeRequest{By: "ada", Pause: 3}
	e = s.queue.all[entryKey(b.ID(), e.job)]
	if req := <-e.resume; req != want || len(e.resume) != 0 {
		t.Errorf("it was let go on by %+v, and %d times more", req, len(e.resume))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path) // whoever was told that it goes on is not disappointed by a daemon that died before it did
	if _, err := s.recover(); err != nil {
		t.Fatal(err)
	}
	e = s.queue.all[entryKey(b.ID(), e.job)]
	select {
	case req := <-e.resume:
		if req != want {
			t.Errorf("after a restart it is let go on by %+v, want %+v", req, want)
		}
	default:
		t.Error("a restart forgot that somebody let the job go on")
	}
	ev.s = s
	if err := ev.Progress(t.Context(), runner.Progress{Frame: 2, Paused: &no}); err != nil {
		t.Fatal(err)
	}
	jobs, _ = s.Jobs(b.ID())
	if j := jobs[0]; !j.Attempts[0].Paused.IsZero() || j.Why != "" || resumeOf(&j) != nil {
		t.Errorf("the job that goes on says %q, since %v, and is let go on by %v", j.Why, j.Attempts[0].Paused, resumeOf(&j))
	}
	if _, err := s.Resume(t.Context(), b.ID(), "nope", "ada"); err == nil {
		t.Error("a job that does not exist was resumed")
	}
}

func TestAnAttemptHasAllThatItsJobAsksFor(t *testing.T) {
	t.Setenv("GIT_TOKEN", "tok-123")
	s := open(t, statePath(t))
	s.runner = &runner.Runner{}
	cfg := *s.config()
	p := cfg.Projects[0]
	p.Token, p.Privileged, p.Limits = "env:GIT_TOKEN", true, config.Limits{CPUs: 1, MemoryBytes: 2 * gib}
	cfg.Projects = []config.Project{p}
	if err := s.Configure(&cfg); err != nil {
		t.Fatal(err)
	}
	plan := buildspec.Plan{Jobs: []buildspec.Job{{
		ID: "build", Name: "build", Buildspec: "buildspec.yml", Version: "0.2", Image: "golang", Shell: "bash", Compute: "BUILD_GENERAL1_SMALL",
		Env: []buildspec.Var{{Name: "A", Value: "file"}}, BatchEnv: []buildspec.Var{{Name: "A", Value: "batch"}}, Exported: []string{"TAG"}, GitCredentials: true,
		Phases: []buildspec.Phase{
			{Name: "INSTALL", RunAs: "ci", Runtimes: []buildspec.Var{{Name: "golang", Value: "1.26"}}},
			{Name: "BUILD", Commands: []buildspec.Command{{Text: "make"}}, Finally: []buildspec.Command{{Text: "clean"}}, OnFailure: "RETRY", Retry: &buildspec.Retry{Count: 2, Pattern: "net"}},
		},
		Reports:    []buildspec.Report{{Group: "unit", Files: []string{"*.xml"}, Format: "JUNITXML", DiscardPaths: true}},
		Artifacts:  &buildspec.Artifacts{Files: []string{"out"}, Name: "app", EnableSymlinks: true},
		Secondary:  []buildspec.Artifacts{{ID: "docs", Files: []string{"doc"}, ExcludePaths: []string{"x"}}},
		Cache:      &buildspec.Cache{Paths: []string{"/root/.m2/**/*"}, Key: "k", Fallback: []string{"f"}, Action: "restore"},
		Services:   []buildspec.Service{{Name: "db", Image: "postgres", Env: []buildspec.Var{{Name: "P", Value: "1"}}, Health: &buildspec.Health{Command: "ok", Interval: 2, Timeout: 3, Retries: 4, StartPeriod: 5}}},
		Privileged: true, DebugSession: true,
	}}}
	queuedIn(t, s, plan, map[string]runner.Image{"golang": {ID: "sha256:1"}, "postgres": {ID: "sha256:2"}})
	e, l := take(t, s)
	l.build.Trusted = true
	a, err := s.attempt(t.Context(), e, l)
	if err != nil {
		t.Fatal(err)
	}
	limits := runner.Limits{CPUs: 1, MemoryBytes: 2 * gib, PIDs: config.DefaultPIDs, DiskBytes: config.DefaultDiskBytes, Files: config.DefaultFiles}
	want := []runner.Service{{Name: "db", Image: runner.Image{ID: "sha256:2"}, Env: []string{"P=1"}, Limits: limits,
		Health: &runner.Health{Command: "ok", Interval: 2 * time.Second, Timeout: 3 * time.Second, Retries: 4, StartPeriod: 5 * time.Second}}}
	if !reflect.DeepEqual(a.Services, want) || a.Limits != limits || !a.Privileged || a.Image.ID != "sha256:1" || a.Resume == nil {
		t.Errorf("the attempt has services %+v, limits %+v, privileged %t", a.Services, a.Limits, a.Privileged)
	}
	if got := fmt.Sprintf("%v → %s", a.Cache.Read, a.Cache.Write); got != "[api/protected] → api/protected" {
		t.Errorf("its caches are %s", got)
	}
	job := a.Job
	last := ""
	for _, v := range job.Env {
		if v.Name == "A" {
			last = v.Value
		}
	}
	job.Env = nil
	wantJob := wire.Job{
		Version: "0.2", Shell: "bash", Buildspec: "buildspec.yml", Exported: []string{"TAG"}, Privileged: true, Debug: true,
		Secrets: []string{"tok-123"}, Git: &wire.GitCredentials{URL: "https://example.com", Username: "git", Token: "tok-123"},
		Runtimes: []wire.Var{{Name: "golang", Value: "1.26"}},
		Phases: []wire.Phase{
			{Name: "INSTALL", RunAs: "ci"},
			{Name: "BUILD", Commands: []string{"make"}, Finally: []string{"clean"}, OnFailure: "RETRY", Retry: &wire.Retry{Count: 2, Pattern: "net"}},
		},
		Reports:   []wire.ReportSpec{{Group: "unit", Files: []string{"*.xml"}, Format: "JUNITXML", DiscardPaths: true}},
		Artifacts: &wire.ArtifactSpec{Files: []string{"out"}, Name: "app", EnableSymlinks: true},
		Secondary: []wire.ArtifactSpec{{ID: "docs", Files: []string{"doc"}, ExcludePaths: []string{"x"}}},
		Cache:     &wire.CacheSpec{Paths: []string{"/root/.m2/**/*"}, Key: "k", Fallback: []string{"f"}, Restore: true},
		Limits:    wire.Limits{LogBytes: config.DefaultLogBytes, ArtifactBytes: config.DefaultArtifactBytes, CacheBytes: config.DefaultCacheBytes, ReportBytes: config.DefaultReportBytes, FileBytes: config.DefaultDiskBytes},
	}
	if !reflect.DeepEqual(job, wantJob) || last != "batch" {
		t.Errorf("the agent reads\n%+v, want\n%+v\nand A=%s", job, wantJob, last)
	}
	l.build.Trusted, l.build.Fork = false, true
	if a, err = s.attempt(t.Context(), e, l); err != nil || a.Job.Git != nil || len(a.Job.Secrets) != 0 || a.Privileged || a.Job.Privileged {
		t.Errorf("a stranger gets git %v, secrets %v, privileged %t, %v", a.Job.Git, a.Job.Secrets, a.Privileged, err)
	}
}
