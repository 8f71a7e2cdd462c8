package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/secrets"
)

// safe is a vault with these values, for trusted builds alone. It counts what it opens.
type safe struct {
	values map[secrets.Ref]string
	locked bool
	opened int
}

func (v *safe) Check(_ context.Context, who secrets.Subject, ref secrets.Ref) error {
	_, known := v.values[ref]
	switch {
	case v.locked:
		return fmt.Errorf("opening the store: %w", secrets.ErrLocked)
	case !known:
		return fmt.Errorf("Parameter does not exist: %s: %w", ref.Name, secrets.ErrNotFound)
	case !who.Trusted || who.Fork:
		return fmt.Errorf("secret %s is for trusted builds: %w", ref.Name, secrets.ErrForbidden)
	}
	return nil
}

func (v *safe) Value(ctx context.Context, who secrets.Subject, ref secrets.Ref) (string, error) {
	if err := v.Check(ctx, who, ref); err != nil {
		return "", err
	}
	v.opened++
	return v.values[ref], nil
}

// secretJob names two parameters and a secret.
func secretJob() buildspec.Job {
	return buildspec.Job{
		ID: "build", Name: "build", Buildspec: "buildspec.yml", Image: "busybox",
		Env:        []buildspec.Var{{Name: "STAGE", Value: "prod"}, {Name: "WHO", Value: "file"}},
		Parameters: []buildspec.Parameter{{Name: "DB", From: "/${STAGE}/db", Line: 7}, {Name: "WHO", From: "/who", Line: 8}},
		Secrets:    []buildspec.SecretRef{{Name: "TOKEN", Secret: "npm", Key: "token", Line: 10}},
	}
}

// secretBuild is a build of secretJob whose project is p, with a vault behind it.
func secretBuild(t *testing.T, trust bool, change func(*config.Project)) (*Scheduler, *safe, *Project, *Build, *Trigger) {
	t.Helper()
	s := open(t, statePath(t))
	s.runner = &runner.Runner{}
	v := &safe{values: map[secrets.Ref]string{
		{Name: "/prod/db"}: "hunter2", {Name: "/who"}: "nobody", {Name: "npm", Key: "token"}: "npm-123", {Name: "/project"}: "of the project",
	}}
	s.UseVault(v)
	p, err := s.Project("api")
	if err != nil {
		t.Fatal(err)
	}
	change(&p.Project)
	plan := buildspec.Plan{Jobs: []buildspec.Job{secretJob()}}
	return s, v, &p, &Build{Project: "api", Number: 1, Ref: "refs/heads/main", Trusted: trust, Plan: &plan}, &Trigger{Kind: KindPush}
}

func TestValuesComeFromTheVaultAndAreMasked(t *testing.T) {
	s, v, p, b, tr := secretBuild(t, true, func(p *config.Project) {
		p.Env = map[string]string{"WHO": "the project"}
		p.Parameters = map[string]string{"EXTRA": "/project"}
	})
	tr.Override.Env = map[string]string{"TOKEN": "mine-456"}
	pj := &b.Plan.Jobs[0]
	if f := s.checkSecrets(t.Context(), p, tr, b, newJobs(b)); f != nil {
		t.Fatal(f.message)
	}
	env, mask, err := s.openSecrets(t.Context(), p, b, tr, pj)
	if err != nil {
		t.Fatal(err)
	}
	last := make(map[string]string)
	for _, e := range env {
		last[e.Name] = e.Value
	}
	want := map[string]string{"STAGE": "prod", "DB": "hunter2", "WHO": "the project", "TOKEN": "mine-456", "EXTRA": "of the project"}
	for name, value := range want {
		if last[name] != value {
			t.Errorf("%s is %q, want %q", name, last[name], value)
		}
	}
	// What took the place of a secret is as secret.
	if want := []string{"hunter2", "mine-456", "of the project", "the project"}; !slices.Equal(mask, want) {
		t.Errorf("masked is %q, want %q", mask, want)
	}
	if v.opened != 2 {
		t.Errorf("%d values were opened, want the two that nothing was laid over", v.opened)
	}
}

