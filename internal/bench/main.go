// Command bench runs what measures the figures of internal/figures and prints them, a line each:
//
//	name ours theirs ratio goal verdict unit runs
//
// Where a figure is measured several times, ours and theirs are the medians, and the ratio is that of the medians. Lines
// with # say on which machine, when and under which load. FIGURE in the environment is a regular expression: only figures
// whose names it matches are measured. With JSON=file the same is written there. A goal that is missed is said and is no
// failure, nor is a figure that is left out as its peer cannot be had; one that could not be measured is one.
package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/runner-ci/runner/internal/figures"
)

func main() {
	if err := bench(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench() error {
	wanted, err := choose(os.Getenv("FIGURE"))
	if err != nil {
		return err
	}
	at := here()
	samples, failed := measure(wanted)
	at.LoadAfter = load()
	lines, err := summarise(wanted, samples)
	at.Figures = lines
	at.print(os.Stdout)
	return errors.Join(append(failed, err, at.write(os.Getenv("JSON")))...)
}

// choose picks the figures whose names match.
func choose(pattern string) (wanted []figures.Figure, err error) {
	match, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("FIGURE is no regular expression: %w", err)
	}
	var names []string
	for _, f := range figures.Table {
		names = append(names, f.Name)
		if match.MatchString(f.Name) {
			wanted = append(wanted, f)
		}
	}
	if len(wanted) == 0 {
		return nil, fmt.Errorf("FIGURE=%s matches no figure; there are %s", pattern, strings.Join(names, ", "))
	}
	return wanted, nil
}
