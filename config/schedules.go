package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // the binary is static, and the machine may have no time zones

	"github.com/robfig/cron/v3"
)

// Schedule starts builds of a project by the clock.
type Schedule struct {
	Name       string            `yaml:"name" json:"name"`
	Cron       string            `yaml:"cron" json:"cron"`                   // five fields, or @daily and its like
	Timezone   string            `yaml:"timezone" json:"timezone,omitempty"` // Europe/Berlin; default UTC
	Jitter     time.Duration     `yaml:"jitter" json:"jitter,omitempty"`     // at most how much later a run begins
	Missed     string            `yaml:"missed" json:"missed,omitempty"`     // what becomes of runs that nobody was there for
	Ref        string            `yaml:"ref" json:"ref,omitempty"`           // branch, or refs/tags/…; default the default branch
	Parameters map[string]string `yaml:"parameters" json:"parameters,omitempty"`
}

// What becomes of runs whose time went by while no daemon was there.
const (
	MissedOnce = "run-once" // the newest of them is run; the default
	MissedSkip = "skip"     // none
	MissedAll  = "all"      // each of them, see scheduler
)

const (
	// DefaultTimezone of a schedule is the same on every machine.
	DefaultTimezone = "UTC"
	// maxSchedules bounds the schedules of one project.
	maxSchedules = 100
	// maxJitter is the greatest jitter: whoever wants more wants another schedule.
	maxJitter = 24 * time.Hour
)

