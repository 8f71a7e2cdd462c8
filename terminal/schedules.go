package terminal

import (
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

// scheduleTime is how the time of a run is written: with its zone, since that is the schedule's and not the reader's.
const scheduleTime = "Mon 2006-01-02 15:04 MST"

// Schedules lists schedules, each with its next runs below it.
func Schedules(o *Output, schedules []client.Schedule, now time.Time) {
	t := Table{Head: []string{"schedule", "cron", "ref", "last run", "next runs"}}
	for _, s := range schedules {
		coming := make([]string, 0, len(s.Coming))
		zone, err := time.LoadLocation(s.Timezone)
		for _, at := range s.Coming {
			if err == nil {
				at = at.In(zone)
			}
			coming = append(coming, at.Format(scheduleTime))
		}
		if len(coming) == 0 {
			coming = []string{"never again"}
		}
		ref := shortRef(s.Ref)
		if ref == "" {
			ref = "default branch"
		}
		t.Row(oneLine(s.Project+"/"+s.Name), oneLine(s.Cron), ref, lastRun(s.Last, now), coming[0])
		for _, at := range coming[1:] {
			t.Row("", "", "", "", at)
		}
	}
	t.Print(o)
}

func lastRun(run *client.ScheduledRun, now time.Time) string {
	if run == nil {
		return "none yet"
	}
	what := strings.Join(run.Builds, " ")
	if what == "" {
		what = strings.TrimSpace(run.Outcome + " " + title(run.Reason))
	}
	return Ago(run.Due, now) + " " + oneLine(what) + standsFor(run.Missed)
}

// standsFor says for how many missed runs of a schedule one stands besides itself.
func standsFor(missed int) string {
	if missed == 0 {
		return ""
	}
	return ", also for " + Count(missed, "missed run", "missed runs")
}
