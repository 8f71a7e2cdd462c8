package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/source/worktree"
	"github.com/runner-ci/runner/terminal"
)

func newTests(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "tests",
		Short:   "Show which tests failed, are slow or flake",
		Long:    "What tests came to is read from the report files of builds: those that a buildspec names under reports, and those that\nare found by looking. docs/tests.md tells the rest.",
		Example: "  runner tests failures api#142\n  runner tests slowest api\n  runner tests flaky\n  runner tests history 'pkg/store::TestOpen'\n  runner tests quarantine",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newTestFailures(a),
		newTestRank(a, "slowest", "List a project's tests, the slowest first", "no test of %s has a history yet; it begins with the first build that ends with reports"),
		newTestRank(a, "flaky", "List a project's tests that failed and then passed in one build", "no test of %s was seen to be flaky"),
		newTestRank(a, "failing", "List a project's tests that fail, the newest failure first", "no test of %s fails"),
		newTestHistory(a),
		newQuarantine(a),
	)
	return exits(cmd, exitDone, exitTrouble)
}

func newTestFailures(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "failures BUILD",
		Short:   "Show the tests of a build that failed or are flaky, with what they said",
		Long:    "Shows the tests of a build that failed or are flaky, with their messages, details and output.\n\n" + buildArg,
		Example: "  runner tests failures api#142\n  runner tests failures api --json | jq -r '.items[].id'",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onBuild(cmd.Context(), args[0], func(c *client.Client, id string) error {
				report, err := failures(cmd.Context(), c, id)
				if err != nil {
					return err
				}
				if a.json {
					return terminal.JSON(a.out, report)
				}
				o := a.view()
				terminal.Failures(o, report.Items)
				terminal.ReportProblems(o, report)
				terminal.Tests(o, client.Build{ID: id, Tests: &report.Summary}, nil)
				return nil
			})
		},
	}
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone+", whatever failed", exitTrouble)
}

// failures reads all pages of a build's failed and flaky tests.
func failures(ctx context.Context, c *client.Client, id string) (report client.TestReport, err error) {
	if report, err = c.Tests(ctx, id, client.TestOptions{Limit: 200}); err != nil {
		return report, err
	}
	for report.Next != "" {
		page, err := c.Tests(ctx, id, client.TestOptions{Limit: 200, Cursor: report.Next})
		if err != nil {
			return report, err
		}
		report.Items, report.Next = append(report.Items, page.Items...), page.Next
	}
	return report, nil
}

func newTestRank(a *app, rank, short, none string) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:     rank + " [PROJECT]",
		Short:   short,
		Long:    short + ": by the newest results of each, at most 100. Builds of forks do not count.\n\nPROJECT is by default the one whose repository is a remote here.",
		Example: "  runner tests " + rank + "\n  runner tests " + rank + " api --limit 50\n  runner tests " + rank + " api --json | jq -r '.[].id'",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			project, err := projectHere(cmd.Context(), c, first(args), "runner tests "+rank+" %s")
			if err != nil {
				return err
			}
			trends, err := trends(cmd.Context(), c, project, rank, limit)
			switch {
			case err != nil:
				return err
			case a.json:
				return terminal.JSON(a.out, trends)
			case len(trends) == 0:
				a.view().Lines(fmt.Sprintf(none, project))
				return nil
			}
			terminal.Trends(a.view(), trends, time.Now())
			return nil
		},
	}
	linesFlag(cmd, &limit)
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}

// trends reads as many pages as are asked for.
func trends(ctx context.Context, c *client.Client, project, rank string, limit int) ([]client.TestTrend, error) {
	all, cursor := []client.TestTrend{}, ""
	for len(all) < limit {
		page, err := c.TestTrends(ctx, project, client.TrendOptions{Sort: rank, Cursor: cursor, Limit: min(limit-len(all), 200)})
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	return all, nil
}

// projectHere is the project that is named or, without a name, the one that builds the repository here.
func projectHere(ctx context.Context, c *client.Client, name, hint string) (string, error) {
	if name != "" {
		return name, nil
	}
	return chooseProject(ctx, c, worktree.RemoteOf(ctx, "."), hint)
}

func newTestHistory(a *app) *cobra.Command {
	var project string
	cmd := &cobra.Command{
		Use:     "history TEST",
		Short:   "Show the newest results of one test",
		Long:    "Shows the newest results of one test, at most 100, newest first. TEST is its id, as the other commands print it.",
		Example: "  runner tests history 'pkg/store::TestOpen'\n  runner tests history 'pkg/store::TestOpen' --project api --json",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if project, err = projectHere(cmd.Context(), c, project, "runner tests history TEST --project %s"); err != nil {
				return err
			}
			results, err := c.TestHistory(cmd.Context(), project, args[0])
			switch {
			case err != nil:
				return err
			case a.json:
				return terminal.JSON(a.out, results)
			}
			terminal.TestResults(a.view(), results, time.Now())
			return nil
		},
	}
	cmd.Flags().StringVar(&project, "project", "", "project (default the one whose repository is a remote here)")
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}
