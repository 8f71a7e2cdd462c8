package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/internal/figures"
)

// TestTheTableIsTrue: names are what a column and a pattern can hold, and each benchmark that is to be run is there.
func TestTheTableIsTrue(t *testing.T) {
	seen := make(map[string]bool)
	for _, f := range figures.Table {
		if seen[f.Name] || f.Name != strings.ToLower(f.Name) && !strings.Contains(f.Name, "MB") || strings.ContainsAny(f.Name, " /()|") {
			t.Errorf("%q is no name for a figure, or stands twice", f.Name)
		}
		seen[f.Name] = true
		dir := filepath.Join("..", "..", f.From.Package)
		if f.From.Benchmark == "" {
			if _, err := os.Stat(filepath.Join(dir, "main.go")); err != nil {
				t.Errorf("%s comes from a command: %v", f.Name, err)
			}
			continue
		}
		if !strings.HasPrefix(f.From.Benchmark, "BenchmarkFigure") || f.From.Times < 1 {
			t.Errorf("%s: %+v is no BenchmarkFigure… that runs", f.Name, f.From)
		}
		if text := testsIn(t, dir); !strings.Contains(text, "func "+f.From.Benchmark+"(") || !strings.Contains(text, `"`+f.Name+`"`) {
			t.Errorf("%s has no %s that runs %s", f.From.Package, f.From.Benchmark, f.Name)
		}
	}
}

func testsIn(t *testing.T, dir string) (all string) {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		all += text(name)
	}
	return all
}

func TestFiguresAreChosen(t *testing.T) {
	wanted, err := choose("^makespan-equal")
	if err != nil || len(wanted) != 2 {
		t.Errorf("chosen are %+v, %v", wanted, err)
	}
	for pattern, says := range map[string]string{"nothing-like-it": "matches no figure; there are parse-junit", "(": "no regular expression"} {
		if _, err := choose(pattern); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("FIGURE=%s: %v", pattern, err)
		}
	}
	from := figures.Source{Package: "./x", Benchmark: "BenchmarkFigureX", Times: 5}
	if got := strings.Join(command(from, []string{"a", "b"}), " "); got != "test -timeout 1h -run ^$ -bench ^BenchmarkFigureX$/^(a|b)$ -benchtime 5x ./x" {
		t.Errorf("measured by go %s", got)
	}
	if got := strings.Join(command(figures.Source{Package: "./x"}, []string{"a", "b"}), " "); got != "run ./x a b" {
		t.Errorf("measured by go %s", got)
	}
}

// TestSamplesBecomeATable goes from what is given to what is printed and written.
func TestSamplesBecomeATable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "samples")
	t.Setenv(figures.FileVar, path)
	for _, s := range []figures.Sample{
		{Name: "parse-junit", Ours: 90, Theirs: 3000, Unit: "MB/s"},
		{Name: "parse-junit", Ours: 30, Theirs: 2000, Unit: "MB/s"},
		{Name: "parse-junit", Ours: 100, Theirs: 4000, Unit: "MB/s"},
		{Name: "makespan-queue-cold-p95", Ours: 12, Theirs: 10, Unit: "s"},
		{Name: "makespan-equal", Ours: 14, Theirs: 10, Unit: "s"},
		{Name: "build-warm-act", Unit: "-", LeftOut: "no proxy answers"},
	} {
		if err := figures.Give(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := figures.Give(figures.Sample{Name: "unheard-of"}); err == nil || !strings.Contains(err.Error(), "add its line") {
		t.Errorf("a figure that no line of the table names: %v", err)
	}
	samples, err := figures.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	wanted, _ := choose("^(parse-junit|makespan-queue-cold-p95|makespan-equal|makespan-pull|build-warm-act)$")
	lines, err := summarise(wanted, samples)
	if err == nil || err.Error() != "not measured: makespan-pull" {
		t.Errorf("of a figure without a sample: %v", err)
	}
	var out strings.Builder
	r := result{Machine: "a box", CPUs: 2, Go: "go1", Commit: "abc", LoadBefore: "0.1 0.2 0.3", LoadAfter: "2.0 1.0 0.5", Figures: lines}
	r.print(&out)
	want := []string{
		"name ours theirs ratio goal verdict unit runs",
		"parse-junit 90.0 3000 0.03 ours>=50 met MB/s 3",
		"makespan-queue-cold-p95 12.0 10.0 1.200 <=1.10 missed s 1",
		"makespan-equal 14.0 10.0 1.400 as-found - s 1",
		"build-warm-act - - - <=0.08 left-out - 0",
		"# makespan-queue-cold-p95: " + wanted[1].Note,
		"# build-warm-act: left out, because no proxy answers",
		"# a box, 2 CPUs, go1, commit abc",
		"# 0001-01-01T00:00:00Z, load 0.1 0.2 0.3 before and 2.0 1.0 0.5 after",
	}
	var got []string
	for l := range strings.Lines(out.String()) {
		got = append(got, strings.Join(strings.Fields(l), " "))
	}
	if !slices.Equal(got, want) {
		t.Errorf("printed is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	file := filepath.Join(t.TempDir(), "figures.json")
	var back result
	if err := r.write(file); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text(file)), &back); err != nil || len(back.Figures) != 4 || back.Figures[0].Lowest != 30 || back.Figures[1].Verdict != "missed" || back.Figures[1].GoalIs != "ratio at most" || back.Figures[3].Verdict != "left-out" {
		t.Errorf("written is %+v, %v", back, err)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := median(c.of); got != c.want {
			t.Errorf("the median of %v is %g, want %g", c.of, got, c.want)
		}
	}
}
