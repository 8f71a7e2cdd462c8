package main

import (
	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/terminal"
)

func newSchedules(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schedules",
		Short: "List schedules with their last run and their next five",
		Long: "Lists the schedules of all projects, each with its last run and when the next five begin, jitter included, in the\n" +
			"schedule's own time zone. They are made in the settings of a project, under schedules.",
		Example: "  runner schedules\n  runner schedules --json | jq -r '.[].coming[0]'",
		Args:    needs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			list, err := c.Schedules(cmd.Context())
			if err != nil {
				return err
			}
			return showList(a, list, "no schedules; a project's settings have them under schedules, see docs/schedules.md", terminal.Schedules)
		},
	}
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}
