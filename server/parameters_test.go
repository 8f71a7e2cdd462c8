package server

import (
	"net/http"
	"reflect"
	"slices"
	"testing"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
)

func TestAManualBuildIsRefusedAtOnceForWhatItsParametersLack(t *testing.T) {
	p := project("api", apiURL)
	p.BuildParameters = map[string]config.Parameter{"target": {Type: "choice", Options: []string{"staging", "production"}}, "replicas": {Type: "number", Required: true}}
	d := newDaemon(t, p)
	_, err := d.client().Start(t.Context(), client.Start{Project: "api", Parameters: map[string]string{"target": "prod", "verbose": "1"}})
	got := asProblem(t, err)
	want := []client.FieldProblem{
		{Location: "body.parameters.replicas", Message: "a value is required, and none was given (give a number)"},
		{Location: "body.parameters.target", Message: `"prod" is no value of it (give one of staging, production)`},
		{Location: "body.parameters.verbose", Message: "project api has no parameter of this name (there are replicas, target)"},
	}
	if got.Status != http.StatusUnprocessableEntity || !slices.Equal(got.Errors, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if page, err := d.client().Triggers(t.Context(), clientAll); err != nil || len(page.Items) != 0 {
		t.Errorf("what was refused left %v, %v", page.Items, err)
	}
	stored, err := d.client().Start(t.Context(), client.Start{Project: "api", Parameters: map[string]string{"target": "production", "replicas": "3"}})
	if err != nil {
		t.Fatal(err)
	}
	trigger, err := d.state.Scheduler.Trigger(stored.ID)
	if chosen := []config.Chosen{{Name: "replicas", Variable: "REPLICAS", Value: "3"}, {Name: "target", Variable: "TARGET", Value: "production"}}; err != nil || !slices.Equal(trigger.Override.Parameters, chosen) {
		t.Errorf("%+v, %v, want %v", trigger.Override, err, chosen)
	}
}

// TestSettingsSurviveTheAPI gives a project all settings that have a shape of their own there, and reads them back.
func TestSettingsSurviveTheAPI(t *testing.T) {
	d := newDaemon(t)
	p := client.Project{Name: "api", URL: apiURL, BuildParameters: map[string]client.ParameterSetting{
		"size": {Type: "number", Default: "2", Min: new(float64), Description: "of it", Env: "SIZE"},
		"kind": {Type: "choice", Options: []string{"a", "b"}}, "who": {Pattern: "[a-z]+"},
	}, Schedules: []client.ScheduleSetting{
		{Name: "nightly", Cron: "30 2 * * 1-5", Timezone: "Europe/Berlin", JitterSec: 600, Missed: "skip", Ref: "main", Parameters: map[string]string{"kind": "a"}},
		{Name: "often", Cron: "@hourly"},
	}, RegistryTriggers: []client.RegistryTrigger{
		{Registry: "harbor", Repository: "team/*", Tag: "v*", Secret: "env:HARBOR", Ref: "main", IgnorePushers: []string{"ci"}},
		{Registry: "quay", Repository: "team/app", Secret: "env:QUAY"},
	}}
	if err := d.client().PutProject(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	got, err := d.client().Project(t.Context(), "api")
	if err != nil || !reflect.DeepEqual(got.BuildParameters, p.BuildParameters) || !reflect.DeepEqual(got.Schedules, p.Schedules) ||
		!reflect.DeepEqual(got.RegistryTriggers, p.RegistryTriggers) {
		t.Errorf("%+v, %v, want %+v", got, err, p)
	}
}
