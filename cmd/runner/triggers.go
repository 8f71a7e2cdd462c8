package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

func newTriggers(a *app) *cobra.Command {
	var opts client.ListOptions
	var waiting bool
	cmd := &cobra.Command{
		Use:     "triggers",
		Short:   "List deliveries of webhooks and other triggers, and what became of each",
		Long:    "Lists everything that could have made a build, newest first: webhook deliveries, submits, retries,\nwhat schedules and pushes of images started. A trigger ends as builds, or is skipped or waits with a reason.",
		Example: "  runner triggers\n  runner triggers --waiting\n  runner triggers --json",
		Args:    needs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if waiting {
				opts.Outcome = "waiting"
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			page, err := c.Triggers(cmd.Context(), opts)
			if err != nil {
				return err
			}
			if a.json {
				return terminal.JSON(a.out, page)
			}
			if len(page.Items) == 0 && waiting {
				a.view().Lines("no pull request waits for approval")
				return nil
			}
			if len(page.Items) == 0 && opts.Cursor == "" {
				a.view().Lines("no triggers yet; point a webhook at the daemon's /hooks/<forge> (docs/webhooks.md), or use: runner submit")
				return nil
			}
			terminal.Triggers(a.view(), page.Items, time.Now())
			more(a, page.Next)
			return nil
		},
	}
	pageFlags(cmd, &opts)
	cmd.Flags().BoolVar(&waiting, "waiting", false, "only pull requests that wait for: runner approve TRIGGER")
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}
