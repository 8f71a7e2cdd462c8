package server

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/scheduler"
)

// TestAnEnvironmentTellsEverythingButSecrets puts a secret into every place that a variable can come from.
func TestAnEnvironmentTellsEverythingButSecrets(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	made, _, err := d.state.Accept(t.Context(), scheduler.Trigger{
		Kind: scheduler.KindManual, Projects: []string{"api"}, Override: scheduler.Override{Env: map[string]string{"GOFLAGS": "-race", "NPM_TOKEN": "leak1", "LAYERED": "leak2"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	b := over(running(), scheduler.Failed)
	b.Trigger = made.ID
	b.Images = map[string]runner.Image{"golang:1": {ID: "sha256:aa", Digest: "sha256:bb"}}
	b.Given = &scheduler.Given{
		Env:     map[string]string{"LEVEL": "2", "DB": "postgres://u:leak3@db/x", "LONG": strings.Repeat("x", 5000)},
		Secrets: map[string]string{"DEPLOY": "deploy:key"}, Parameters: map[string]string{"LAYERED": "/api/layered"},
	}
	b.Plan = &buildspec.Plan{Jobs: []buildspec.Job{{
		ID: "linux", Image: "golang:1", Shell: "bash", Env: []buildspec.Var{{Name: "LEVEL", Value: "1"}, {Name: "MODE", Value: "fast"}, {Name: "DEPLOY", Value: "leak4"}},
		Phases: []buildspec.Phase{{Name: "BUILD", Commands: []buildspec.Command{{Text: "go test ./...", Line: 7}}, OnFailure: "ABORT"}},
	}}}
	d.state.put(b, job("linux", scheduler.JobEnded, scheduler.Failed, scheduler.Failed))
	e, err := d.client().Environment(t.Context(), "api#1", "")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(e)
	if err != nil || strings.Contains(string(text), "leak") {
		t.Errorf("a secret is told: %s %v", text, err)
	}
	byName := map[string]client.EnvironmentVariable{}
	for _, v := range e.Variables {
		byName[v.Name] = v
	}
	for name, want := range map[string]client.EnvironmentVariable{
		"GOFLAGS": {Name: "GOFLAGS", Value: "-race", From: "trigger"}, "LEVEL": {Name: "LEVEL", Value: "2", From: "project"},
		"MODE": {Name: "MODE", Value: "fast", From: "buildspec"}, "DEPLOY": {Name: "DEPLOY", From: "project", Secret: "deploy", Hidden: true},
		"LAYERED": {Name: "LAYERED", From: "trigger", Secret: "/api/layered", Hidden: true}, "CI": {Name: "CI", Value: "true", From: "runner"},
	} {
		if byName[name] != want {
			t.Errorf("%s is %+v, want %+v", name, byName[name], want)
		}
	}
	for _, name := range []string{"NPM_TOKEN", "DB"} {
		if v := byName[name]; !v.Hidden || v.Value != "" || len(v.Mark) != 16 {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if v := byName["LONG"]; len(v.Value) != maxShownValue || v.Mark == "" || v.Hidden {
		t.Errorf("a long value: %d bytes, mark %q", len(v.Value), v.Mark)
	}
	if want := (client.EnvironmentImage{Name: "golang:1", ID: "sha256:aa", Digest: "sha256:bb"}); e.Image != want || e.Job != "linux" || e.Incomplete {
		t.Errorf("%+v", e)
	}
	if got := strings.Join(e.Plan, "\n"); !strings.HasPrefix(got, "BUILD: go test ./...\nBUILD on-failure: ABORT\n") || !strings.Contains(got, "\nshell: bash") {
		t.Errorf("the plan is told as %q", got)
	}
}

// TestWhoSeesWhatWasSetByHand holds that those who may only read are told that it is, not what.
func TestWhoSeesWhatWasSetByHand(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	made, _, err := d.state.Accept(t.Context(), scheduler.Trigger{Kind: scheduler.KindManual, Projects: []string{"api"}, Override: scheduler.Override{Env: map[string]string{"A": "by hand"}}})
	if err != nil {
		t.Fatal(err)
	}
	b := running()
	b.Trigger, b.Plan = made.ID, &buildspec.Plan{Jobs: []buildspec.Job{{ID: "linux"}}}
	d.state.put(b, job("linux", scheduler.JobQueued, scheduler.InProgress))
	for scope, seen := range map[access.Scope]bool{access.Read: false, access.Submit: true} {
		e, err := client.New(d.url(), d.token(scope, "api")).Environment(t.Context(), "api#1", "linux")
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range e.Variables {
			if v.Name == "A" && (v.Value == "by hand") != seen || v.Name == "A" && (v.Mark == "") != seen {
				t.Errorf("with the scope %s: %+v", scope, v)
			}
		}
		if !e.Incomplete {
			t.Error("the row of an older version seems complete")
		}
	}
	if _, err := d.client().Environment(t.Context(), "api#1", "none"); asProblem(t, err).Status != http.StatusNotFound {
		t.Error("a job that is not there has an environment")
	}
}
