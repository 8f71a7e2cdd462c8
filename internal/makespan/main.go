package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"time"
)

const seeds = 20

// figure is one line.
type figure struct {
	Name   string  `json:"name"`
	Ours   float64 `json:"ours"`
	Theirs float64 `json:"theirs"` // of a makespan the lower bound
	Ratio  float64 `json:"ratio"`
	Goal   float64 `json:"goal,omitempty"` // of the ratio, of a speed the least; none: as found
	Unit   string  `json:"unit"`
}

// strategy is one way to divide a suite.
type strategy struct {
	name string
	goal float64
	run  func(s *suite, seed uint64) (makespan, bound time.Duration, err error)
}

var strategies = []strategy{
	{"makespan-timing", 1.10, func(s *suite, _ uint64) (time.Duration, time.Duration, error) {
		return s.fixed(s.timing()), s.bound(), nil
	}},
	{"makespan-queue-cold", 1.10, func(s *suite, _ uint64) (time.Duration, time.Duration, error) {
		d, err := newDynamic(s, nil)
		if err == nil {
			_, err = d.run(0)
		}
		return d.makespan, s.bound(), err
	}},
	{"makespan-queue-history", 1.05, func(s *suite, _ uint64) (time.Duration, time.Duration, error) {
		d, err := newDynamic(s, s.history)
		if err == nil {
			_, err = d.run(0)
		}
		return d.makespan, s.bound(), err
	}},
	{"makespan-queue-kill", 1.15, func(s *suite, _ uint64) (time.Duration, time.Duration, error) {
		return killed(s, s.history)
	}},
	{"makespan-queue-kill-cold", 0, func(s *suite, _ uint64) (time.Duration, time.Duration, error) {
		return killed(s, nil)
	}},
	{"makespan-equal", 0, func(s *suite, _ uint64) (time.Duration, time.Duration, error) {
		return s.fixed(s.equal()), s.bound(), nil
	}},
	{"makespan-pull", 0, func(s *suite, seed uint64) (time.Duration, time.Duration, error) {
		return s.pull(seed), s.bound(), nil
	}},
}

func main() {
	figures, err := parsing()
	if err == nil {
		var more []figure
		more, err = measure()
		figures = append(figures, more...)
	}
	if err == nil {
		err = report(figures)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "makespan:", err)
		os.Exit(1)
	}
}

// measure runs every strategy on every seed.
func measure() (figures []figure, err error) {
	for _, st := range strategies {
		all := make([]figure, 0, seeds)
		for seed := uint64(1); seed <= seeds; seed++ {
			makespan, bound, err := st.run(newSuite(seed), seed)
			if err != nil {
				return nil, fmt.Errorf("%s, seed %d: %w", st.name, seed, err)
			}
			all = append(all, figure{Ours: makespan.Seconds(), Theirs: bound.Seconds(), Ratio: makespan.Seconds() / bound.Seconds(), Goal: st.goal, Unit: "s"})
		}
		figures = append(figures, percentile(all, st.name, 0.5), percentile(all, st.name+"-p95", 0.95))
	}
	return figures, nil
}

// percentile is the figure of the seed with that rank.
func percentile(all []figure, name string, part float64) figure {
	slices.SortFunc(all, func(a, b figure) int { return cmp.Compare(a.Ratio, b.Ratio) })
	f := all[int(math.Ceil(part*float64(len(all))))-1]
	f.Name = name
	return f
}

// goal says what is wanted, and whether it is missed.
func (f figure) goal() string {
	wanted, missed := fmt.Sprintf("<= %.2f", f.Goal), f.Ratio > f.Goal
	switch {
	case f.Goal == 0:
		return "as found"
	case f.Unit == "MB/s":
		wanted, missed = fmt.Sprintf(">= %.0f %s", f.Goal, f.Unit), f.Ours < f.Goal
	}
	if missed {
		return wanted + " missed"
	}
	return wanted
}

// report prints the figures and writes them to the file that JSON names.
func report(figures []figure) error {
	for _, f := range figures {
		fmt.Printf("%-28s %8.2f %-4s %8.2f %-4s %7.3f  %s\n", f.Name, f.Ours, f.Unit, f.Theirs, f.Unit, f.Ratio, f.goal())
	}
	if path := os.Getenv("JSON"); path != "" {
		text, err := json.MarshalIndent(figures, "", "  ")
		if err == nil {
			err = os.WriteFile(path, append(text, '\n'), 0o644)
		}
		if err != nil {
			return fmt.Errorf("writing the figures: %w", err)
		}
	}
	return nil
}
