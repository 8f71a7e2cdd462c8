package web

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/runner-ci/runner/client"
)

func (s *Site) routeHome() {
	s.page("GET /{$}", s.home)
}

// home is what the first page shows.
type home struct {
	client.Overview
	Who    client.Identity
	Match  string
	URL    string // of the daemon
	Lanes  []lane
	Axis   []tick
	Ours   []client.Broken // on protected branches
	Others []client.Broken
}

// homeProjects is how many projects the first page shows unless it is asked for all.
const homeProjects = 40

func (s *Site) home(v *visit) (*view, error) {
	o := client.OverviewOptions{Match: v.FormValue("match"), Limit: homeProjects}
	if v.FormValue("all") != "" {
		o.Limit = 500
	}
	all, err := s.Client.Overview(v.Context(), o)
	if err != nil {
		return nil, err
	}
	data := home{Overview: all, Who: v.who, Match: o.Match, URL: s.daemonURL(v)}
	data.Lanes, data.Axis = lanes(all.Running, time.Now())
	icon := "good"
	for _, b := range all.Broken {
		if b.Protected {
			icon, data.Ours = "bad", append(data.Ours, b)
		} else {
			data.Others = append(data.Others, b)
		}
	}
	shown := &view{Template: "home", Title: "", Icon: icon, Data: data, Events: "/api/v1/events?after=" + url.QueryEscape(all.Moment)}
	if len(all.Running)+len(all.Waiting) > 0 {
		shown.Every = 5 // what is left grows less without an event
	}
	if all.All == 0 {
		shown.Icon = ""
	}
	return shown, nil
}

// lane is a build that runs, on the axis of all that do.
type lane struct {
	client.Active
	Bars  []segment
	Doing string
	Left  string
	Label string // what the bars tell
}

// segment is a bar: X and Width are in percent of the axis.
type segment struct{ X, Width, Class, Title string }

// tick is a mark of the axis.
type tick struct{ X, Text string }

func percent(part, whole time.Duration) float64 {
	if whole <= 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}

func pc(f float64) string { return strconv.FormatFloat(math.Round(f*100)/100, 'f', -1, 64) + "%" }

// lanes lays builds out on one axis: from the first that began to the last likely end.
func lanes(builds []client.Active, now time.Time) (out []lane, axis []tick) {
	from, to := now, now.Add(time.Second)
	for _, b := range builds {
		if b.Created.Before(from) {
			from = b.Created
		}
		if end := now.Add(time.Duration(b.LeftSec * float64(time.Second))); end.After(to) {
			to = end
		}
	}
	whole := to.Sub(from)
	for _, b := range builds {
		out = append(out, laneOf(b, from, now, whole))
	}
	if len(builds) > 0 {
		axis = ticks(from, now, to)
	}
	return out, axis
}

func laneOf(b client.Active, from, now time.Time, whole time.Duration) lane {
	l := lane{Active: b}
	bar := func(begin, end time.Time, class, title string) {
		if end.After(begin) {
			l.Bars = append(l.Bars, segment{pc(percent(begin.Sub(from), whole)), pc(max(0.3, percent(end.Sub(begin), whole))), class, title})
		}
	}
	began := b.Started
	if began.IsZero() {
		began = now
	}
	bar(b.Created, began, "wait", "waited for "+took(began.Sub(b.Created).Seconds()))
	phases := onePhases(b)
	at := began
	for _, p := range phases {
		end := p.Started.Add(time.Duration(p.Seconds * float64(time.Second)))
		if p.Started.IsZero() || end.Before(at) {
			continue
		}
		bar(p.Started, end, class(p.Status), p.Name+" "+took(p.Seconds))
		at = end
	}
	state := "run"
	if b.Failures > 0 {
		state = "no"
	}
	if now.Sub(at) > time.Second || len(phases) == 0 {
		bar(at, now, state, "runs for "+took(now.Sub(began).Seconds()))
	}
	if b.LeftSec > 0 {
		bar(now, now.Add(time.Duration(b.LeftSec*float64(time.Second))), "left", "likely "+took(b.LeftSec)+" more")
	}
	l.Doing, l.Left = doing(b), left(b)
	l.Label = fmt.Sprintf("runs for %s, %s", took(now.Sub(began).Seconds()), l.Left)
	return l
}

// onePhases are those of a build with one job; shards that run beside each other have too many.
func onePhases(b client.Active) []client.Phase {
	if len(b.Jobs) != 1 || b.Queued+b.Blocked > 0 {
		return nil
	}
	return b.Jobs[0].Phases
}

// doing says what a build does right now.
func doing(b client.Active) string {
	text := ""
	switch {
	case len(b.Jobs) == 1 && b.Jobs[0].Command != "":
		text = lowerPhase(b.Jobs[0].Phase) + ": " + firstLine(b.Jobs[0].Command)
	case len(b.Jobs) == 1:
		text = lowerPhase(b.Jobs[0].Phase)
	default:
		text = plural(len(b.Jobs), "job") + " at once"
	}
	if b.Queued > 0 {
		text += fmt.Sprintf(", %d in line", b.Queued)
	}
	if b.Blocked > 0 {
		text += fmt.Sprintf(", %d to follow", b.Blocked)
	}
	return text
}

// left says how long a build will likely run on.
func left(b client.Active) string {
	switch {
	case b.Typical == 0:
		return took(b.Seconds)
	case b.LeftSec == 0:
		return "over " + took(b.Typical)
	}
	return took(b.LeftSec) + " left"
}

// ticks mark the beginning, now and the end of an axis.
func ticks(from, now, to time.Time) []tick {
	at := percent(now.Sub(from), to.Sub(from))
	out := []tick{{"0%", took(now.Sub(from).Seconds()) + " ago"}}
	if at > 12 {
		out = append(out, tick{pc(at), "now"})
	}
	if ahead := to.Sub(now); at < 80 && ahead > 2*time.Second {
		out = append(out, tick{"100%", "in " + took(ahead.Seconds())})
	}
	return out
}

// missing is what an action answers of a form without a field that the page sends.
func missing(field string) error {
	return &client.Error{Status: http.StatusUnprocessableEntity, Detail: "the form lacks " + field, Hint: "go back, fill it in and send it again"}
}
