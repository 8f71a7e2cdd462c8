package terminal

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

func TestSchedulesAreShownInTheirOwnTimeZone(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	Schedules(&Output{w: &out}, []client.Schedule{
		{Project: "api", ScheduleSetting: client.ScheduleSetting{Name: "nightly", Cron: "30 2 * * *", Timezone: "Europe/Berlin", Ref: "release/2"},
			Coming: []time.Time{time.Date(2026, 6, 2, 0, 30, 0, 0, time.UTC), time.Date(2026, 6, 3, 0, 30, 0, 0, time.UTC)},
			Last:   &client.ScheduledRun{Due: now.Add(-3 * time.Hour), Missed: 2, Builds: []string{"api#7"}}},
		{Project: "web", ScheduleSetting: client.ScheduleSetting{Name: "once", Cron: "0 0 29 2 *", Timezone: "UTC"},
			Last: &client.ScheduledRun{Due: now.Add(-time.Hour), Outcome: "skipped", Reason: "parameters\x1b[2J"}},
	}, now)
	for _, want := range []string{
		"api/nightly   30 2 * * *   release/2        3 h ago api#7, also for 2 missed runs", "Tue 2026-06-02 02:30 CEST\n", "Wed 2026-06-03 02:30 CEST\n",
		"web/once", "default branch", "1 h ago skipped parameters", "never again",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("an escape gets through:\n%q", out.String())
	}
}

func TestParametersOfABuildAreOneLine(t *testing.T) {
	if got := Parameters(client.Build{}); len(got) != 0 {
		t.Errorf("without any: %q", got)
	}
	got := Parameters(client.Build{Parameters: []client.Parameter{{Name: "a", Value: "1"}, {Name: "b", Value: "x\ny" + strings.Repeat("z", 100)}}})
	if len(got) != 1 || !strings.HasPrefix(got[0], "with a=1, b=x") || strings.Contains(got[0], "\n") || len(got[0]) > 100 {
		t.Errorf("%q", got)
	}
}
