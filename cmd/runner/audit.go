package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

func newAudit(a *app) *cobra.Command {
	var opts client.AuditOptions
	var since string
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List who changed what, from where, with what result, and what was refused",
		Long: "Lists the daemon's audit log, newest first: every action by the API that changes something, logins, and what was refused,\n" +
			"which is counted by the minute. An action without a result is one during which the daemon ended. What builds read of\n" +
			"secrets is in runner secret audit; what webhooks brought is in runner triggers.",
		Example: "  runner audit\n  runner audit --who ada --since 7d\n  runner audit --action create-token --json",
		Args:    needs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if opts.Since, err = timeAgo(cmd, "since", since); err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			page, err := c.Audit(cmd.Context(), opts)
			switch {
			case err != nil:
				return err
			case a.json:
				return terminal.JSON(a.out, page)
			case len(page.Items) == 0 && page.Next == "":
				a.view().Lines("nothing that fits was done")
				return nil
			}
			terminal.AuditEvents(a.view(), page.Items, time.Now())
			more(a, page.Next)
			return nil
		},
	}
	pageFlags(cmd, &opts.ListOptions)
	cmd.Flags().StringVar(&opts.Who, "who", "", "only what this token did, or user:`NAME`")
	cmd.Flags().StringVar(&opts.Action, "action", "", "only this action, like stop-build or create-token")
	cmd.Flags().StringVar(&opts.Project, "project", "", "only of this project")
	cmd.Flags().StringVar(&since, "since", "", "only of the last `TIME`, like 7d or 12h")
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}
