package server

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
)

// changed reads events until one is chosen.
func (d *daemon) changed(c *client.Client, chosen func(client.Change) bool) (all []client.Change) {
	d.t.Helper()
	if err := c.Changes(d.t.Context(), func(ch client.Change) bool {
		all = append(all, ch)
		if ch.Reset {
			web := running()
			web.Project = "web"
			d.state.put(web)
			d.state.put(running())
		}
		return !chosen(ch)
	}); err != nil {
		d.t.Fatal(err)
	}
	return all
}

func TestChangesOfAllThatOneMaySee(t *testing.T) {
	t.Parallel()
	public := project("api", apiURL)
	public.Visibility = config.VisibilityPublic
	d := newDaemon(t, public, project("web", "https://github.com/example/web.git"))
	of := func(name string) func(client.Change) bool {
		return func(ch client.Change) bool { return ch.Project == name && ch.Status == "IN_PROGRESS" }
	}
	for name, c := range map[string]struct {
		client *client.Client
		web    bool
		hidden func(client.Change) bool
	}{
		"an admin":             {d.client(), true, func(client.Change) bool { return false }},
		"a token of a project": {client.New(d.url(), d.token(access.Read, "api")), false, func(ch client.Change) bool { return ch.Project == "web" }},
		"a stranger":           {client.New(d.url(), ""), false, func(ch client.Change) bool { return ch.Project == "web" || ch.Trigger != "" || ch.Daemon }},
	} {
		all := d.changed(c.client, of("api"))
		web := false
		for _, ch := range all {
			web = web || ch.Project == "web"
			if c.hidden(ch) {
				t.Errorf("%s sees %+v", name, ch)
			}
		}
		if !all[0].Reset || web != c.web {
			t.Errorf("%s: %+v", name, all)
		}
	}
}

// TestChangesSurviveABrokenConnection: what changed while nobody listened comes first, and nothing has to be asked for again.
func TestChangesSurviveABrokenConnection(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, project("api", apiURL))
	var missed string
	resets := 0
	if err := d.client().Changes(t.Context(), func(ch client.Change) bool {
		if ch.Reset {
			resets++
			d.kill()
			stored, _, err := d.state.Accept(context.Background(), scheduler.Trigger{Kind: scheduler.KindManual, Projects: []string{"api"}, Actor: "admin"})
			if err != nil {
				t.Error(err)
			}
			missed = stored.ID
			d.start()
		}
		return ch.Trigger == "" || ch.Trigger != missed
	}); err != nil || resets != 1 {
		t.Errorf("%d resets, %v", resets, err)
	}
}

func TestChangesGoOnAfterAnEvent(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, project("api", apiURL))
	moment := d.state.Now()
	d.state.put(running())
	first := func(header http.Header, query string) string {
		resp, end := d.stream("/api/v1/events"+query, header)
		defer end()
		var out []string
		for lines := bufio.NewScanner(resp.Body); lines.Scan() && lines.Text() != ""; {
			out = append(out, lines.Text())
		}
		return strings.Join(out, "\n")
	}
	for name, c := range map[string]struct{ last, query, want string }{
		"a browser that comes back":   {moment.String(), "", `data: {"build":"api#1","project":"api","status":"IN_PROGRESS"}`},
		"a page that was just made":   {"", "?after=" + moment.String(), `"build":"api#1"`},
		"the header is newer":         {moment.String(), "?after=1-0", `"build":"api#1"`},
		"a newcomer":                  {"", "", "event: reset"},
		"one of a former daemon":      {scheduler.Moment{Epoch: moment.Epoch + 1, Seq: moment.Seq}.String(), "", "event: reset"},
		"one that was here too early": {scheduler.Moment{Epoch: moment.Epoch, Seq: 1 << 60}.String(), "", "event: reset"},
		"nonsense":                    {"3", "", "event: reset"},
	} {
		header := http.Header{}
		if c.last != "" {
			header.Set("Last-Event-ID", c.last)
		}
		if got := first(header, c.query); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
