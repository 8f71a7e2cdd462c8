package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

func newWatch(a *app) *cobra.Command {
	var project string
	cmd := &cobra.Command{
		Use:   "watch [BUILD]",
		Short: "Watch builds live: what runs, what waits and why, a build's jobs on one time axis",
		Long: "Without a build, shows what runs, what waits and why, and what just ended. With one, shows it to its end: jobs with their\n" +
			"phases as bars on one time axis, the command that runs, failed tests, and the end of a job's log; then what became of it,\n" +
			"as submit does. Keys: arrows choose, enter opens a build, l shows or hides the log, o shows the address for a browser,\n" +
			"left goes back, q leaves. In a pipe each change is a line. A daemon that restarts is waited for.\n\n" + buildArg,
		Example: "  runner watch\n  runner watch --project api\n  runner watch api#142 && ./deploy\n  runner watch --json | jq -r 'select(.status == \"FAILED\") | .id'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && project != "" {
				return usage(cmd, errors.New("a build is of one project: give either BUILD or --project"))
			}
			if len(args) == 1 {
				return a.onBuild(cmd.Context(), args[0], func(c *client.Client, id string) error { return a.watchBuild(cmd.Context(), c, id) })
			}
			return a.watchAll(cmd.Context(), project)
		},
	}
	cmd.Flags().StringVar(&project, "project", "", "only builds of this project")
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitBuilt+"; without BUILD, done", exitFailed, exitTrouble, exitDetached)
}

// watchBuild watches one build to its end, then shows what became of it. The build's result is the exit status.
func (a *app) watchBuild(ctx context.Context, c *client.Client, id string) error {
	f := following{app: a, client: c, build: id, keep: true, watch: func(ctx context.Context, o *terminal.Output) (client.Build, error) {
		b, err := c.Build(ctx, id)
		if err != nil || b.Status != "IN_PROGRESS" {
			return b, err
		}
		return terminal.Watch(ctx, c, terminal.Watching{Build: id, Address: c.Address(), Page: c.PageOf, In: a.in}, o)
	}}
	err := f.detachable(ctx)
	if errors.Is(err, terminal.ErrLeft) {
		fmt.Fprintf(a.err, "%s goes on; stop it with: runner stop %s\n", id, id)
		return statusError(statusInterrupted)
	}
	return err
}

// watchAll watches all builds, or those of a project, until it is left.
func (a *app) watchAll(ctx context.Context, project string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if project != "" {
		if _, err := c.Project(ctx, project); err != nil {
			return err
		}
	}
	ctx, release := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer release()
	if a.json {
		return terminal.WatchJSON(ctx, c, project, a.out)
	}
	_, err = terminal.Watch(ctx, c, terminal.Watching{Project: project, Address: c.Address(), Page: c.PageOf, In: a.in}, a.view())
	return err
}
