package main

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

// drainPoll is how often drain asks how many jobs still run.
const drainPoll = time.Second

func newDrain(a *app) *cobra.Command {
	var off, noWait bool
	cmd := &cobra.Command{
		Use:   "drain",
		Short: "Let running jobs end and start no new ones",
		Long: "Tells the daemon to start no more jobs, and waits until those that run have ended. What is queued stays queued; new\n" +
			"webhooks are accepted and wait too, while submits, manual builds and retries are refused, so that nobody waits unawares.\n" +
			"Restarting or upgrading the daemon needs no drain: running builds survive it.",
		Example: "  runner drain && systemctl stop docker\n  runner drain --off",
		Args:    needs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			d, err := c.Drain(cmd.Context(), !off)
			if err != nil {
				return err
			}
			if !off && !noWait {
				if d, err = a.waitDrained(cmd.Context(), c, d); err != nil {
					return err
				}
			}
			switch {
			case a.json:
				return terminal.JSON(a.out, d)
			case off:
				a.view().Lines("jobs start again; " + terminal.Count(d.Queued, "is", "are") + " queued")
			case d.Running == 0:
				a.view().Lines("drained; " + terminal.Count(d.Queued, "job waits", "jobs wait") + " for: runner drain --off")
			default:
				a.view().Lines("draining; " + terminal.Count(d.Running, "job runs", "jobs run"))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&off, "off", false, "start jobs again")
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait for running jobs")
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble, "130  interrupted; the daemon goes on draining")
}

// waitDrained shows how many jobs run until none does.
func (a *app) waitDrained(ctx context.Context, c *client.Client, d client.Daemon) (client.Daemon, error) {
	ctx, release := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer release()
	status := terminal.NewStatus(a.notes())
	defer status.End()
	for d.Running > 0 {
		status.Set("draining  " + terminal.Count(d.Running, "job runs", "jobs run"))
		select {
		case <-ctx.Done():
			fmt.Fprintln(a.err, "the daemon goes on draining; undo it with: runner drain --off")
			return d, statusError(statusInterrupted)
		case <-time.After(drainPoll):
		}
		var err error
		if d, err = c.Daemon(ctx); err != nil && ctx.Err() == nil {
			return d, err
		}
	}
	return d, nil
}
