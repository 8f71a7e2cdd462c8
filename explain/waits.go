package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

// waits are what the jobs waited for, by kind, the longest first.
func (b *build) waits(path []client.Step, through map[string]time.Duration) []client.Wait {
	kinds := make(map[string]*client.Wait)
	add := func(kind string, j *scheduler.Job, took time.Duration, text func() string) {
		if took < moment {
			return
		}
		w := kinds[kind]
		if w == nil {
			w = &client.Wait{Kind: kind}
			kinds[kind] = w
		}
		w.Jobs++
		w.Total += took.Seconds()
		if took.Seconds() > w.Seconds {
			w.Seconds, w.Job, w.Name, w.Text = took.Seconds(), j.ID, j.Name, text()
		}
	}
	for i := range b.Jobs {
		if b.Jobs[i].TakenFrom == "" && !b.planned.IsZero() {
			b.waitsOf(&b.Jobs[i], add)
		}
	}
	for _, s := range path {
		if w := kinds[s.Kind]; w != nil {
			w.On += s.Seconds
		}
	}
	for kind, took := range through {
		if w := kinds[kind]; w != nil {
			w.On += took.Seconds()
		}
	}
	out := make([]client.Wait, 0, len(kinds))
	for _, w := range kinds {
		out = append(out, *w)
	}
	slices.SortFunc(out, func(x, y client.Wait) int {
		return cmp.Or(cmp.Compare(y.Seconds, x.Seconds), strings.Compare(x.Kind, y.Kind))
	})
	return out
}

func (b *build) waitsOf(j *scheduler.Job, add func(kind string, j *scheduler.Job, took time.Duration, text func() string)) {
	ready, last := b.ready(j)
	queued, began := b.queued(j, ready), b.began(j)
	if last != nil {
		add(client.WaitJobs, j, ready.Sub(b.planned), func() string { return "for " + lastOf(b.dependsOn(j), last) })
	}
	if !own(j) && j.State == scheduler.JobEnded {
		return // it was ended where it waited, or because of another
	}
	if j.State != scheduler.JobBlocked || last == nil {
		add(client.StepGroup, j, queued.Sub(ready), func() string { return "for a place in " + b.Build.Group })
		add(client.StepSlot, j, began.Sub(queued), func() string { return b.slotText(queued, began) })
	}
	idle := time.Duration(0)
	for n := range j.Attempts {
		a := &j.Attempts[n]
		idle += a.Waited
		if n > 0 {
			before := &j.Attempts[n-1]
			add(client.StepRetry, j, a.Started.Sub(before.EndedAt), func() string { return againText(before) })
		}
	}
	add(client.WaitTests, j, idle, func() string { return "it had no tests left while other shards still ran some" })
}

// lastOf names the job that a job waited for, and counts all of them.
func lastOf(all []*scheduler.Job, last *scheduler.Job) string {
	if len(all) < 2 {
		return last.Name
	}
	return fmt.Sprintf("%s, the last of %d", last.Name, len(all))
}

// slotText tells who held the slots while a job waited for one.
func (b *build) slotText(from, to time.Time) string {
	mine, others, hidden := 0, map[string]int{}, 0
	middle := from.Add(to.Sub(from) / 2)
	for _, h := range b.Held {
		if h.Began.After(middle) || !h.Ended.IsZero() && h.Ended.Before(middle) {
			continue
		}
		switch h.Build {
		case b.Build.ID():
			mine++
		case "":
			hidden++
		default:
			others[h.Build]++
		}
	}
	var held []string
	if mine > 0 {
		held = append(held, fmt.Sprintf("%d by this build", mine))
	}
	names := make([]string, 0, len(others))
	for id := range others {
		names = append(names, id)
	}
	slices.SortFunc(names, func(x, y string) int { return cmp.Or(cmp.Compare(others[y], others[x]), strings.Compare(x, y)) })
	for i, id := range names {
		if i == 3 {
			held = append(held, fmt.Sprintf("and %d more builds", len(names)-i))
			break
		}
		held = append(held, fmt.Sprintf("%d by %s", others[id], id))
	}
	if hidden > 0 { // how many is nobody's business who may not see them
		return strings.Join(append(held, "others by other projects"), ", ")
	}
	sum := mine
	for _, n := range others {
		sum += n
	}
	switch {
	case sum == 0:
		return ""
	case b.MaxJobs > 0 && b.ofProject(middle) >= b.MaxJobs:
		return fmt.Sprintf("the project may have %d at once; held: %s", b.MaxJobs, strings.Join(held, ", "))
	}
	return fmt.Sprintf("%d of %d in use: %s", sum, max(b.Slots, sum), strings.Join(held, ", "))
}

// ofProject counts the slots that the build's project held at a time.
func (b *build) ofProject(at time.Time) (n int) {
	for _, h := range b.Held {
		project, _, _ := strings.Cut(h.Build, "#")
		if project == b.Build.Project && !h.Began.After(at) && (h.Ended.IsZero() || h.Ended.After(at)) {
			n++
		}
	}
	return n
}
