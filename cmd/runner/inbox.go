package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

func newInbox(a *app) *cobra.Command {
	var opts client.InboxOptions
	cmd := &cobra.Command{
		Use:   "inbox",
		Short: "List deliveries of webhooks, refused ones and pings too",
		Long: "Lists what forges delivered, newest first: when, what, for which projects, and how it was answered. A delivery that\n" +
			"no project's secret fitted is shown to admins of the daemon alone. What became of those that were accepted: runner triggers.",
		Example: "  runner inbox\n  runner inbox --refused\n  runner inbox --project api --json",
		Args:    needs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			page, err := c.Inbox(cmd.Context(), opts)
			switch {
			case err != nil:
				return err
			case a.json:
				return terminal.JSON(a.out, page)
			case len(page.Items) == 0 && opts.Cursor == "":
				a.view().Lines("no webhook was delivered yet; runner project test-hook PROJECT has the forge send one")
				return nil
			}
			terminal.Inbox(a.view(), page.Items, time.Now())
			more(a, page.Next)
			return nil
		},
	}
	pageFlags(cmd, &opts.ListOptions)
	cmd.Flags().StringVar(&opts.Project, "project", "", "only deliveries for this project")
	cmd.Flags().BoolVar(&opts.Refused, "refused", false, "only deliveries that no project's secret fitted")
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}
