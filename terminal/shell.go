package terminal

import (
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

// ShellPlace tells somebody where the shell is that they have got, and what is not there.
func ShellPlace(o *Output, build string, at client.ShellBegan) {
	words := []string{build, oneLine(at.Job)}
	if at.Image != "" {
		words = append(words, oneLine(at.Image))
	}
	first := strings.Join(words, " · ")
	if at.At == "failed" {
		o.Lines(first+" · kept until "+clockTime(at.Until, time.Now()),
			"Files are as the failed job left them. What it ran is not running, and is not run again.")
	} else {
		o.Lines(first+" · running", "You are beside the commands of the job. What you change is changed for them; its result is no proof for a push any more.")
	}
	if len(at.Withheld) > 0 {
		names := make([]string, len(at.Withheld))
		for i, name := range at.Withheld {
			names[i] = oneLine(name)
		}
		o.Lines("Not here: the secrets " + strings.Join(names, ", ") + ", and variables that commands set themselves.")
	} else {
		o.Lines("Not here: variables that commands set themselves.")
	}
}

// clockTime is a time as people say it: without the day where that is today.
func clockTime(at, now time.Time) string {
	at, now = at.Local(), now.Local()
	if at.YearDay() == now.YearDay() && at.Year() == now.Year() {
		return at.Format("15:04 MST")
	}
	return at.Format("2006-01-02 15:04 MST")
}

// manyShells is how many kept sandboxes are told of one by one.
const manyShells = 3

// shellRows say how to look into what is kept of the jobs that failed.
func shellRows(b client.Build, now time.Time, row func(cells ...string)) {
	var held []client.Job
	for _, job := range b.Jobs {
		if job.Kept != nil && now.Before(job.Kept.Until) {
			held = append(held, job)
		}
	}
	for _, job := range held[:min(len(held), manyShells)] {
		command := "runner shell " + b.ID + " --at failed"
		if len(held) > 1 {
			command += " --job " + oneLine(job.ID)
		}
		row("shell", command+"   (until "+clockTime(job.Kept.Until, now)+")")
	}
	if more := len(held) - manyShells; more > 0 {
		row("", "and "+Number(more)+" more, by --job")
	}
}

// enteredLines say who went into jobs while they ran.
func enteredLines(b client.Build) (lines []string) {
	for _, job := range b.Jobs {
		if job.Entered != "" && len(lines) < manyShells {
			lines = append(lines, "note: "+oneLine(job.Entered)+" went into "+oneLine(job.Name)+" while it ran, so that its result is no proof for a push")
		}
	}
	return lines
}
