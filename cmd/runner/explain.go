package main

import (
	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

func newExplain(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain BUILD",
		Short: "Show where the time of a build went, and what would have saved some",
		Long: "Shows what decided how long a build took, step by step: source, waits, sandboxes, phases with their longest commands,\n" +
			"tests. Then what its jobs waited for and for how long, and what would have saved time: more shards, more slots, sandboxes\n" +
			"made ahead, a cache, green before push, each in seconds, from what this daemon has measured. A build that runs is\n" +
			"explained as far as it has come.\n\n" + buildArg,
		Example: "  runner explain api#142\n  runner explain api --json | jq '.savings[]'",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onBuild(cmd.Context(), args[0], func(c *client.Client, id string) error {
				e, err := c.Explain(cmd.Context(), id)
				if err != nil {
					return err
				}
				if a.json {
					return terminal.JSON(a.out, e)
				}
				terminal.Explanation(a.view(), e)
				return nil
			})
		},
	}
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone+", whatever the build's status", exitTrouble)
}
