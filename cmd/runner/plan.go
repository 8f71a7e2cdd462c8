package main

import (
	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/buildspec/tree"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/terminal"
)

func newPlan(a *app) *cobra.Command {
	var format, image string
	cmd := &cobra.Command{
		Use:   "plan [FILE]",
		Short: "Show the jobs that a buildspec makes, in the order in which they run",
		Long: "Expands buildspec.yml, or the FILE given, into the graph of its jobs, without running anything. Other files that its\n" +
			"batch names are read: their paths are relative to the root of the repository that FILE lies in, and nothing outside of\n" +
			"it is read. FILE - is standard input.",
		Example: "  runner plan\n  runner plan ci/release.yml --image golang:1.26\n  runner plan --format mermaid >graph.mmd\n" +
			"  runner plan --json | jq '.steps'",
		Args: needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.chooseFormat(cmd, &format, planFormats); err != nil {
				return err
			}
			file := config.DefaultBuildspec
			if len(args) == 1 {
				file = args[0]
			}
			return a.plan(file, image, format)
		},
	}
	cmd.Flags().StringVar(&image, "image", "", "image of the project, for jobs whose buildspec names none")
	a.formatFlag(cmd, &format, planFormats, "text, json, or mermaid: a flowchart")
	return exits(cmd, "0    here is the plan; there may be warnings", "1    a file is not valid", "2    trouble: FILE cannot be read, wrong usage")
}

func (a *app) plan(file, image, format string) error {
	plan, verdict := tree.Expand(file, image, a.in)
	switch {
	case format == formatJSON:
		if err := terminal.PlanJSON(a.out, plan, verdict); err != nil {
			return err
		}
	case plan == nil:
		terminal.Problems(a.view(), verdict.Problems)
	case format == formatMermaid:
		terminal.Mermaid(a.view(), plan)
		terminal.Problems(a.output(a.err), verdict.Problems)
	default:
		terminal.Plan(a.view(), plan, verdict)
	}
	return a.judged(verdict)
}
