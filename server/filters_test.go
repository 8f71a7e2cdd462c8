package server

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

func TestFiltersGoInAndOutAndAreChecked(t *testing.T) {
	d := newDaemon(t)
	c := d.client()
	want := client.Filtering{
		Filters: [][]client.Filter{{{Type: "EVENT", Pattern: "PUSH"}, {Type: "FILE_PATH", Pattern: "^docs/", ExcludeMatchedPattern: true}}},
		Paths:   []string{"src/**"}, PathsIgnore: []string{"**/*.md"}, SkipWords: "off", CancelSuperseded: "false",
		Concurrency: client.Concurrency{Group: "deploy-{branch}", Limit: 2},
	}
	if err := c.PutProject(t.Context(), client.Project{Name: "api", URL: apiURL, Filtering: want}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Project(t.Context(), "api"); err != nil || !reflect.DeepEqual(got.Filtering, want) {
		t.Errorf("got %+v, %v\nwant %+v", got.Filtering, err, want)
	}
	if err := c.PutProject(t.Context(), client.Project{Name: "web", URL: apiURL}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Project(t.Context(), "web"); err != nil || got.SkipWords != "on" || got.CancelSuperseded != "true" {
		t.Errorf("the defaults are %+v, %v", got.Filtering, err)
	}
	bad := client.Filtering{Filters: [][]client.Filter{{{Type: "HEAD_REF", Pattern: "("}}}, Paths: []string{"/src"}}
	p := asProblem(t, c.PutProject(t.Context(), client.Project{Name: "bad", URL: apiURL, Filtering: bad}))
	if p.Status != http.StatusUnprocessableEntity {
		t.Fatalf("%+v", p)
	}
	said := ""
	for _, e := range p.Errors {
		said += e.Location + ": " + e.Message + "\n"
	}
	for _, want := range []string{"filters[0]: ", "type EVENT", "filters[0][0].pattern: ", "paths[0]: "} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
}

// TestWhatWaitsNamesNoProjectThatIsNotSeen: a group may be of projects that not everybody may look at.
func TestWhatWaitsNamesNoProjectThatIsNotSeen(t *testing.T) {
	w := &scheduler.GroupWait{Group: "deploy", Before: "secret#12", Holds: true}
	j := &scheduler.Job{For: w, Why: w.String()}
	for name, want := range map[string]string{
		"secret": "waits for secret#12, which holds concurrency group deploy",
		"api":    "waits for a build of another project, which holds concurrency group deploy",
	} {
		out := client.Job{Why: j.Why}
		showGroupWait(j, &out, func(project string) bool { return project == name })
		if out.Why != want {
			t.Errorf("who sees %s reads %q, want %q", name, out.Why, want)
		}
	}
	tr := &scheduler.Trigger{Skipped: []scheduler.Skipped{{Project: "secret", Reason: "x"}, {Project: "api", Reason: "y", Passed: true}}}
	got := showSkipped(tr, func(project string) bool { return project == "api" })
	if want := []client.Skipped{{Project: "api", Reason: "y", Passed: true}}; !reflect.DeepEqual(got, want) {
		t.Errorf("skipped %+v, want %+v", got, want)
	}
}
