package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/runner-ci/runner/internal/figures"
)

// measure runs each source once, for all figures that are wanted of it. One that fails does not keep others from running.
func measure(wanted []figures.Figure) (samples []figures.Sample, failed []error) {
	dir, err := os.MkdirTemp("", "bench-*")
	if err != nil {
		return nil, []error{err}
	}
	defer os.RemoveAll(dir)
	names := make(map[figures.Source][]string)
	var sources []figures.Source
	for _, f := range wanted {
		if names[f.From] == nil {
			sources = append(sources, f.From)
		}
		names[f.From] = append(names[f.From], f.Name)
	}
	for i, from := range sources {
		path := filepath.Join(dir, fmt.Sprintf("%d.jsonl", i))
		if err := run(from, names[from], path); err != nil {
			failed = append(failed, err)
		}
		got, err := figures.Read(path)
		if err != nil && !os.IsNotExist(err) {
			failed = append(failed, err)
		}
		samples = append(samples, got...)
	}
	return samples, failed
}

// run lets a source write its samples to a file. What it prints is shown when it fails.
func run(from figures.Source, names []string, path string) error {
	args := command(from, names)
	fmt.Fprintln(os.Stderr, "bench: go", strings.Join(args, " "))
	began := time.Now()
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), figures.FileVar+"="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w after %s:\n%s", strings.Join(args, " "), err, time.Since(began).Round(time.Second), out)
	}
	return nil
}

// command is what the go command is told to measure figures of one source.
func command(from figures.Source, names []string) []string {
	if from.Benchmark == "" {
		return append([]string{"run", from.Package}, names...)
	}
	return []string{"test", "-timeout", "1h", "-run", "^$", "-bench", fmt.Sprintf("^%s$/^(%s)$", from.Benchmark, strings.Join(names, "|")),
		"-benchtime", fmt.Sprintf("%dx", from.Times), from.Package}
}

// line is a figure as it is printed and written.
type line struct {
	Name    string  `json:"name"`
	Ours    float64 `json:"ours"` // median
	Theirs  float64 `json:"theirs,omitempty"`
	Ratio   float64 `json:"ratio,omitempty"`
	Goal    float64 `json:"goal,omitempty"`
	GoalIs  string  `json:"goalIs,omitempty"` // such as "ratio at most"
	Verdict string  `json:"verdict"`          // met, missed, left-out, or - where there is no goal
	Unit    string  `json:"unit"`
	Runs    int     `json:"runs"`
	Lowest  float64 `json:"lowest"` // of ours
	Highest float64 `json:"highest"`
	Note    string  `json:"note,omitempty"` // of a goal that is missed, or why the figure is left out
	goal    figures.Goal
}

// summarise makes a line of the samples of each figure, in the order of the table.
func summarise(wanted []figures.Figure, samples []figures.Sample) (lines []line, err error) {
	byName := make(map[string][]figures.Sample)
	for _, s := range samples {
		byName[s.Name] = append(byName[s.Name], s)
	}
	var missing []string
	for _, f := range wanted {
		if all := byName[f.Name]; len(all) > 0 {
			lines = append(lines, lineOf(f, all))
		} else {
			missing = append(missing, f.Name)
		}
	}
	if len(missing) > 0 {
		err = fmt.Errorf("not measured: %s", strings.Join(missing, ", "))
	}
	return lines, err
}

func lineOf(f figures.Figure, all []figures.Sample) line {
	if why := all[0].LeftOut; why != "" {
		return line{Name: f.Name, Unit: all[0].Unit, goal: f.Goal, Goal: f.Goal.Value, GoalIs: f.Goal.Is, Verdict: "left-out", Note: "left out, because " + why}
	}
	var ours, theirs []float64
	for _, s := range all {
		ours, theirs = append(ours, s.Ours), append(theirs, s.Theirs)
	}
	l := line{Name: f.Name, Unit: all[0].Unit, Runs: len(all), goal: f.Goal, Goal: f.Goal.Value, GoalIs: f.Goal.Is, Verdict: "-"}
	l.Ours, l.Theirs, l.Lowest, l.Highest = median(ours), median(theirs), slices.Min(ours), slices.Max(ours)
	l.Ratio = figures.Sample{Ours: l.Ours, Theirs: l.Theirs}.Ratio()
	switch {
	case f.Goal.Is == "":
	case f.Goal.Met(l.Ours, l.Ratio):
		l.Verdict = "met"
	default:
		l.Verdict, l.Note = "missed", f.Note
	}
	return l
}

// median is the middle one, or the mean of the two in the middle.
func median(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}
