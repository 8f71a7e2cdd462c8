package main

import (
	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

func newShow(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show BUILD",
		Short:   "Show a build: verdict and cause first, then its jobs, phases and artifacts",
		Long:    "Shows what became of a build: the verdict, what caused it, then jobs, phases and artifacts.\n\n" + buildArg,
		Example: "  runner show api#142\n  runner show api --json",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onBuild(cmd.Context(), args[0], func(c *client.Client, id string) error {
				b, err := c.Build(cmd.Context(), id)
				if err != nil {
					return err
				}
				if a.json {
					return terminal.JSON(a.out, b)
				}
				sets, err := c.Artifacts(cmd.Context(), id)
				if err != nil {
					return err
				}
				o := a.view()
				o.Lines(terminal.Verdict(b), terminal.Header(b), terminal.Origin(b))
				o.Lines(append(terminal.Parameters(b), "")...)
				terminal.Summary(o, b, sets)
				a.tests(cmd.Context(), a.view(), c, b)
				a.since(cmd.Context(), o, c, b)
				terminal.Next(o, b, sets)
				return nil
			})
		},
	}
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone+", whatever the build's status", exitTrouble)
}
