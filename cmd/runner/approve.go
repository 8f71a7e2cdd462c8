package main

import (
	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

func newApprove(a *app) *cobra.Command {
	var commit string
	var follow bool
	cmd := &cobra.Command{
		Use:   "approve TRIGGER",
		Short: "Let the commit of a pull request that waits be built",
		Long: "Lets the commit of a pull request be built that waits, as those from forks do. Look at what it changes first: its\n" +
			"commands run on the daemon's machine, in containers, without secrets. The approval is for that commit alone; what is\n" +
			"pushed to the pull request later waits again. The build stays untrusted.\n\n" +
			"runner triggers --waiting lists what waits.",
		Example: "  runner triggers --waiting\n  runner approve t0000000042\n  runner approve t0000000042 --commit 8f3c…",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			t, err := c.Approve(cmd.Context(), args[0], commit)
			if err != nil {
				return err
			}
			return a.tellBuilt(cmd.Context(), c, t.ID, follow)
		},
	}
	cmd.Flags().StringVar(&commit, "commit", "", "full id of the commit that you have looked at; refuse any other")
	cmd.Flags().BoolVar(&follow, "follow", false, "follow the build to its end")
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), "0    the build was made; with --follow, it SUCCEEDED", exitFailed+" (--follow)", exitTrouble, exitDetached)
}

func newResume(a *app) *cobra.Command {
	var job string
	cmd := &cobra.Command{
		Use:   "resume BUILD [JOB]",
		Short: "Let a build go on that waits at a breakpoint",
		Long: "Lets the jobs of a build go on that wait at a breakpoint, or one of them. A job waits where a command of it is\n" +
			"codebuild-breakpoint, if the build was started with --debug or its batch entry has debug-session.\n\n" + buildArg,
		Example: "  runner submit --debug\n  runner resume api#142",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onBuild(cmd.Context(), args[0], func(c *client.Client, id string) error {
				job, err := jobArg(cmd, job, args)
				if err != nil {
					return err
				}
				jobs, err := c.Resume(cmd.Context(), id, job)
				switch {
				case err != nil:
					return err
				case a.json:
					return terminal.JSON(a.out, jobs)
				}
				for _, j := range jobs {
					a.view().Lines(j + " of " + id + " goes on")
				}
				return nil
			})
		},
	}
	jobFlag(cmd, &job)
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble+", or nothing waits")
}
