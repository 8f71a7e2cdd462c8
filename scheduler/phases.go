package scheduler

import (
	"slices"
	"time"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// Phases of a build as a whole; those of its jobs come from package runner and from the agent.
const (
	phaseSubmitted = "SUBMITTED"
	phaseQueued    = "QUEUED"
	phaseSource    = "DOWNLOAD_SOURCE"
	phaseCompleted = "COMPLETED"
)

// beginPhase adds a phase, and tells whether it did: one that is told again after a restart is there.
func beginPhase(list *[]Phase, name string, at time.Time) bool {
	if slices.ContainsFunc(*list, func(p Phase) bool { return p.Name == name }) {
		return false
	}
	*list = append(*list, Phase{Name: name, Status: InProgress, Started: at})
	return true
}

func endPhase(list *[]Phase, name string, status Status, at time.Time) *Phase {
	i := slices.IndexFunc(*list, func(p Phase) bool { return p.Name == name })
	if i < 0 {
		*list = append(*list, Phase{Name: name, Started: at})
		i = len(*list) - 1
	}
	p := &(*list)[i]
	if p.Status == "" || p.Status == InProgress {
		p.Status, p.Took = status, max(0, at.Sub(p.Started))
	}
	return p
}

// applyPhase writes what the agent told of one phase into an attempt's record.
func applyPhase(a *Attempt, p wire.PhaseEnded) {
	at := time.Unix(0, p.At)
	if p.Status == "" {
		if p.Phase != runner.PhaseProvisioning && len(a.Phases) > 0 && a.Phases[0].Name == runner.PhaseProvisioning {
			endPhase(&a.Phases, runner.PhaseProvisioning, Succeeded, at) // unless a daemon died before it could say so
		}
		if n := len(a.Phases); beginPhase(&a.Phases, p.Phase, at) {
			a.Phases[n].Offset = p.Offset
		}
		a.Phase = p.Phase
		return
	}
	rec := endPhase(&a.Phases, p.Phase, Status(p.Status), at)
	rec.Took = time.Duration(p.Millis) * time.Millisecond // the agent's monotonic clock knows better
	rec.Code, rec.Message = p.Code, p.Message
}

// closePhases ends what an attempt's sudden end left open.
func closePhases(list []Phase, status Status, at time.Time) {
	for i := range list {
		if list[i].Status == InProgress {
			list[i].Status, list[i].Took = status, max(0, at.Sub(list[i].Started))
		}
	}
}
