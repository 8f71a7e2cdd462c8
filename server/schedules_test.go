package server

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
)

func TestSchedulesAreListedWithWhatComesToThoseWhoMaySeeTheirProjects(t *testing.T) {
	api, web := project("api", apiURL), project("web", apiURL)
	api.Schedules = []config.Schedule{{Name: "nightly", Cron: "30 2 * * *", Timezone: "Europe/Berlin"}, {Name: "hourly", Cron: "@hourly"}}
	web.Schedules = []config.Schedule{{Name: "nightly", Cron: "@daily"}}
	d := newDaemon(t, api, web)
	list, err := d.client().Schedules(t.Context())
	if err != nil || len(list) != 3 || list[0].Project != "api" || list[0].Name != "hourly" || list[2].Project != "web" {
		t.Fatalf("%+v, %v", list, err)
	}
	if s := list[1]; len(s.Coming) != 5 || s.Timezone != "Europe/Berlin" || s.Missed != "run-once" || s.Last != nil || !s.Coming[0].After(time.Now()) {
		t.Errorf("%+v", s)
	}
	list, err = client.New(d.url(), d.token(access.Read, "web")).Schedules(t.Context())
	if err != nil || len(list) != 1 || list[0].Project != "web" {
		t.Errorf("who may see web alone is shown %+v, %v", list, err)
	}
	var page client.Page[client.Schedule]
	for _, want := range []string{"hourly", "nightly"} {
		_, text := d.do(http.MethodGet, "/api/v1/schedules?limit=1&cursor="+page.Next, nil, nil)
		page = client.Page[client.Schedule]{}
		if err := json.Unmarshal(text, &page); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if len(page.Items) != 1 || page.Items[0].Name != want {
			t.Errorf("a page has %+v, want %s", page, want)
		}
	}
}
