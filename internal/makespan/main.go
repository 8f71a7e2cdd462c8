package main

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"github.com/runner-ci/runner/internal/figures"
)

const seeds = 20

// strategy is one way to divide a suite.
type strategy struct {
	name string
	run  func(s *suite, seed uint64) (makespan, bound time.Duration, err error)
}

var strategies = []strategy{
	{"makespan-timing", func(s *suite, _ uint64) (time.Duration, time.Duration, error) {
		return s.fixed(s.timing()), s.bound(), nil
	}},
	{"makespan-queue-cold", func(s *suite, _ uint64) (time.Duration, time.Duration, error) {
		d, err := newDynamic(s, nil)
		if err == nil {
			_, err = d.run(0)
		}
		return d.makespan, s.bound(), err
	}},
	{"makespan-queue-history", func(s *suite, _ uint64) (time.Duration, time.Duration, error) {
		d, err := newDynamic(s, s.history)
		if err == nil {
			_, err = d.run(0)
		}
		return d.makespan, s.bound(), err
	}},
	{"makespan-queue-kill", func(s *suite, _ uint64) (time.Duration, time.Duration, error) {
		return killed(s, s.history)
	}},
	{"makespan-queue-kill-cold", func(s *suite, _ uint64) (time.Duration, time.Duration, error) {
		return killed(s, nil)
	}},
	{"makespan-equal", func(s *suite, _ uint64) (time.Duration, time.Duration, error) {
		return s.fixed(s.equal()), s.bound(), nil
	}},
	{"makespan-pull", func(s *suite, seed uint64) (time.Duration, time.Duration, error) {
		return s.pull(seed), s.bound(), nil
	}},
}

func main() {
	samples, err := parsing(os.Args[1:])
	if err == nil {
		var more []figures.Sample
		more, err = measure(os.Args[1:])
		samples = append(samples, more...)
	}
	for _, s := range samples {
		fmt.Printf("%-28s %8.2f %-4s %8.2f %-4s %7.3f\n", s.Name, s.Ours, s.Unit, s.Theirs, s.Unit, s.Ratio())
		if err == nil {
			err = figures.Give(s)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "makespan:", err)
		os.Exit(1)
	}
}

// wants tells whether one of the names is among those that were asked for, which are all if none was.
func wants(asked []string, names ...string) bool {
	return len(asked) == 0 || slices.ContainsFunc(names, func(name string) bool { return slices.Contains(asked, name) })
}

// measure runs every strategy that is asked for on every seed.
func measure(asked []string) (samples []figures.Sample, err error) {
	for _, st := range strategies {
		if !wants(asked, st.name, st.name+p95) {
			continue
		}
		all := make([]figures.Sample, 0, seeds)
		for seed := uint64(1); seed <= seeds; seed++ {
			makespan, bound, err := st.run(newSuite(seed), seed)
			if err != nil {
				return nil, fmt.Errorf("%s, seed %d: %w", st.name, seed, err)
			}
			all = append(all, figures.Sample{Ours: makespan.Seconds(), Theirs: bound.Seconds(), Unit: "s"})
		}
		samples = append(samples, percentile(all, st.name, 0.5), percentile(all, st.name+p95, 0.95))
	}
	return samples, nil
}

// p95 ends the name of a figure that is a 95th percentile.
const p95 = "-p95"

// percentile is the sample of the seed with that rank.
func percentile(all []figures.Sample, name string, part float64) figures.Sample {
	slices.SortFunc(all, func(a, b figures.Sample) int { return cmp.Compare(a.Ratio(), b.Ratio()) })
	s := all[int(math.Ceil(part*float64(len(all))))-1]
	s.Name = name
	return s
}
