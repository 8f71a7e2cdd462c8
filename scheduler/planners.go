package scheduler

import (
	"context"
	"time"
)

const (
	// planners bounds the builds that are fetched and planned at once. Most of the time they wait for a remote or
	// a registry; package source bounds the children that unpack repositories by itself.
	planners = 8
	// projectPlanners bounds those of one project: a remote or a registry that is silent holds up its own.
	projectPlanners = 2
)

// planning is a build that is being planned, or waits for its turn.
type planning struct {
	build, project string
	seq            uint64
	cancel         context.CancelFunc
	turn           chan struct{} // closed when the turn comes
	running        bool
	rests          bool // after a fault, until another try is due
}

// plan plans a build as soon as its turn comes, and again after a fault, when its pause is over.
func (s *Scheduler) plan(daemon context.Context, b Build) {
	ctx, cancel := context.WithCancel(daemon)
	p := &planning{build: b.ID(), project: b.Project, seq: b.Seq, cancel: cancel, rests: true}
	s.mu.Lock()
	s.planning[p.build] = p
	s.mu.Unlock()
	wait := b.Again.left(time.Now())
	if wait == 0 {
		s.wantTurn(p) // now, so that turns are asked for in the order of the builds
	}
	s.each("plans", "fetches and plans one build", func() {
		defer s.endPlanning(p)
		for {
			s.rest(ctx, p, wait)
			select {
			case <-p.turn:
			case <-ctx.Done(): // stopped before its turn: planBuild says so
			}
			if wait = s.planBuild(ctx, daemon, b); wait == 0 {
				return
			}
		}
	})
}

// rest gives up a build's turn for a while, and asks for another one.
func (s *Scheduler) rest(ctx context.Context, p *planning, wait time.Duration) {
	if wait == 0 {
		return
	}
	s.mu.Lock()
	p.running, p.rests = false, true
	s.givePlanTurns()
	s.mu.Unlock()
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
	s.wantTurn(p)
}

// wantTurn has a build wait for its turn.
func (s *Scheduler) wantTurn(p *planning) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.rests, p.turn = false, make(chan struct{})
	s.givePlanTurns()
}

func (s *Scheduler) endPlanning(p *planning) {
	p.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.planning, p.build)
	s.givePlanTurns()
}

// givePlanTurns lets begin what may; s.mu is held.
func (s *Scheduler) givePlanTurns() {
	for p := nextPlanning(s.planning, s.planned); p != nil; p = nextPlanning(s.planning, s.planned) {
		s.turn++
		s.planned[p.project] = s.turn
		p.running = true
		close(p.turn)
	}
}

// nextPlanning chooses the build that is planned next, nil when none may be. The project that plans the fewest goes
// first, then the one whose last turn is longest ago; within a project, builds go in the order in which they came.
// The last place is kept for a project that plans nothing yet.
func nextPlanning(all map[string]*planning, served map[string]uint64) *planning {
	running := make(map[string]int)
	total := 0
	for _, p := range all {
		if p.running {
			running[p.project]++
			total++
		}
	}
	if total >= planners {
		return nil
	}
	limit := projectPlanners
	if total == planners-1 {
		limit = 1
	}
	var best *planning
	for _, p := range all {
		if !p.running && !p.rests && running[p.project] < limit && (best == nil || plansBefore(p, best, running, served)) {
			best = p
		}
	}
	return best
}

func plansBefore(a, b *planning, running map[string]int, served map[string]uint64) bool {
	switch {
	case a.project == b.project:
		return a.seq < b.seq
	case running[a.project] != running[b.project]:
		return running[a.project] < running[b.project]
	case served[a.project] != served[b.project]:
		return served[a.project] < served[b.project]
	}
	return a.seq < b.seq
}
