package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/runner-ci/runner/scheduler/testqueue"
)

// The model, as in the package comment.
const (
	files   = 400
	shards  = 8
	sigma   = 1.0
	startup = 300 * time.Millisecond
	skew    = time.Second
	noise   = 0.2
	notice  = time.Second // from a shard's death to the daemon's knowing it
	poll    = 200 * time.Millisecond
)

// suite is one seed's suite and the shards that run it.
type suite struct {
	names   []string
	took    map[string]time.Duration
	history testqueue.History
	ready   []time.Duration
}

func newSuite(seed uint64) *suite {
	rnd := rand.New(rand.NewPCG(seed, 0))
	s := &suite{took: make(map[string]time.Duration), history: make(testqueue.History)}
	for i := range files {
		name := fmt.Sprintf("tests/part%02d/test_%03d.py", i/20, i)
		s.names = append(s.names, name)
		s.took[name] = time.Duration(math.Exp(sigma*rnd.NormFloat64()) * float64(time.Second))
		s.history[name] = time.Duration(float64(s.took[name]) * (1 - noise + 2*noise*rnd.Float64()))
	}
	for range shards {
		s.ready = append(s.ready, time.Duration(rnd.Float64()*float64(skew)))
	}
	return s
}

// run is how long a batch takes.
func (s *suite) run(names []string) time.Duration { return startup + s.work(names) }

func (s *suite) work(names []string) (sum time.Duration) {
	for _, name := range names {
		sum += s.took[name]
	}
	return sum
}

func (s *suite) longest(names []string) (longest time.Duration) {
	for _, name := range names {
		longest = max(longest, s.took[name])
	}
	return longest
}

// bound is what no division can beat.
func (s *suite) bound() time.Duration {
	return max(s.longest(s.names), s.work(s.names)/shards)
}

// fixed is the makespan of a division that was made beforehand.
func (s *suite) fixed(shares [][]string) (makespan time.Duration) {
	for i, share := range shares {
		if len(share) > 0 {
			makespan = max(makespan, s.ready[i]+s.run(share))
		}
	}
	return makespan
}

// equal divides as CodeBuild's equal-distribution does: contiguous, sizes differing by at most one.
func (s *suite) equal() (shares [][]string) {
	for i := range shards {
		shares = append(shares, s.names[i*files/shards:(i+1)*files/shards])
	}
	return shares
}

func (s *suite) timing() (shares [][]string) {
	for _, share := range testqueue.Split(s.history.Items(s.names), shards) {
		names := make([]string, len(share))
		for i, item := range share {
			names[i] = item.Name
		}
		shares = append(shares, names)
	}
	return shares
}

// pull is the reference: one file at a time in random order, nothing costs anything besides.
func (s *suite) pull(seed uint64) (makespan time.Duration) {
	rnd := rand.New(rand.NewPCG(seed, 7))
	ends := make([]time.Duration, shards)
	for _, i := range rnd.Perm(files) {
		first := 0
		for n := range ends {
			if ends[n] < ends[first] {
				first = n
			}
		}
		ends[first] += s.took[s.names[i]]
		makespan = max(makespan, ends[first])
	}
	return makespan
}
