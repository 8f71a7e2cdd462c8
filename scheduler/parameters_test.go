package scheduler

import (
	"slices"
	"testing"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
)

// withParameters is a scheduler whose project api has a parameter with a default and one without.
func withParameters(t *testing.T, path string) *Scheduler {
	t.Helper()
	cfg := config.Default()
	p := config.Project{Name: "api", URL: "https://example.com/api.git", Branch: "main", Env: map[string]string{"TARGET": "by the project"}, BuildParameters: map[string]config.Parameter{
		"target": {Default: "staging"}, "replicas": {Type: "number"},
	}}
	p.Fill()
	cfg.Projects = []config.Project{p}
	return openWith(t, path, cfg)
}

// given returns the values that a job of the build has in the end.
func given(t *testing.T, s *Scheduler, b Build, names ...string) (values []string) {
	t.Helper()
	p, err := s.Project(b.Project)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := s.Trigger(b.Trigger)
	if err != nil {
		t.Fatal(err)
	}
	vars := variables(&p, &b, &tr, &buildspec.Job{})
	last := winners(vars)
	for _, name := range names {
		value := "unset"
		if i, ok := last[name]; ok {
			value = vars[i].value
		}
		values = append(values, value)
	}
	return values
}

func one(t *testing.T, s *Scheduler, tr Trigger) Build {
	t.Helper()
	stored := accept(t, s, tr)
	builds, err := s.planTrigger(&stored)
	if err != nil || len(builds) != 1 {
		t.Fatalf("%v, %v, want one build", builds, err)
	}
	return builds[0]
}

func TestAPushHasTheDefaultsOfParameters(t *testing.T) {
	s := withParameters(t, statePath(t))
	b := one(t, s, Trigger{Kind: KindPush, Projects: []string{"api"}, Ref: "refs/heads/main", Commit: "c0ffee"})
	if got := given(t, s, b, "TARGET", "REPLICAS"); !slices.Equal(got, []string{"staging", "unset"}) {
		t.Errorf("its jobs are given %q", got)
	}
}

func TestARetryKeepsTheParametersWhateverTheSettingsBecome(t *testing.T) {
	path := statePath(t)
	s := withParameters(t, path)
	chosen := []config.Chosen{{Name: "replicas", Variable: "REPLICAS", Value: "3"}, {Name: "target", Variable: "TARGET", Value: "production"}}
	manual := one(t, s, Trigger{Kind: KindManual, Projects: []string{"api"}, Commit: "c0ffee", Override: Override{Parameters: chosen, Env: map[string]string{"REPLICAS": "4"}}})
	push := one(t, s, Trigger{Kind: KindPush, Projects: []string{"api"}, Ref: "refs/heads/main", Commit: "c0ffee"})
	for _, b := range []Build{manual, push} {
		if err := s.failBuild(b, &planFailure{status: Failed, reason: "buildspec"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.Projects = []config.Project{{Name: "api", URL: "https://example.com/api.git", BuildParameters: map[string]config.Parameter{"target": {Default: "elsewhere"}}}}
	s = openWith(t, path, cfg)
	for _, c := range []struct {
		of   Build
		want []string
	}{
		{manual, []string{"production", "4"}}, // --env goes before the parameter
		{push, []string{"staging", "unset"}},
	} {
		b := one(t, s, Trigger{Kind: KindRetry, RetryOf: c.of.ID(), Projects: []string{"api"}})
		if got := given(t, s, mustBuild(t, s, b.ID()), "TARGET", "REPLICAS"); !slices.Equal(got, c.want) {
			t.Errorf("the retry of %s is given %q, want %q", c.of.ID(), got, c.want)
		}
	}
}

// TestDefaultsOfParametersAreTheProjectsOwnWay: a retry of a push, and what was started with them, speak for the commit and may
// be proof; what was started with others does not.
func TestDefaultsOfParametersAreTheProjectsOwnWay(t *testing.T) {
	s := withParameters(t, statePath(t))
	p, err := s.Project("api")
	if err != nil {
		t.Fatal(err)
	}
	p.GreenBeforePush = config.GreenUntrusted
	defaults, err := p.Choose(nil)
	if err != nil || len(defaults) != 1 {
		t.Fatalf("%v, %v", defaults, err)
	}
	other, err := p.Choose(map[string]string{"target": "production"})
	if err != nil {
		t.Fatal(err)
	}
	push := one(t, s, Trigger{Kind: KindPush, Projects: []string{"api"}, Ref: "refs/heads/main", Commit: "c0ffee"})
	byHand := one(t, s, Trigger{Kind: KindManual, Projects: []string{"api"}, Ref: "refs/heads/main", Commit: "c0ffee", Override: Override{Parameters: other}})
	for _, b := range []Build{push, byHand} {
		if err := s.failBuild(b, &planFailure{status: Failed, reason: "buildspec"}); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		tr   Trigger
		owns bool
	}{
		"a retry of a push":             {Trigger{Kind: KindRetry, RetryOf: push.ID(), Projects: []string{"api"}}, true},
		"a schedule with the defaults":  {Trigger{Kind: KindSchedule, Projects: []string{"api"}, Ref: "refs/heads/main", Override: Override{Parameters: defaults}}, true},
		"a start with another value":    {Trigger{Kind: KindManual, Projects: []string{"api"}, Ref: "refs/heads/main", Override: Override{Parameters: other}}, false},
		"a retry of such a start":       {Trigger{Kind: KindRetry, RetryOf: byHand.ID(), Projects: []string{"api"}}, false},
		"a start with another variable": {Trigger{Kind: KindManual, Projects: []string{"api"}, Override: Override{Env: map[string]string{"A": "1"}, Parameters: defaults}}, false},
	} {
		b := one(t, s, c.tr)
		tr, err := s.Trigger(b.Trigger)
		if err != nil {
			t.Fatal(err)
		}
		if tells, proves := b.Tells != "", mayProve(&p, &tr, &b); tells != c.owns || proves != c.owns {
			t.Errorf("%s: told %v, proof %v, want %v", name, tells, proves, c.owns)
		}
	}
}
