package explain

import (
	"fmt"
	"slices"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

// pathOf are the steps that decided how long a build took, the first one first.
func (b *build) path() (steps []client.Step, through map[string]time.Duration) {
	w := &walker{build: b, at: b.end}
	if last := b.decider(); last != nil {
		if end := b.ended(last.EndedAt); last.State == scheduler.JobEnded {
			w.step(client.Step{Kind: client.StepEnd, Text: "the build was ended after its last job"}, end)
		}
		w.job(last)
	}
	w.beginning()
	slices.Reverse(w.steps)
	return w.steps, w.through
}

// decider is the job for which the build's end waited, or still waits: of those that run the one that began first.
func (b *build) decider() (found *scheduler.Job) {
	if b.Build.Status.Ended() {
		for i := range b.Jobs {
			j := &b.Jobs[i]
			if j.TakenFrom == "" && (found == nil || own(j) && !own(found) || own(j) == own(found) && j.EndedAt.After(found.EndedAt)) {
				found = j
			}
		}
		return found
	}
	rank := map[scheduler.JobState]int{scheduler.JobLeased: 3, scheduler.JobQueued: 2, scheduler.JobBlocked: 1}
	for i := range b.Jobs {
		j := &b.Jobs[i]
		if rank[j.State] == 0 {
			continue
		}
		if found == nil || rank[j.State] > rank[found.State] || rank[j.State] == rank[found.State] && b.began(j).Before(b.began(found)) {
			found = j
		}
	}
	return found
}

// soon is within what time of its being freed a slot is given away.
const soon = time.Second

// freed is the job of the same build whose end gave a job its slot, where that had to wait for one. The path goes on there:
// what the wait was for says more than that there was one.
func (w *walker) freed(j *scheduler.Job, queued time.Time) (found *scheduler.Job) {
	if !own(j) || j.Attempts[0].Started.Sub(queued) < 2*moment || w.at.After(j.Attempts[0].Started) {
		return nil
	}
	for i := range w.Jobs {
		other := &w.Jobs[i]
		end := other.EndedAt
		if other.ID == j.ID || !own(other) || end.IsZero() || end.After(w.at) || w.at.Sub(end) > soon || !end.After(queued) {
			continue
		}
		if found == nil || end.After(found.EndedAt) {
			found = other
		}
	}
	return found
}

// hadWaited says at the first step of a job that it got the slot of another one.
func (w *walker) hadWaited(j, holder *scheduler.Job, took time.Duration) {
	w.step(client.Step{Kind: client.StepSlot, Job: j.ID, Name: j.Name}, holder.EndedAt)
	if w.through == nil {
		w.through = make(map[string]time.Duration)
	}
	w.through[client.StepSlot] += took
	for i := len(w.steps) - 1; i >= 0; i-- {
		if s := &w.steps[i]; s.Job == j.ID && s.Kind == client.StepStart {
			s.Text = fmt.Sprintf("after %s for a slot: it got that of %s", brief(took), holder.Name)
			return
		}
	}
}

// walker goes from the end of a build to its beginning.
type walker struct {
	*build
	at    time.Time // how far it has come
	steps []client.Step
	seen  int // jobs, so that damaged rows cannot lead around in a circle

	through map[string]time.Duration // waits by kind that decided something, although the path goes through what they were for
}

// step adds what lies between a time and where the walk is. What has no length is left out.
func (w *walker) step(s client.Step, from time.Time) {
	if from.Before(w.Build.Created) {
		from = w.Build.Created
	}
	if !from.Before(w.at) {
		return
	}
	s.Started, s.Seconds = from, w.at.Sub(from).Seconds()
	s.Running = !w.Build.Status.Ended() && w.at.Equal(w.end)
	w.at = from
	w.steps = append(w.steps, s)
}

// job walks over a job, and what it waited for.
func (w *walker) job(j *scheduler.Job) {
	if w.seen++; w.seen > 2*len(w.Jobs)+2 {
		return
	}
	if j.TakenFrom == "" {
		for i := len(j.Attempts) - 1; i >= 0; i-- {
			a := &j.Attempts[i]
			if a.Started.After(w.at) {
				continue // the walk came to the job at an earlier attempt
			}
			if i < len(j.Attempts)-1 {
				w.step(client.Step{Kind: client.StepRetry, Job: j.ID, Name: j.Name, Text: againText(a)}, w.ended(a.EndedAt))
			}
			if other := w.attempt(j, a); other != nil {
				w.job(other)
				return
			}
		}
	}
	ready, last := w.ready(j)
	queued := w.queued(j, ready)
	if holder := w.freed(j, queued); holder != nil {
		w.hadWaited(j, holder, w.at.Sub(queued))
		w.job(holder)
		return
	}
	w.step(client.Step{Kind: client.StepSlot, Job: j.ID, Name: j.Name, Text: w.slotText(queued, w.at)}, queued)
	w.step(client.Step{Kind: client.StepGroup, Job: j.ID, Name: j.Name, Text: "waited for its concurrency group, " + w.Build.Group}, ready)
	if last != nil {
		w.job(last)
	}
}

func againText(a *scheduler.Attempt) string {
	if a.Retry {
		return "tried again, as on-failure: RETRY asks"
	}
	return "tried again after a fault: " + a.Reason
}

// attempt walks over one attempt at a job. It returns another job where that one ran the tests that this one waited for.
func (w *walker) attempt(j *scheduler.Job, a *scheduler.Attempt) *scheduler.Job {
	base := client.Step{Job: j.ID, Name: j.Name, Attempt: a.Number}
	phases := ownPhases(a)
	if len(phases) == 0 {
		base.Kind, base.Warm = client.StepStart, a.Warm
		w.step(base, a.Started)
		return nil
	}
	for i := len(phases) - 1; i >= 0; i-- {
		p := &phases[i]
		if end := p.ended; !end.IsZero() && (i == len(phases)-1 || w.at.Sub(end) >= 2*moment) {
			s := base
			if s.Kind, s.Text = client.StepBetween, "between "+p.Name+" and what followed"; i == len(phases)-1 {
				s.Kind, s.Text = client.StepFinish, "took in what it left, and stored the result"
			}
			w.step(s, end)
		}
		s := base
		s.Kind, s.Phase = client.StepPhase, p.Name
		if p.Name == "PROVISIONING" {
			s.Kind, s.Phase, s.Warm = client.StepStart, "", a.Warm
		}
		if other, from := w.testsElsewhere(j, a, p); other != nil {
			s.Tests, s.Commands = w.testsOf(j, a, from, w.at), commandsOf(a, p.Name, from, w.at)
			w.step(s, from)
			return other
		}
		s.Tests, s.Commands = w.testsOf(j, a, p.Started, w.at), commandsOf(a, p.Name, p.Started, w.at)
		w.step(s, p.Started)
	}
	w.step(client.Step{Kind: client.StepStart, Job: j.ID, Name: j.Name, Attempt: a.Number, Warm: a.Warm}, a.Started)
	return nil
}

// stage is a phase with when it ended.
type stage struct {
	scheduler.Phase
	ended time.Time // zero: it has not
}

// ownPhases are the phases of an attempt in the order in which they began, within its times: an agent's clock can be wrong.
func ownPhases(a *scheduler.Attempt) (out []stage) {
	within := func(t time.Time) time.Time {
		if t.Before(a.Started) {
			return a.Started
		}
		if !a.EndedAt.IsZero() && t.After(a.EndedAt) {
			return a.EndedAt
		}
		return t
	}
	for _, p := range a.Phases {
		if p.Name == "COMPLETED" {
			continue
		}
		s := stage{Phase: p}
		s.Started = within(p.Started)
		if p.Status != scheduler.InProgress {
			s.ended = within(p.Started.Add(p.Took))
		}
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(x, y stage) int { return x.Started.Compare(y.Started) })
	return out
}

// commandsOf are the commands of a phase, as far as they ran within a span.
func commandsOf(a *scheduler.Attempt, phase string, from, to time.Time) (out []client.PathCommand) {
	for _, c := range a.Commands {
		if c.Phase != phase || c.Began.IsZero() {
			continue
		}
		began, ended := c.Began, to
		if c.Ended {
			ended = c.Began.Add(c.Took)
		}
		if began.Before(from) {
			began = from
		}
		if ended.After(to) {
			ended = to
		}
		if began.Before(ended) {
			out = append(out, client.PathCommand{Text: c.Text, Started: began, Seconds: ended.Sub(began).Seconds()})
		}
	}
	return out
}

// beginning is what came before the jobs.
func (w *walker) beginning() {
	if w.planned.IsZero() {
		w.step(client.Step{Kind: client.StepSource}, w.submitted())
	} else {
		w.step(client.Step{Kind: client.StepSlot}, w.planned)
		w.step(client.Step{Kind: client.StepSource}, w.submitted())
	}
	w.step(client.Step{Kind: client.StepSubmitted}, w.Build.Created)
}

// submitted is when the build was made of its trigger.
func (w *walker) submitted() time.Time {
	for _, p := range w.Build.Phases {
		if p.Name == "SUBMITTED" {
			return p.Started.Add(p.Took)
		}
	}
	return w.Build.Created
}
