//go:build !windows

package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/daemon"
	"github.com/runner-ci/runner/terminal"
)

func newCheck(a *app) *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the state, logs and artifacts of a stopped daemon for damage",
		Long: "Proves the invariants of both database files in the data directory, and compares what they know with what engines\n" +
			"and disk hold. It changes nothing. The daemon must not run meanwhile.",
		Example: "  runner check\n  runner check --data /var/lib/runner --json",
		Args:    needs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			return a.check(cmd.Context(), cfg.Data, func(ctx context.Context, report func(string)) error {
				return daemon.Check(ctx, cfg, report)
			})
		},
	}
	s.flags(cmd)
	a.jsonFlag(cmd)
	return exits(cmd, "0    nothing is wrong", "1    something is", "2    trouble: no data directory there, or a daemon uses it")
}

// check runs a check and prints what it reports, as it comes.
func (a *app) check(ctx context.Context, dir string, run func(context.Context, func(string)) error) error {
	problems := []string{}
	err := run(ctx, func(problem string) {
		problems = append(problems, problem)
		if !a.json {
			a.view().Lines(problem)
		}
	})
	if err != nil {
		return err
	}
	if a.json {
		if err := terminal.JSON(a.out, map[string]any{"data": dir, "problems": problems}); err != nil {
			return err
		}
	}
	if len(problems) > 0 {
		if !a.json {
			fmt.Fprintf(a.err, "error: %s in %s\n", terminal.Count(len(problems), "problem", "problems"), dir)
		}
		return statusError(statusFailed)
	}
	if !a.json {
		a.view().Lines("nothing is wrong in " + dir)
	}
	return nil
}
