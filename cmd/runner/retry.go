package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

func newRetry(a *app) *cobra.Command {
	var failed, follow bool
	cmd := &cobra.Command{
		Use:   "retry BUILD",
		Short: "Build the same commit, plan and images again, as a new build",
		Long: "Makes a new build of the same commit, plan and image digests. With --failed it takes over the results of the\n" +
			"jobs that succeeded and runs only the others.\n\n" + buildArg,
		Example: "  runner retry api#142 --failed --follow\n  runner retry api",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onBuild(cmd.Context(), args[0], func(c *client.Client, id string) error {
				t, err := c.Retry(cmd.Context(), id, failed)
				if err != nil {
					return err
				}
				return a.tellBuilt(cmd.Context(), c, t.ID, follow)
			})
		},
	}
	cmd.Flags().BoolVar(&failed, "failed", false, "run only the jobs that did not succeed")
	cmd.Flags().BoolVar(&follow, "follow", false, "follow the new build to its end")
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), "0    the new build was made; with --follow, it SUCCEEDED", exitFailed+" (--follow)", exitTrouble, exitDetached)
}

// builtBy waits until a trigger has become a build and returns its id.
func builtBy(ctx context.Context, c *client.Client, trigger string) (string, error) {
	t, err := c.WaitTrigger(ctx, trigger)
	if err != nil {
		return "", err
	}
	if len(t.Builds) == 0 {
		return "", hinted(fmt.Errorf("no build was made: %s", firstOf(t.Reason, t.Outcome)), "runner triggers shows what became of every trigger")
	}
	return t.Builds[0], nil
}

// tellBuilt waits for the build that a trigger makes, then follows it or says that it was made.
func (a *app) tellBuilt(ctx context.Context, c *client.Client, trigger string, follow bool) error {
	made, err := builtBy(ctx, c, trigger)
	if err != nil {
		return err
	}
	f := following{app: a, client: c, build: made, keep: true}
	if follow {
		return f.detachable(ctx)
	}
	return f.announce(ctx)
}

// announce says that a build was made, and how to follow it.
func (f *following) announce(ctx context.Context) error {
	b, err := f.client.Build(ctx, f.build)
	if err != nil {
		return err
	}
	if f.app.json {
		return terminal.JSON(f.app.out, b)
	}
	o := f.app.view()
	o.Lines(terminal.Header(b))
	terminal.Next(o, b, nil)
	return nil
}
