package terminal

import (
	"fmt"
	"time"

	"github.com/runner-ci/runner/client"
)

// DaemonStatus shows what a daemon does right now.
func DaemonStatus(o *Output, s client.Status, now time.Time) {
	head := fmt.Sprintf("runner %s, up for %s", s.Version, roughly(time.Duration(s.Seconds)*time.Second))
	if s.Draining {
		head += ", draining: no job starts"
	}
	o.Lines(head, fmt.Sprintf("slots     %d of %d in use; %s; %s; %s", len(s.Running), s.Slots, Count(s.Queued, "job waits", "jobs wait"),
		Count(s.Planning, "build is planned", "builds are planned"), Count(s.Warm, "sandbox waits for a job", "sandboxes wait for a job")))
	for _, r := range s.Running {
		o.Lines(fmt.Sprintf("  %s %s, for %s", r.Build, r.Job, roughly(now.Sub(r.Since))))
	}
	if s.Next != nil {
		o.Lines(fmt.Sprintf("next      %s %s, waits for %s: %s", s.Next.Build, s.Next.Job, roughly(now.Sub(s.Next.Since)), s.Why))
	} else if s.Queued > 0 {
		o.Lines("next      none: " + s.Why)
	}
	for _, e := range s.Engines {
		state := "answers"
		if !e.Up {
			state = "does not answer: " + e.Error
		}
		o.Lines("engine    " + e.ID + " " + state)
	}
	outboxLines(o, s.Outbox, now)
	o.Lines(fmt.Sprintf("space     %s free", Size(s.Free)))
	for _, x := range s.Stores {
		o.Lines("  " + x.Name + " " + Size(x.Bytes))
	}
	for _, w := range s.Warnings {
		o.Lines("warning   " + w)
	}
	o.Lines("")
	t := &Table{Head: []string{"task", "now", "for", "live", "beats", "last error"}, Right: map[int]bool{3: true, 4: true}}
	for _, x := range s.Tasks {
		t.Row(taskRow(x, now)...)
	}
	t.Print(o)
}

func taskRow(x client.Task, now time.Time) []string {
	doing, since := x.Doing, roughly(now.Sub(x.Since))
	switch {
	case x.Many:
		doing, since = x.About, ""
	case doing == "":
		doing = "waits"
	}
	failed := ""
	if x.Error != "" {
		failed = roughly(now.Sub(x.At)) + " ago: " + x.Error
	}
	return []string{x.Name, doing, since, fmt.Sprint(x.Count), fmt.Sprint(x.Beats), failed}
}

// roughly is a span for people, to the second.
func roughly(d time.Duration) string { return max(0, d).Round(time.Second).String() }
