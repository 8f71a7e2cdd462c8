package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/terminal"
)

func newLs(a *app) *cobra.Command {
	var opts client.ListOptions
	var since, until string
	cmd := &cobra.Command{
		Use:     "ls",
		Short:   "List builds, newest first",
		Example: "  runner ls\n  runner ls --project api --status FAILED --limit 5\n  runner ls --ref main --since 7d --author ada\n  runner ls --search 'cache tokens'\n  runner ls --json | jq -r '.items[].id'",
		Args:    needs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.Status = strings.ToUpper(strings.ReplaceAll(opts.Status, "-", "_"))
			if opts.Status != "" && !slices.Contains(statuses, opts.Status) {
				return usage(cmd, fmt.Errorf("--status %s is not known; there are %s", opts.Status, strings.Join(statuses, ", ")))
			}
			if opts.Kind = strings.ToLower(strings.ReplaceAll(opts.Kind, "-", "_")); opts.Kind != "" && !slices.Contains(kinds, opts.Kind) {
				return usage(cmd, fmt.Errorf("--trigger %s is not known; there are %s", opts.Kind, strings.Join(kinds, ", ")))
			}
			var err error
			if opts.Since, err = timeAgo(cmd, "since", since); err != nil {
				return err
			}
			if opts.Until, err = timeAgo(cmd, "until", until); err != nil {
				return err
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
			if len(page.Items) == 0 && page.Next == "" && opts.Cursor == "" {
				return a.noBuilds(cmd.Context(), c, opts)
			}
			terminal.Builds(a.view(), page.Items, time.Now())
			more(a, page.Next)
			return nil
		},
	}
	cmd.Flags().StringVar(&opts.Project, "project", "", "only this project's")
	cmd.Flags().StringVar(&opts.Status, "status", "", "only with this status: "+strings.Join(statuses, ", "))
	cmd.Flags().StringVar(&opts.Ref, "ref", "", "only of this branch, or of a full ref like refs/tags/v1")
	cmd.Flags().StringVar(&opts.Kind, "trigger", "", "only by this kind of trigger: "+strings.Join(kinds, ", "))
	cmd.Flags().StringVar(&opts.Author, "author", "", "only by authors whose name has this")
	cmd.Flags().StringVar(&opts.Text, "search", "", "only with this in the title, of this number, or of a commit that begins so")
	cmd.Flags().StringVar(&since, "since", "", "only of the last `TIME`, like 7d or 12h")
	cmd.Flags().StringVar(&until, "until", "", "only those made before the last `TIME`, like 2d")
	pageFlags(cmd, &opts)
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}

// statuses are those that a build can have.
var statuses = []string{"IN_PROGRESS", "SUCCEEDED", "FAILED", "FAULT", "TIMED_OUT", "STOPPED"}

// kinds are those of triggers that builds come from.
var kinds = []string{"push", "tag", "pull_request", "release", "comment", "submit", "manual", "retry", "schedule", "registry"}

// timeAgo is the moment which lies as far back as a flag says; without it, none.
func timeAgo(cmd *cobra.Command, flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	d, err := config.ParseDuration(text)
	if err != nil {
		return time.Time{}, usage(cmd, fmt.Errorf("--%s %q is no time: write 7d or 12h", flag, text))
	}
	return time.Now().Add(-d), nil
}

// noBuilds says why a list is empty.
func (a *app) noBuilds(ctx context.Context, c *client.Client, opts client.ListOptions) error {
	if opts.Project != "" {
		if _, err := c.Project(ctx, opts.Project); err != nil {
			return err
		}
	}
	asked := opts.Ref+opts.Kind+opts.Author+opts.Text != "" || !opts.Since.IsZero() || !opts.Until.IsZero()
	switch {
	case asked:
		a.view().Lines("no build is all that was asked for; leave a flag out")
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
	linesFlag(cmd, &opts.Limit)
	cmd.Flags().StringVar(&opts.Cursor, "cursor", "", "go on where the page before ended")
}

// linesFlag is how many lines a list has at most.
func linesFlag(cmd *cobra.Command, limit *int) {
	*limit = 20
	cmd.Flags().Var((*lines)(limit), "limit", "lines at most")
}

// lines is a number of lines: at least one.
type lines int

func (l *lines) String() string { return strconv.Itoa(int(*l)) }

func (l *lines) Type() string { return "int" }

func (l *lines) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return errors.New("expected a number from 1 on")
	}
	*l = lines(n)
	return nil
}

// more says how to see the next page.
func more(a *app, next string) {
	if next != "" {
		a.view().Lines("", "more: --cursor "+next)
	}
}