var scheduleName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$`)

// FullRef is the ref that a schedule builds; "" is the default branch.
func (s Schedule) FullRef() string { return fullRef(s.Ref) }

// Zone is the time zone that the fields of the schedule are read in.
func (s Schedule) Zone() string { return or(s.Timezone, DefaultTimezone) }

// MissedWord says what becomes of missed runs, also where nothing was written.
func (s Schedule) MissedWord() string { return or(s.Missed, MissedOnce) }

// Times are the moments at which a schedule is due.
type Times struct {
	cron   cron.Schedule
	zone   *time.Location
	hourly bool // the hours are those that the clock shows, one after the other
}

// Times reads the schedule's fields.
//
// Of the library only the parser and the search of one time zone's calendar, UTC's, are used: a scheduler that holds its next
// runs in memory (gocron, or this library's own) forgets them with the process, and the library leaves out what a change of the
// clocks leaves out, and doubles what it doubles.
func (s Schedule) Times() (Times, error) {
	fields := strings.Fields(s.Cron)
	switch {
	case len(fields) == 0:
		return Times{}, errors.New("it is empty")
	case len(s.Cron) > 256:
		return Times{}, fmt.Errorf("it has %d characters", len(s.Cron))
	case strings.Contains(s.Cron, "TZ="):
		return Times{}, errors.New("the time zone has a setting of its own, timezone")
	case fields[0] == "@every":
		return Times{}, errors.New("@every counts from the start of a process, and a schedule outlives many")
	}
	parsed, err := cron.ParseStandard(strings.Join(fields, " "))
	if err != nil {
		return Times{}, err
	}
	zone, err := time.LoadLocation(s.Zone())
	if err != nil || s.Timezone == "Local" {
		return Times{}, fmt.Errorf("there is no time zone %q", s.Zone())
	}
	t := Times{parsed, zone, fields[0] == "@hourly" || len(fields) > 1 && strings.HasPrefix(fields[1], "*")}
	if t.Next(farBack).IsZero() {
		return Times{}, errors.New("no day of the calendar ever fits it")
	}
	return t, nil
}

// farBack is a day before every leap year's day that counts.
var farBack = time.Date(2023, time.January, 1, 0, 0, 0, 0, time.UTC)

// Next is the first moment after another at which the schedule is due; zero where there is none in the next years.
//
// A schedule whose hours are all of the day's (they begin with *) is due whenever the clock shows its time: not in an hour
// that is left out, and in both of an hour that comes twice. Any other one is due once for each day and time that its fields
// name: what the clock leaves out is due the moment after, and what it shows twice is due at the first.
func (t Times) Next(after time.Time) time.Time {
	if t.hourly {
		return t.nextShown(after)
	}
	for wall := asWall(after, t.zone); ; {
		if wall = t.cron.Next(wall); wall.IsZero() {
			return time.Time{}
		}
		if at := atWall(wall, t.zone); at.After(after) {
			return at
		}
	}
}

// nextShown goes from one change of the clocks to the next, between which a clock shows each time once.
func (t Times) nextShown(after time.Time) time.Time {
	within, from := after.In(t.zone), asWall(after, t.zone)
	for range maxChanges {
		_, offset := within.Zone()
		_, end := within.ZoneBounds()
		wall := t.cron.Next(from)
		if wall.IsZero() {
			return wall
		}
		if at := wall.Add(-time.Duration(offset) * time.Second); end.IsZero() || at.Before(end) {
			return at.In(t.zone)
		}
		within, from = end.In(t.zone), asWall(end, t.zone).Add(-time.Second)
	}
	return time.Time{}
}

// maxChanges of the clocks are those of more years than a schedule is searched for.
const maxChanges = 64

// asWall is what a clock of the zone shows, as a time of UTC.
func asWall(t time.Time, zone *time.Location) time.Time {
	t = t.In(zone)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// atWall is the first moment at which a clock of the zone shows what wall says or, where that is left out, the moment at which
// it is set forward.
func atWall(wall time.Time, zone *time.Location) time.Time {
	at := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), zone)
	start, end := at.ZoneBounds()
	switch shown := asWall(at, zone); {
	case shown.After(wall):
		return start
	case shown.Before(wall):
		return end
	case start.IsZero():
		return at
	}
	_, before := start.Add(-time.Second).In(zone).Zone()
	if first := wall.Add(-time.Duration(before) * time.Second); first.Before(start) {
		return first.In(zone)
	}
	return at
}

// checkSchedules checks a project's schedules.
func (p *Project) checkSchedules(f *faults) {
	if n := len(p.Schedules); n > maxSchedules {
		f.add("schedules", "", "there are %d, and at most %d are taken", n, maxSchedules)
	}
	seen := make(map[string]bool)
	for i, s := range p.Schedules {
		at := faults{}
		switch {
		case !scheduleName.MatchString(s.Name):
			at.add("name", "letters, digits, dots, dashes and underscores, at most 40: nightly", "%q is no name of a schedule", clip(s.Name))
		case seen[s.Name]:
			at.add("name", "give each schedule of a project a name of its own", "schedule %q is there already", s.Name)
		}
		seen[s.Name] = true
		s.check(&at)
		if _, err := p.Choose(s.Parameters); err != nil {
			at.add("parameters", "", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
		}
		*f = append(*f, at.prefixed(fmt.Sprintf("schedules[%d]", i))...)
	}
}

func (s Schedule) check(f *faults) {
	times, err := s.Times()
	switch {
	case err != nil && strings.HasPrefix(err.Error(), "there is no time zone"):
		f.err("timezone", "write Europe/Berlin or America/New_York, as the IANA database has them", err)
	case err != nil:
		f.add("cron", "write minute, hour, day of the month, month and day of the week (0 is Sunday): 30 2 * * 1-5; or @hourly, @daily, @weekly, @monthly, @yearly", "%q cannot be read: %v", clip(s.Cron), err)
	case s.Jitter > 0:
		if least := times.least(); s.Jitter >= least {
			f.add("jitter", "", "%v is not less than %v, the least time between two runs", s.Jitter, least)
		}
	}
	if s.Jitter < 0 || s.Jitter > maxJitter {
		f.add("jitter", "write 10m", "%v is not between 0 and %v", s.Jitter, maxJitter)
	}
	if s.Missed != "" {
		f.oneOf("missed", s.Missed, MissedOnce, MissedSkip, MissedAll)
	}
	f.checkBuiltRef(s.Ref)
}

// least is the least time between two of the first runs, which tell enough: a year's, or a few hundred.
func (t Times) least() time.Duration {
	least := 366 * 24 * time.Hour
	at := t.Next(farBack)
	for range 400 {
		next := t.Next(at)
		if next.IsZero() {
			break
		}
		least = min(least, next.Sub(at))
		at = next
	}
	return least
}