func TestWhatABuildMayNotHaveEndsItBeforeItsJobs(t *testing.T) {
	tests := []struct {
		name   string
		trust  bool
		change func(*Scheduler, *safe, *buildspec.Job)
		status Status
		want   []string
	}{
		{"all is there", true, func(*Scheduler, *safe, *buildspec.Job) {}, "", nil},
		{"a parameter does not exist", true, func(_ *Scheduler, v *safe, _ *buildspec.Job) { delete(v.values, secrets.Ref{Name: "/prod/db"}) },
			Failed, []string{"buildspec.yml:7: Parameter does not exist: /prod/db: not found (for the variable DB)"}},
		{"several at once", true, func(_ *Scheduler, v *safe, _ *buildspec.Job) { clear(v.values) },
			Failed, []string{"buildspec.yml:7: Parameter does not exist", "buildspec.yml:8: Parameter does not exist", "buildspec.yml:10: Parameter does not exist: npm"}},
		{"the build is not trusted", false, func(*Scheduler, *safe, *buildspec.Job) {},
			Failed, []string{"buildspec.yml:7: secret /prod/db is for trusted builds"}},
		{"the store is locked", true, func(_ *Scheduler, v *safe, _ *buildspec.Job) { v.locked = true }, Fault, []string{"has no key"}},
		{"there is no store", true, func(s *Scheduler, _ *safe, _ *buildspec.Job) { s.vault = nil }, Failed, []string{"-e NAME=VALUE"}},
		{"a name cannot be completed", true, func(_ *Scheduler, _ *safe, j *buildspec.Job) { j.Parameters[0].From = "/$TEAM/db" },
			Failed, []string{"buildspec.yml:7: the name of the parameter for DB: no variable TEAM is known before the build begins"}},
		{"a name holds a secret", true, func(_ *Scheduler, _ *safe, j *buildspec.Job) { j.Parameters[0].From = "/$TOKEN/db" },
			Failed, []string{"the variable TOKEN is itself a secret"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, v, p, b, tr := secretBuild(t, tt.trust, func(*config.Project) {})
			tt.change(s, v, &b.Plan.Jobs[0])
			f := s.checkSecrets(t.Context(), p, tr, b, newJobs(b))
			if f == nil {
				f = &planFailure{}
			}
			if f.status != tt.status || (tt.status != "" && (f.reason != "secrets" || f.phase() != "DOWNLOAD_SOURCE")) {
				t.Errorf("it ends %q (%s) in %s", f.status, f.reason, f.phase())
			}
			for _, want := range tt.want {
				if !strings.Contains(f.message, want) {
					t.Errorf("%q is missing in:\n%s", want, f.message)
				}
			}
			if v.opened != 0 {
				t.Error("a value was opened to look whether it is there")
			}
		})
	}
}

func TestAnUntrustedBuildGoesOnWithoutTheProjectsSecrets(t *testing.T) {
	s, _, p, b, tr := secretBuild(t, false, func(p *config.Project) { p.Parameters = map[string]string{"EXTRA": "/project"} })
	b.Plan.Jobs[0].Parameters, b.Plan.Jobs[0].Secrets = nil, nil
	if f := s.checkSecrets(t.Context(), p, tr, b, newJobs(b)); f != nil {
		t.Fatal(f.message)
	}
	if len(b.Warnings) != 1 || !strings.Contains(b.Warnings[0], "EXTRA is not set") {
		t.Errorf("the warnings are %q", b.Warnings)
	}
	env, mask, err := s.openSecrets(t.Context(), p, b, tr, &b.Plan.Jobs[0])
	if err != nil || len(mask) != 0 || len(env) != 2 {
		t.Errorf("it gets %v, masked %v, %v", env, mask, err)
	}
}

// An attempt is given its values; the state never holds one.
func TestASecretRestsInNoRow(t *testing.T) {
	s := open(t, statePath(t))
	s.runner = &runner.Runner{}
	v := &safe{values: map[secrets.Ref]string{{Name: "/prod/db"}: "hunter2", {Name: "/who"}: "nobody", {Name: "npm", Key: "token"}: "npm-123"}}
	s.UseVault(v)
	b := queued(t, s, buildspec.Plan{Jobs: []buildspec.Job{secretJob()}})
	e, l := take(t, s)
	l.build.Trusted = true
	a, err := s.attempt(t.Context(), e, l)
	if err != nil || !slices.Equal(a.Job.Secrets, []string{"hunter2", "nobody", "npm-123"}) {
		t.Fatalf("the agent masks %q, %v", a.Job.Secrets, err)
	}
	delete(v.values, secrets.Ref{Name: "/prod/db"})
	if _, err := s.attempt(t.Context(), e, l); !errors.Is(err, errSecrets) || cannotStart(err).Reason != "secrets" || strings.Contains(err.Error(), "npm-123") {
		t.Errorf("a secret that went meanwhile: %v", err)
	}
	l.attempt.Sent = true
	// One went, one was set anew: what can be had is masked, and so is what the job may have been given.
	v.values[secrets.Ref{Name: "npm", Key: "token"}] = "npm-456"
	v.values[secrets.Ref{Name: "npm", Key: "token", Stage: "AWSPREVIOUS"}] = "npm-123"
	if a, err := s.attempt(t.Context(), e, l); err != nil || !slices.Equal(a.Job.Secrets, []string{"nobody", "npm-456", "npm-123"}) || a.Instead == nil || a.Instead.Reason != "secrets" {
		t.Errorf("of a running job, which is not worth its end, the daemon masks %q, %v", a.Job.Secrets, err)
	}
	if _, err := s.Stop(t.Context(), b.ID(), "ada"); err != nil {
		t.Fatal(err)
	}
	path := s.db.Path()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if holds(t, path, "hunter2") || holds(t, path, "npm-123") {
		t.Error("the state file holds a secret")
	}
}

func TestExpand(t *testing.T) {
	values := map[string]string{"A": "1", "B_2": "two", "DOLLAR": "$A"}
	lookup := func(name string) (string, error) {
		if v, ok := values[name]; ok {
			return v, nil
		}
		return "", errors.New(name)
	}
	for text, want := range map[string]string{
		"": "", "/plain/name": "/plain/name", "/${A}/$B_2/x": "/1/two/x", "$A$A": "11", "${A}b": "1b", "$": "$", "a$": "a$", "$1": "$1", "${": "${",
		"${A": "${A", "${1}": "${1}", "${A:-x}": "${A:-x}", "$$A": "$1", "/$DOLLAR": "/$A", "ä$A": "ä1",
	} {
		if got, err := expand(text, lookup); err != nil || got != want {
			t.Errorf("%q becomes %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"$Ab", "${UNKNOWN}", "x$_"} {
		if got, err := expand(text, lookup); err == nil {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}
