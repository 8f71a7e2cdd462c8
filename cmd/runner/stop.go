package main

import (
	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

func newStop(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "stop BUILD",
		Short:   "Stop a build",
		Long:    "Stops a build. Its processes get TERM, and KILL ten seconds later; what is queued is dropped. Stopping a build\nthat has ended changes nothing.\n\n" + buildArg,
		Example: "  runner stop api#142",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onBuild(cmd.Context(), args[0], func(c *client.Client, id string) error {
				b, err := c.Stop(cmd.Context(), id)
				if err != nil {
					return err
				}
				switch {
				case a.json:
					return terminal.JSON(a.out, b)
				case b.Status == "IN_PROGRESS":
					a.view().Lines(id + " is being stopped")
				default:
					a.view().Lines(terminal.Verdict(b))
				}
				return nil
			})
		},
	}
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}
