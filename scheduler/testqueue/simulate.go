package testqueue

import (
	"errors"
	"fmt"
	"time"
)

// Simulation is a suite whose durations are known afterwards, to be divided once more over other workers.
type Simulation struct {
	Real    []Item          // what each item takes
	Known   History         // what the division knows of it
	Startup time.Duration   // of each batch
	Ready   []time.Duration // when each worker first asks
	Fixed   bool            // it is split once, and not taken from a queue
}

// maxSteps bounds a simulation: each step hands out a batch, answers one, or finds that there is none.
const maxSteps = 1_000_000

// pollEvery is how often a worker of a simulation asks that was told to wait.
const pollEvery = 10 * time.Millisecond

// Ends is when the last test ends, by the code that divides real suites.
func (s Simulation) Ends() (time.Duration, error) {
	if len(s.Real) == 0 || len(s.Ready) == 0 {
		return 0, errors.New("a simulation needs tests and workers")
	}
	names, took := make([]string, len(s.Real)), make(map[string]time.Duration, len(s.Real))
	for i, it := range s.Real {
		names[i], took[it.Name] = it.Name, max(it.Took, 0)
	}
	if names = Normalise(names); s.Fixed {
		return s.split(names, took), nil
	}
	q, err := Open(Options{Workers: len(s.Ready), History: s.Known, Silence: 10_000 * time.Hour}, time.Unix(0, 0))
	if err != nil {
		return 0, err
	}
	return s.play(q, names, took)
}

func (s Simulation) split(names []string, took map[string]time.Duration) (end time.Duration) {
	for i, share := range Split(s.Known.Items(names), len(s.Ready)) {
		if len(share) == 0 {
			continue
		}
		at := s.Ready[i] + s.Startup
		for _, it := range share {
			at += took[it.Name]
		}
		end = max(end, at)
	}
	return end
}

// player is a worker in simulated time.
type player struct {
	id    string
	at    time.Duration // of its next step
	began time.Duration // of its batch
	batch *Batch
	ended bool
}

func (s Simulation) play(q *Queue, names []string, took map[string]time.Duration) (end time.Duration, err error) {
	players := make([]*player, len(s.Ready))
	for i, ready := range s.Ready {
		players[i] = &player{id: fmt.Sprint(i), at: ready}
	}
	for range maxSteps {
		var next *player
		for _, p := range players {
			if !p.ended && (next == nil || p.at < next.at) {
				next = p
			}
		}
		if next == nil {
			return end, nil
		}
		if next.batch != nil {
			end = max(end, next.at)
		}
		if err := s.step(q, next, names, took); err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("the simulation of %d tests does not come to an end", len(names))
}

// step answers a worker's batch, if it has one, and takes the next.
func (s Simulation) step(q *Queue, p *player, names []string, took map[string]time.Duration) error {
	now := time.Unix(0, 0).Add(p.at)
	if p.batch == nil {
		if err := q.Join(p.id, 0, names, now); err != nil {
			return err
		}
	} else {
		done := Completion{Outcome: Passed, Took: p.at - p.began}
		for _, name := range p.batch.Items {
			done.Results = append(done.Results, Result{Item: name, Outcome: Passed, Took: took[name]})
		}
		if _, err := q.Complete(p.id, p.batch.Token, done, now); err != nil {
			return err
		}
		p.batch = nil
	}
	offer, err := q.Take(p.id, 0, now)
	switch {
	case err != nil:
		return err
	case offer.Done:
		p.ended = true
	case offer.Batch == nil:
		p.at += pollEvery
	default:
		p.batch, p.began, p.at = offer.Batch, p.at, p.at+s.Startup
		for _, name := range offer.Batch.Items {
			p.at += took[name]
		}
	}
	return nil
}
