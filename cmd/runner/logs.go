package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

func newLogs(a *app) *cobra.Command {
	var opts client.LogOptions
	var job string
	cmd := &cobra.Command{
		Use:   "logs BUILD [JOB]",
		Short: "Print the log of a build's job, from any offset, also while it is written",
		Long: "Prints the log of one job as it is: the first job's when none is named. On a terminal, escape sequences other\n" +
			"than colours are left out; in a pipe every byte is passed on.\n\n" + buildArg,
		Example: "  runner logs api#142\n  runner logs api -f\n  runner logs api#142 BuildFanoutShard3 --attempt 1\n  runner logs api#142 --offset 1000000 > rest.log",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onBuild(cmd.Context(), args[0], func(c *client.Client, id string) error {
				job, err := jobArg(cmd, job, args)
				if err != nil {
					return err
				}
				if opts.Follow {
					if err := untilBegun(cmd.Context(), c, id, job); err != nil {
						return err
					}
				}
				log, err := c.Log(cmd.Context(), id, job, opts)
				if err != nil {
					return err
				}
				defer log.Close()
				var w io.Writer = a.out
				if o := a.view(); o.Live() {
					w = terminal.NewFilter(o)
				}
				_, err = io.Copy(w, log)
				return err
			})
		},
	}
	jobFlag(cmd, &job)
	cmd.Flags().BoolVarP(&opts.Follow, "follow", "f", false, "go on until the job has ended")
	cmd.Flags().Int64Var(&opts.Offset, "offset", 0, "begin at this byte")
	cmd.Flags().IntVar(&opts.Attempt, "attempt", 0, "of this attempt, from 1 (default the newest)")
	return exits(a.remote(cmd), exitDone, exitTrouble)
}

// untilBegun waits until there is a log to follow: until the job has an attempt, or never will.
func untilBegun(ctx context.Context, c *client.Client, id, job string) error {
	return c.Watch(ctx, id, func(b client.Build) (wait bool) {
		for _, j := range b.Jobs {
			if job == "" || j.ID == job || j.Name == job {
				return j.Attempt == 0 && j.State != "ended"
			}
		}
		return len(b.Jobs) == 0
	})
}
