package scheduler

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/config"
)

// clock is where the tests of schedules begin.
var clock = time.Date(2026, time.June, 1, 12, 0, 0, 0, time.UTC)

// scheduled is a scheduler whose project api has these schedules.
func scheduled(t *testing.T, path string, schedules ...config.Schedule) *Scheduler {
	t.Helper()
	cfg := config.Default()
	p := config.Project{
		Name: "api", URL: "https://example.com/api.git", Branch: "main", Schedules: schedules,
		BuildParameters: map[string]config.Parameter{"depth": {Type: "number", Default: "1"}},
	}
	p.Fill()
	cfg.Projects = []config.Project{p}
	return openWith(t, path, cfg)
}

func tick(t *testing.T, s *Scheduler, now time.Time) time.Time {
	t.Helper()
	next, err := s.tickSchedules(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// runs lists what schedules started, the first one first: the time that was due, and what it stands for.
func runs(t *testing.T, s *Scheduler) (out []string) {
	t.Helper()
	page, _, err := s.Triggers("", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, tr := range slices.Backward(page) {
		text := tr.Scheduled.Due.Format("01-02 15:04")
		if tr.Scheduled.Missed > 0 {
			text += fmt.Sprintf(" for %d more", tr.Scheduled.Missed)
		}
		out = append(out, text)
	}
	return out
}

func wantRuns(t *testing.T, s *Scheduler, want ...string) {
	t.Helper()
	if got := runs(t, s); !slices.Equal(got, want) {
		t.Errorf("the runs are\n%q, want\n%q", got, want)
	}
}

func TestAScheduleStartsATrustedBuildWhenItIsDue(t *testing.T) {
	s := scheduled(t, statePath(t), config.Schedule{Name: "nightly", Cron: "30 2 * * *", Ref: "release/2", Parameters: map[string]string{"depth": "9"}})
	if next := tick(t, s, clock); !next.Equal(clock.Add(14*time.Hour + 30*time.Minute)) {
		t.Errorf("the next run begins at %s", next)
	}
	tick(t, s, clock.Add(14*time.Hour+29*time.Minute+59*time.Second))
	wantRuns(t, s)
	for range 3 {
		tick(t, s, clock.Add(14*time.Hour+30*time.Minute))
	}
	wantRuns(t, s, "06-02 02:30")
	page, _, err := s.Triggers("", "", 1)
	if err != nil {
		t.Fatal(err)
	}
	tr := page[0]
	if tr.Kind != KindSchedule || tr.Ref != "refs/heads/release/2" || tr.Actor != "schedule/nightly" || tr.Delivery != "schedule/api/nightly/2026-06-02T02:30:00Z" {
		t.Errorf("the trigger is %+v", tr)
	}
	builds, err := s.planTrigger(&tr)
	p, perr := s.Project("api")
	if err != nil || perr != nil || len(builds) != 1 || builds[0].Fork || !s.judgeTrust(&p, &tr, "refs/heads/main") {
		t.Fatalf("it made %+v, %v, %v: want a trusted build", builds, err, perr)
	}
	if got := given(t, s, builds[0], "DEPTH"); got[0] != "9" {
		t.Errorf("its parameter is %q", got)
	}
}

func TestWhatWasMissedFollowsThePolicy(t *testing.T) {
	for _, c := range []struct {
		missed string
		away   time.Duration
		want   []string
	}{
		{"", 4 * time.Minute, []string{"06-01 13:00"}}, // an upgrade: not missed at all
		{"", 4 * time.Hour, []string{"06-01 17:00 for 4 more"}},
		{config.MissedSkip, 4 * time.Minute, []string{"06-01 13:00"}},
		{config.MissedSkip, 4*time.Hour + 10*time.Minute, nil},
		{config.MissedSkip, 4 * time.Hour, []string{"06-01 17:00"}}, // of those, the newest is on time
		{config.MissedAll, 3 * time.Hour, []string{"06-01 13:00", "06-01 14:00", "06-01 15:00", "06-01 16:00"}},
	} {
		path := statePath(t)
		schedule := config.Schedule{Name: "hourly", Cron: "@hourly", Missed: c.missed}
		s := scheduled(t, path, schedule)
		tick(t, s, clock)
		s.Close()
		s = scheduled(t, path, schedule)
		back := clock.Add(time.Hour + c.away)
		tick(t, s, back)
		tick(t, s, back)
		t.Logf("%s, %s", schedule.MissedWord(), c.away)
		wantRuns(t, s, c.want...)
		if next := tick(t, s, back); !next.Equal(back.Truncate(time.Hour).Add(time.Hour)) {
			t.Errorf("then it goes on at %s", next)
		}
	}
}

func TestADaemonThatDiesBetweenTriggerAndRowStartsNothingTwice(t *testing.T) {
	path := statePath(t)
	schedule := config.Schedule{Name: "hourly", Cron: "@hourly"}
	s := scheduled(t, path, schedule)
	tick(t, s, clock)
	due := clock.Add(time.Hour)
	p, err := s.Project("api")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.startScheduled(t.Context(), &p.Project, &schedule, ScheduledRun{Schedule: "hourly", Due: due}); err != nil {
		t.Fatal(err)
	}
	s.Close() // the row still says that the run is to come
	s = scheduled(t, path, schedule)
	tick(t, s, due.Add(10*time.Second))
	wantRuns(t, s, "06-01 13:00")
	list, err := s.Schedules(due.Add(20 * time.Second))
	if err != nil || len(list) != 1 || list[0].Last == nil || list[0].Last.Trigger == "" || !list[0].Last.Due.Equal(due) {
		t.Errorf("the list says %+v, %v", list, err)
	}
}

func TestAClockThatJumpsNeitherStormsNorStarves(t *testing.T) {
	s := scheduled(t, statePath(t), config.Schedule{Name: "hourly", Cron: "@hourly"})
	tick(t, s, clock)
	tick(t, s, clock.Add(time.Hour))
	tick(t, s, clock.Add(25*time.Hour)) // a day too far
	wantRuns(t, s, "06-01 13:00", "06-02 13:00 for 23 more")
	tick(t, s, clock.Add(2*time.Hour)) // set right again
	tick(t, s, clock.Add(3*time.Hour))
	wantRuns(t, s, "06-01 13:00", "06-02 13:00 for 23 more", "06-01 15:00")
	tick(t, s, clock.Add(150*time.Minute)) // an hour back: 15:00 comes a second time
	tick(t, s, clock.Add(3*time.Hour))
	tick(t, s, clock.Add(4*time.Hour))
	wantRuns(t, s, "06-01 13:00", "06-02 13:00 for 23 more", "06-01 15:00", "06-01 16:00")
	for hour := range 24 {
		tick(t, s, clock.Add(time.Duration(5+hour)*time.Hour))
	}
	if got := runs(t, s); len(got) != 4+23 { // the day that was jumped over comes, but for the run that was had
		t.Errorf("%d runs: %q", len(got), got)
	}
}

func TestAMachineThatForgetsTheTimeStartsNothingASecondTime(t *testing.T) {
	path := statePath(t)
	schedule := config.Schedule{Name: "weekly", Cron: "@weekly", Missed: config.MissedAll}
	s := scheduled(t, path, schedule)
	tick(t, s, clock)
	for week := range 4 {
		tick(t, s, clock.AddDate(0, 0, 7*(week+1)))
	}
	before := runs(t, s)
	if len(before) != 4 {
		t.Fatalf("the first four weeks are %q", before)
	}
	s.Close()
	s = scheduled(t, path, schedule)
	tick(t, s, time.Unix(100, 0)) // a clock without a battery, until it is set
	if err := s.forgetDeliveries(t.Context(), time.Now().AddDate(1, 0, 0)); err != nil {
		t.Fatal(err)
	}
	tick(t, s, clock.AddDate(0, 0, 29))
	wantRuns(t, s, before...)
	tick(t, s, clock.AddDate(0, 0, 44)) // and what it slept through since is missed, and caught up with
	wantRuns(t, s, append(before, "07-05 00:00", "07-12 00:00")...)
}

func TestCatchingUpIsBounded(t *testing.T) {
	s := scheduled(t, statePath(t), config.Schedule{Name: "often", Cron: "* * * * *", Missed: config.MissedAll}, config.Schedule{Name: "once", Cron: "* * * * *"})
	tick(t, s, clock)
	tick(t, s, clock.AddDate(30, 0, 0)) // of a machine whose clock's battery is empty
	got := runs(t, s)
	if len(got) != maxCaughtUp+1 || got[0] != "06-01 11:11 for 526990 more" || got[maxCaughtUp] != "06-01 12:00 for 527039 more" {
		t.Errorf("%d runs, %q to %q", len(got), got[0], got[len(got)-1])
	}
}

func TestJitterIsTheSameWheneverItIsAsked(t *testing.T) {
	schedule := config.Schedule{Name: "nightly", Cron: "@hourly", Jitter: 30 * time.Minute}
	s := scheduled(t, statePath(t), schedule)
	late := lateness("api", &schedule)
	seen := make(map[time.Duration]bool)
	for hour := range 48 {
		at := clock.Add(time.Duration(hour) * time.Hour)
		if l := late(at); l < 0 || l > schedule.Jitter || l != lateness("api", &schedule)(at) {
			t.Fatalf("a run at %s is late by %s", at, l)
		}
		seen[late(at)] = true
	}
	if len(seen) < 30 {
		t.Errorf("48 runs have only %d different delays", len(seen))
	}
	due := clock.Add(time.Hour)
	for late(due) == 0 { // one that has to wait
		due = due.Add(time.Hour)
	}
	tick(t, s, due.Add(-time.Minute))
	if next := tick(t, s, due.Add(late(due)-time.Second)); !next.Equal(due.Add(late(due))) {
		t.Errorf("it begins at %s, want %s after %s", next, late(due), due)
	}
	wantRuns(t, s)
	list, err := s.Schedules(due.Add(late(due) - time.Second))
	if err != nil || len(list[0].Coming) != shownRuns || !list[0].Coming[0].Equal(due.Add(late(due))) {
		t.Errorf("the list says %+v, %v", list, err)
	}
	tick(t, s, due.Add(late(due)))
	wantRuns(t, s, due.Format("01-02 15:04"))
}

func TestAChangedScheduleBeginsAnewAndARemovedOneIsForgotten(t *testing.T) {
	path := statePath(t)
	s := scheduled(t, path, config.Schedule{Name: "a", Cron: "0 13 * * *"})
	tick(t, s, clock)
	s.Close()
	s = scheduled(t, path, config.Schedule{Name: "a", Cron: "0 14 * * *"})
	if next := tick(t, s, clock.Add(150*time.Minute)); !next.Equal(clock.Add(26 * time.Hour)) {
		t.Errorf("a schedule that was changed after its new time runs next at %s", next)
	}
	wantRuns(t, s)
	s.Close()
	s = scheduled(t, path)
	tick(t, s, clock)
	s.Close()
	s = scheduled(t, path, config.Schedule{Name: "a", Cron: "0 14 * * *"})
	tick(t, s, clock.AddDate(0, 1, 0)) // it is new again, and has missed nothing
	wantRuns(t, s)
}

func TestAScheduleWhoseParametersDoNotFitIsSkippedAndSaysSo(t *testing.T) {
	s := scheduled(t, statePath(t), config.Schedule{Name: "a", Cron: "@hourly", Parameters: map[string]string{"depth": "deep"}})
	tick(t, s, clock)
	tick(t, s, clock.Add(time.Hour))
	page, _, err := s.Triggers(OutcomeSkipped, "", 10)
	if err != nil || len(page) != 1 || !strings.Contains(page[0].Reason, `parameters.depth: "deep" is no value of it`) {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestADrainingDaemonKeepsWhatIsDue(t *testing.T) {
	s := scheduled(t, statePath(t), config.Schedule{Name: "a", Cron: "@hourly"})
	tick(t, s, clock)
	s.Drain(true)
	tick(t, s, clock.Add(time.Hour))
	wantRuns(t, s, "06-01 13:00")
}

func TestCheckReadsTheRowsOfSchedules(t *testing.T) {
	path := statePath(t)
	s := scheduled(t, path, config.Schedule{Name: "a", Cron: "@hourly"})
	tick(t, s, clock)
	tick(t, s, clock.Add(time.Hour))
	found := func() (problems []string) {
		s.Close()
		state, err := OpenState(path)
		if err != nil {
			t.Fatal(err)
		}
		defer state.Close()
		if err := state.Check(func(problem string) { problems = append(problems, problem) }); err != nil {
			t.Fatal(err)
		}
		return problems
	}
	if got := found(); len(got) != 0 {
		t.Errorf("nothing is wrong, and it reports %q", got)
	}
	s = scheduled(t, path, config.Schedule{Name: "a", Cron: "@hourly"})
	if err := s.putSchedule(scheduleKey("api", "a"), scheduleRow{At: clock, Due: clock}); err != nil {
		t.Fatal(err)
	}
	if got := found(); len(got) != 1 || !strings.Contains(got[0], "which is not after") {
		t.Errorf("a row that is due too early is reported as %q", got)
	}
}
