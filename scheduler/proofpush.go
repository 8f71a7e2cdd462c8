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
	push := *b
	push.Trusted, push.Ref = true, p.DefaultRefs()[0]
	here, err := s.keysOf(&p, &t, b)
	if err != nil {
		return nil
	}
	there := *here
	there.b = &push
	for i := range jobs {
		j := &jobs[i]
		if j.Key == "" || time.Since(j.EndedAt) > p.ResultAge() {
			return nil
		}
		if key, _ := here.key(ctx, &b.Plan.Jobs[i]); key != j.Key {
			return nil // settings or secrets have changed since
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
