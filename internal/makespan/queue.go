package main

import (
	"fmt"
	"time"

	"github.com/runner-ci/runner/scheduler/testqueue"
)

// shard is a worker in simulated time. Its next step is at at.
type shard struct {
	id    string
	at    time.Duration
	batch *testqueue.Batch
	began time.Duration
	done  time.Duration // work of the batches that it answered
	ended bool
}

// dynamic runs a suite through the queue.
type dynamic struct {
	s        *suite
	q        *testqueue.Queue
	shards   []*shard
	makespan time.Duration
	batches  int
}

// start is when simulated time begins.
var start = time.Unix(1_700_000_000, 0)

func newDynamic(s *suite, history testqueue.History) (*dynamic, error) {
	q, err := testqueue.Open(testqueue.Options{Workers: shards, History: history}, start)
	d := &dynamic{s: s, q: q}
	for i, ready := range s.ready {
		d.shards = append(d.shards, &shard{id: fmt.Sprintf("shard%d@1", i), at: ready})
	}
	return d, err
}

// run plays the whole suite. One shard dies at kill, unless that is 0; then its lost batch is returned.
func (d *dynamic) run(kill time.Duration) (lost []string, err error) {
	for steps := 0; ; steps++ {
		next := d.next()
		if next == nil {
			break
		}
		if steps > 100*files {
			return nil, fmt.Errorf("the queue does not end: %+v", d.q.Summary())
		}
		if victim := d.shards[0]; kill > 0 && !victim.ended && next.at > kill {
			if victim.batch != nil {
				lost = victim.batch.Items
			}
			victim.ended = true
			d.shards = append(d.shards, &shard{at: kill + notice}) // the news of its death
			continue
		}
		if next.id == "" {
			next.ended = true
			err = d.q.Lost(d.shards[0].id, 0, start.Add(next.at))
		} else {
			err = d.step(next)
		}
		if err != nil {
			return nil, err
		}
	}
	return lost, d.judge()
}

// next is the shard whose step is due.
func (d *dynamic) next() (first *shard) {
	for _, s := range d.shards {
		if !s.ended && (first == nil || s.at < first.at) {
			first = s
		}
	}
	return first
}

// step answers the batch of a shard, if it has one, and takes the next.
func (d *dynamic) step(s *shard) error {
	now := start.Add(s.at)
	for _, other := range d.shards {
		if other.batch != nil && !other.ended {
			_ = d.q.Heartbeat(other.id, now) // beats go on while a batch runs
		}
	}
	if s.batch != nil {
		done := testqueue.Completion{Outcome: testqueue.Passed, Took: s.at - s.began}
		if _, err := d.q.Complete(s.id, s.batch.Token, done, now); err != nil {
			return err
		}
		s.done += d.s.work(s.batch.Items)
		s.batch, d.makespan = nil, max(d.makespan, s.at)
	} else if err := d.q.Join(s.id, 0, d.s.names, now); err != nil {
		return err
	}
	offer, err := d.q.Take(s.id, 0, now)
	switch {
	case err != nil:
		return err
	case offer.Batch != nil:
		s.batch, s.began, s.at = offer.Batch, s.at, s.at+d.s.run(offer.Batch.Items)
		d.batches++
	case offer.Done:
		s.ended = true
	default:
		s.at += poll
	}
	return nil
}

// judge holds that nothing was lost and nothing counted twice.
func (d *dynamic) judge() error {
	if sum := d.q.Summary(); sum.Passed != files || sum.Total != files {
		return fmt.Errorf("%d files went in, the queue counts %+v", files, sum)
	}
	return d.q.Check()
}

// killed is the makespan with one shard dead halfway, and its bound.
func killed(s *suite, history testqueue.History) (makespan, bound time.Duration, err error) {
	d, err := newDynamic(s, history)
	if err != nil {
		return 0, 0, err
	}
	kill := s.bound() / 2
	lost, err := d.run(kill)
	left := (s.work(s.names) - d.shards[0].done) / (shards - 1)
	bound = max(s.longest(s.names), left)
	if len(lost) > 0 {
		bound = max(bound, kill+s.longest(lost))
	}
	return d.makespan, bound, err
}
