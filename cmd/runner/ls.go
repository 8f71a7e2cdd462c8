package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

func newLs(a *app) *cobra.Command {
	var opts client.ListOptions
	cmd := &cobra.Command{
		Use:     "ls",
		Short:   "List builds, newest first",
		Example: "  runner ls\n  runner ls --project api --status FAILED --limit 5\n  runner ls --json | jq -r '.items[].id'",
		Args:    needs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.Status = strings.ToUpper(strings.ReplaceAll(opts.Status, "-", "_"))
			if opts.Status != "" && !slices.Contains(statuses, opts.Status) {
				return usage(cmd, fmt.Errorf("--status %s is not known; there are %s", opts.Status, strings.Join(statuses, ", ")))
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			page, err := c.Builds(cmd.Context(), opts)
			if err != nil {
				return err
			}
			if a.json {
				return terminal.JSON(a.out, page)
			}
			if len(page.Items) == 0 && opts.Cursor == "" {
				return a.noBuilds(cmd.Context(), c, opts)
			}
			terminal.Builds(a.view(), page.Items, time.Now())
			more(a, page.Next)
			return nil
		},
	}
	cmd.Flags().StringVar(&opts.Project, "project", "", "only this project's")
	cmd.Flags().StringVar(&opts.Status, "status", "", "only with this status: "+strings.Join(statuses, ", "))
	pageFlags(cmd, &opts)
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}

// statuses are those that a build can have.
var statuses = []string{"IN_PROGRESS", "SUCCEEDED", "FAILED", "FAULT", "TIMED_OUT", "STOPPED"}

// noBuilds says why a list is empty.
func (a *app) noBuilds(ctx context.Context, c *client.Client, opts client.ListOptions) error {
	if opts.Project != "" {
		if _, err := c.Project(ctx, opts.Project); err != nil {
			return err
		}
	}
	switch {
	case opts.Status != "":
		a.view().Lines("no build has the status " + opts.Status)
	case opts.Project != "":
		a.view().Lines("project " + opts.Project + " has no builds yet; make one with: runner submit --project " + opts.Project)
	default:
		a.view().Lines("no builds yet; make one with: runner submit")
	}
	return nil
}

// pageFlags are the flags of every list that comes in pages.
func pageFlags(cmd *cobra.Command, opts *client.ListOptions) {
	cmd.Flags().IntVar(&opts.Limit, "limit", 20, "lines at most")
	cmd.Flags().StringVar(&opts.Cursor, "cursor", "", "go on where the page before ended")
}

// more says how to see the next page.
func more(a *app, next string) {
	if next != "" {
		a.view().Lines("", "more: --cursor "+next)
	}
}
