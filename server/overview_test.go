package server

import (
	"context"
	"strings"
	"testing"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
)

// TestAnOverviewIsOfWhatOneMaySee: names, builds and triggers of other projects are not in it, nor how many there are.
func TestAnOverviewIsOfWhatOneMaySee(t *testing.T) {
	t.Parallel()
	public := project("api", apiURL)
	public.Visibility = config.VisibilityPublic
	d := newDaemon(t, public, project("hidden", "https://github.com/example/web.git"))
	hidden := running()
	hidden.Project = "hidden"
	d.state.put(hidden)
	d.state.put(running())
	if _, _, err := d.state.Accept(context.Background(), scheduler.Trigger{Kind: scheduler.KindManual, Projects: []string{"hidden"}, Actor: "admin"}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		client *client.Client
		all    int
	}{
		"an admin":             {d.client(), 2},
		"a token of a project": {client.New(d.url(), d.token(access.Read, "api")), 1},
		"a stranger":           {client.New(d.url(), ""), 1},
	} {
		o, err := c.client.Overview(t.Context(), client.OverviewOptions{})
		if err != nil {
			t.Fatal(name, err)
		}
		if o.All != c.all || len(o.Projects) != c.all || len(o.Waiting) != c.all || o.Waiting[0].Why == "" || o.Moment == "" {
			t.Errorf("%s sees %+v", name, o)
		}
		if none, err := c.client.Overview(t.Context(), client.OverviewOptions{Match: "HIDD", Limit: 3}); err != nil || none.Matching != c.all-1 || len(none.Projects) != c.all-1 {
			t.Errorf("%s finds %+v, %v", name, none.Projects, err)
		}
	}
	_, body := d.do("GET", "/api/v1/overview", bear(d.token(access.Read, "api")), nil)
	_, queue := d.do("GET", "/api/v1/queue", bear(d.token(access.Read, "api")), nil)
	if strings.Contains(string(body)+string(queue), "hidden") {
		t.Errorf("the hidden project is shown:\n%s\n%s", body, queue)
	}
}
