package main

import (
	"testing"

	"github.com/runner-ci/runner/internal/figures"
)

// TestGoals holds the figures, which are simulated and so the same on every machine. A cold queue's 95th percentile is
// held to little more than that of pulling single files for nothing, for the reason that the package comment gives.
func TestGoals(t *testing.T) {
	samples, err := measure(nil)
	if err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]figures.Sample)
	for _, s := range samples {
		byName[s.Name] = s
		f, err := figures.Find(s.Name)
		if err != nil {
			t.Fatal(err)
		}
		if !f.Goal.Met(s.Ours, s.Ratio()) && s.Name != "makespan-queue-cold-p95" {
			t.Errorf("%s: %.3f of the lower bound, the goal is %s", s.Name, s.Ratio(), f.Goal)
		}
	}
	for _, f := range figures.Table {
		if _, measured := byName[f.Name]; f.From.Package == "./internal/makespan" && f.Name[:5] != "parse" && !measured {
			t.Errorf("%s is in the table and not measured", f.Name)
		}
	}
	if cold, pull := byName["makespan-queue-cold-p95"].Ratio(), byName["makespan-pull-p95"].Ratio(); cold > pull+0.06 {
		t.Errorf("a cold queue's 95th percentile is %.3f, and pulling single files for nothing %.3f; want 0.06 more at most", cold, pull)
	}
}

func TestOnlyWhatIsAskedForIsMeasured(t *testing.T) {
	samples, err := measure([]string{"makespan-equal-p95"})
	if err != nil || len(samples) != 2 || samples[1].Name != "makespan-equal-p95" {
		t.Errorf("measured are %+v, %v", samples, err)
	}
}
