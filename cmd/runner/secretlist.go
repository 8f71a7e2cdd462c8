package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

func newSecretLs(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "ls",
		Short:   "List secrets and who may have them, without values",
		Example: "  runner secret ls --json",
		Args:    needs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			list, err := c.Secrets(cmd.Context(), "")
			if err != nil {
				return err
			}
			return showList(a, list, "no secrets yet; set one with: runner secret set NAME --project PROJECT", terminal.Secrets)
		},
	}
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}

// showList prints a whole list: as JSON if that is wanted, else as people read it, or what to say where it is empty.
func showList[T any](a *app, list []T, none string, show func(*terminal.Output, []T, time.Time)) error {
	switch {
	case a.json:
		return terminal.JSON(a.out, orEmpty(list))
	case len(list) == 0:
		a.view().Lines(none)
	default:
		show(a.view(), list, time.Now())
	}
	return nil
}

// orEmpty is a list that prints as [] when there is nothing in it.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func newSecretHistory(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "history NAME",
		Short:   "List the versions of a secret, newest first, without values",
		Long:    "Lists the versions that are kept, ten at most, of the secret of that name of each project.",
		Example: "  runner secret history /prod/db/password",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			list, err := c.Secrets(cmd.Context(), args[0])
			switch {
			case err != nil:
				return err
			case len(list) == 0:
				return hinted(fmt.Errorf("there is no secret %s", args[0]), "runner secret ls lists what there is")
			case a.json:
				return terminal.JSON(a.out, list)
			}
			terminal.SecretVersions(a.view(), list, time.Now())
			return nil
		},
	}
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}

func newSecretRm(a *app) *cobra.Command {
	var project string
	cmd := &cobra.Command{
		Use:     "rm NAME",
		Short:   "Remove a secret with all its versions",
		Example: "  runner secret rm /prod/db/password --project api",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if project == "" {
				if project, err = ownerOf(cmd.Context(), c, args[0], false); err != nil {
					return err
				}
			}
			if err := c.RemoveSecret(cmd.Context(), args[0], project); err != nil {
				return err
			}
			a.view().Lines(fmt.Sprintf("secret %s of %s is removed", args[0], terminal.SecretOwner(project)))
			return nil
		},
	}
	projectFlag(cmd, &project)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}

func newSecretAudit(a *app) *cobra.Command {
	var opts client.ListOptions
	cmd := &cobra.Command{
		Use:     "audit [NAME]",
		Short:   "List who set secrets, and which builds were given or refused them",
		Long:    "Lists the audit log of the secret store, newest first, of one secret or of all: what people set, scoped and removed, and\nwhat builds read or were denied. It holds no values.",
		Example: "  runner secret audit\n  runner secret audit /prod/db/password --json",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) == 1 {
				if name = args[0]; name == "" {
					return usage(cmd, errors.New("the name is empty"))
				}
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			page, err := c.SecretAudit(cmd.Context(), name, opts)
			switch {
			case err != nil:
				return err
			case a.json:
				return terminal.JSON(a.out, page)
			case len(page.Items) == 0 && opts.Cursor == "":
				a.view().Lines("nothing was done yet")
				return nil
			}
			terminal.SecretEvents(a.view(), page.Items, time.Now())
			more(a, page.Next)
			return nil
		},
	}
	pageFlags(cmd, &opts)
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}
