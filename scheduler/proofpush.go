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

// PushProof tells whether a push of a submitted tree would be green at once; nil where some of its jobs would run.
func (s *Scheduler) PushProof(ctx context.Context, b *Build, jobs []Job) *PushProof {
	if b.Status != Succeeded || b.Plan == nil || len(jobs) == 0 || len(jobs) != len(b.Plan.Jobs) {
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
	for i := range jobs {
		j := &jobs[i]
		if j.Key == "" || time.Since(j.EndedAt) > p.ResultAge() || s.keyNow(ctx, b, i) != j.Key {
			return nil
		}
		if out.Trusted {
			key, _ := s.proofKey(ctx, &p, &t, &push, &b.Plan.Jobs[i])
			out.Trusted = key == j.Key
		}
		if end := j.EndedAt.Add(p.ResultAge()); out.Until.IsZero() || end.Before(out.Until) {
			out.Until = end
		}
	}
	return out
}
