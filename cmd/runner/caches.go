package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

func newCaches(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "caches",
		Short:   "List and remove the caches that jobs left to later ones",
		Long:    "A cache is what a job left at the paths under cache in its buildspec. Its scope says whose jobs are given it:\nPROJECT/protected all jobs of the project, any other scope those of one ref. docs/caches.md tells the rest.",
		Example: "  runner caches ls\n  runner caches rm --scope api/",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCachesLs(a), newCachesRm(a))
	return exits(cmd, exitDone, exitTrouble)
}

// scoped lists the caches whose scope begins so, the one used last first.
func scoped(ctx context.Context, c *client.Client, scope string) ([]client.Cache, error) {
	caches, err := c.Caches(ctx)
	if caches == nil {
		caches = []client.Cache{} // for JSON
	}
	caches = slices.DeleteFunc(caches, func(x client.Cache) bool { return !strings.HasPrefix(x.Scope, scope) })
	slices.SortStableFunc(caches, func(x, y client.Cache) int { return y.Used.Compare(x.Used) })
	return caches, err
}

func newCachesLs(a *app) *cobra.Command {
	var scope string
	cmd := &cobra.Command{
		Use:     "ls",
		Short:   "List caches, the one used last first",
		Example: "  runner caches ls\n  runner caches ls --scope api/protected\n  runner caches ls --json | jq '[.[].bytes] | add'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			caches, err := scoped(cmd.Context(), c, scope)
			switch {
			case err != nil:
				return err
			case a.json:
				return terminal.JSON(a.out, caches)
			case len(caches) == 0:
				a.view().Lines("no caches; a buildspec with paths under cache leaves one after a build that succeeded")
				return nil
			}
			terminal.Caches(a.view(), caches, time.Now())
			return nil
		},
	}
	cmd.Flags().StringVar(&scope, "scope", "", "only those whose scope begins so, like api/ or api/protected")
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}

func newCachesRm(a *app) *cobra.Command {
	var scope string
	cmd := &cobra.Command{
		Use:     "rm [ID…]",
		Short:   "Remove caches, and turn those on that were off; a job that has one keeps it whole",
		Example: "  runner caches rm s5kq3bpxw6w4xjyo2u7hbnqk4m\n  runner caches rm --scope api/",
		RunE: func(cmd *cobra.Command, ids []string) error {
			if (len(ids) == 0) == (scope == "") {
				return usage(cmd, errors.New("name caches by their ids, or --scope, and not both"))
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			known, err := scoped(cmd.Context(), c, scope)
			if err != nil {
				return err
			}
			known = slices.DeleteFunc(known, func(x client.Cache) bool { return len(ids) > 0 && !slices.Contains(ids, x.ID) })
			return removeCaches(cmd.Context(), a, c, known, ids)
		},
	}
	cmd.Flags().StringVar(&scope, "scope", "", "all whose scope begins so, like api/ or api/protected")
	return exits(a.remote(cmd), exitDone, exitTrouble)
}

func removeCaches(ctx context.Context, a *app, c *client.Client, caches []client.Cache, ids []string) error {
	for _, id := range ids {
		if !slices.ContainsFunc(caches, func(x client.Cache) bool { return x.ID == id }) {
			return fmt.Errorf("there is no cache %s; list them with: runner caches ls", id)
		}
	}
	var bytes int64
	for _, x := range caches {
		if err := c.RemoveCache(ctx, x.ID); err != nil {
			return err
		}
		bytes += x.Bytes
	}
	a.view().Lines(fmt.Sprintf("removed %d cache(s), %s", len(caches), terminal.Size(bytes)))
	return nil
}
