package scheduler

import (
	"context"
	"slices"
	"time"

	"github.com/runner-ci/runner/config"
)

// PushProof says which pushes of a build's tree will take all its results, as things are.
type PushProof struct {
	Trusted bool      // also one to the default branch; else those alone that are not trusted
	Until   time.Time // and not after that
}

// manyToProve is how many jobs a build may have of which it is told: it is computed whenever somebody looks.
const manyToProve = 500

// PushProof tells whether a push of a submitted tree would be green at once; nil where some of its jobs would run.
func (s *Scheduler) PushProof(ctx context.Context, b *Build, jobs []Job) *PushProof {
	if b.Status != Succeeded || b.Plan == nil || len(jobs) == 0 || len(jobs) != len(b.Plan.Jobs) || len(jobs) > manyToProve {
		return nil
	}
	p, err := s.Project(b.Project)
	if err != nil {
		return nil
	}
	t, err := s.Trigger(b.Trigger)
	if err != nil || t.Kind != KindSubmit || !mayProve(&p, &t, b) {
		return nil
	}
	out := &PushProof{Trusted: p.GreenBeforePush == config.GreenOn && slices.Contains(p.GreenFrom, t.Actor)}
	// A push has an event, a commit and a number of its own: a job that asks for one of these will run.
	event, push := t, *b
	event.Kind, event.Event, event.Ref = KindPush, "PUSH", p.DefaultRefs()[0]
	push.Commit, push.Number = "", 0
	here, err := s.keysOf(&p, &event, &push)
	if err != nil {
		return nil
	}
	trusted := push
	trusted.Trusted, trusted.Ref = true, event.Ref
	there := *here
	there.b = &trusted
	for i := range jobs {
		j := &jobs[i]
		if j.Key == "" || time.Since(j.EndedAt) > p.ResultAge() {
			return nil
		}
		if key, _ := here.key(ctx, &b.Plan.Jobs[i]); key != j.Key {
			return nil // or settings or secrets have changed since
		}
		if out.Trusted {
			key, _ := there.key(ctx, &b.Plan.Jobs[i])
			out.Trusted = key == j.Key
		}
		if end := j.EndedAt.Add(p.ResultAge()); out.Until.IsZero() || end.Before(out.Until) {
			out.Until = end
		}
	}
	return out
}
