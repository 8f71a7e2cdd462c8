package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/terminal"
)

func newStatus(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what the daemon does right now",
		Long: "Shows who holds the slots, what waits and why, whether the engines answer, what forges have yet to be told or never\n" +
			"will be, and why, the space that is left, and what every long-lived goroutine of the daemon does, since when, and its\n" +
			"last error. The daemon has the same at /status.",
		Example: "  runner status\n  runner status --json | jq '.tasks[] | select(.error)'",
		Args:    needs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			s, err := c.Status(cmd.Context())
			switch {
			case err != nil:
				return err
			case a.json:
				return terminal.JSON(a.out, s)
			}
			terminal.DaemonStatus(a.view(), s, time.Now())
			return nil
		},
	}
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}
