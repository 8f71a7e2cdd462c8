package web

import (
	"strconv"
	"time"
)

// mostRows bounds the table of a build's phases and commands.
const mostRows = 2000

// buildTimes is the timeline of a build in words, for those who read rather than look.
type buildTimes struct {
	Build string // id
	Rest  string // what is not in the table
	Rows  []timelineRow
}

// timelineRow is one bar in words.
type timelineRow struct{ Job, Phase, Command, At, Took, Status string }

func (s *Site) buildTimesPage(v *visit) (*view, error) {
	b, err := s.theBuild(v)
	if err != nil {
		return nil, err
	}
	t := timelineOf(b, 0, time.Now(), mostRows)
	shown := &view{Template: "buildtimes", Title: "Times of " + b.ID, Crumbs: []crumb{
		{b.Project, projectPath(b.Project)}, {"#" + strconv.Itoa(b.Number), buildPath(b.ID)}, {Text: "times"},
	}, Data: buildTimes{b.ID, t.More, t.rows()}}
	if b.Ended.IsZero() {
		shown.Events = eventsPath(b.Project, b.Number)
	}
	return shown, nil
}

// rows are what the bars show.
func (t timeline) rows() (rows []timelineRow) {
	for _, l := range t.Lanes {
		for _, s := range l.Bars {
			if s.Thin || len(rows) == mostRows {
				continue
			}
			rows = append(rows, timelineRow{l.Name, s.Phase, s.Cmd, took(max(0, s.From.Sub(t.From).Seconds())), took(s.Seconds), s.Word})
		}
	}
	return rows
}
