package server

import (
	"context"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/tests/quarantine"
)

// listQuarantine tells which tests the default branch quarantines, as its newest build read them, and how they did lately.
func (a *api) listQuarantine(_ context.Context, in *ProjectInput) (*jsonOut[client.Quarantine], error) {
	p, err := a.Scheduler.Project(in.Name)
	if err != nil {
		return nil, err
	}
	out := client.Quarantine{Items: []client.QuarantineEntry{}}
	b, err := a.Scheduler.NewestBuild(in.Name, p.DefaultRefs())
	if err != nil {
		return nil, err
	}
	if b == nil {
		return answer(out)
	}
	out.Build, out.Ref, out.Commit = b.ID(), b.Ref, b.Commit
	for _, w := range b.Warnings {
		if strings.HasPrefix(w, "no quarantine is in force") {
			out.Problem = w
		}
	}
	held, err := a.Tests.Held(in.Name, b.Quarantine)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	for i := range b.Quarantine {
		e, h := &b.Quarantine[i], &held[i]
		item := client.QuarantineEntry{
			TestQuarantine: showEntry(e), Line: e.Line, State: string(e.State(now)),
			Tests: h.Tests, Runs: h.Runs, Failed: h.Bad, Clean: h.Clean, Ready: h.Ready(),
		}
		if h.Last != nil {
			last := showResult(h.Last)
			item.Last = &last
		}
		out.Items = append(out.Items, item)
	}
	return answer(out)
}

func showEntry(e *quarantine.Entry) client.TestQuarantine {
	return client.TestQuarantine{Test: e.Test, Owner: e.Owner, Until: e.Until, Reason: e.Reason}
}
