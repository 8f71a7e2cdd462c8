package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/terminal"
)

func newToken(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke tokens of the daemon",
		Long: "Tokens open the daemon's API to people and programs: with a scope (read, submit or admin), within some projects or all,\n" +
			"for a while. A token is shown once, when it is made. docs/access.md says what each scope allows.",
		Example: "  runner token create ada --scope submit --project api\n  runner token ls\n  runner token rm ada",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTokenCreate(a), newTokenLs(a), newTokenRm(a))
	return exits(cmd, exitDone, exitTrouble)
}

// defaultExpiry of a token: a forgotten one opens nothing after a quarter of a year.
const defaultExpiry = "90d"

func newTokenCreate(a *app) *cobra.Command {
	var r client.TokenRequest
	var expires string
	var all bool
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a token, and print it: it is never shown again",
		Long: "Makes a token and prints it on standard output, alone, so that it can be piped; what else there is to say goes to\n" +
			"standard error. Actions by it are recorded under its name. It needs a token with the scope admin for all projects.",
		Example: "  runner token create ada --scope submit --project api --project web\n  runner token create board --scope read --all-projects --expires 365d\n  runner token create bot --scope submit --project api | gh secret set RUNNER_TOKEN",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Name = args[0]
			if err := access.CheckName(r.Name); err != nil {
				return usage(cmd, err)
			}
			switch {
			case r.Scope == "":
				return usage(cmd, errors.New("say what the token may do: --scope read, submit or admin"))
			case all == (len(r.Projects) > 0):
				return usage(cmd, errors.New("say for which projects: --project NAME, which may be repeated, or --all-projects"))
			case all:
				r.Projects = []string{access.Everything}
			}
			if expires != "never" {
				d, err := config.ParseDuration(expires)
				if err != nil || d <= 0 {
					return usage(cmd, fmt.Errorf("--expires %q is no time: write 90d, 12h or never", expires))
				}
				at := time.Now().Add(d)
				r.Expires = &at
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			made, err := c.CreateToken(cmd.Context(), r)
			switch {
			case err != nil:
				return err
			case a.json:
				return terminal.JSON(a.out, made)
			}
			fmt.Fprintln(a.out, made.Secret)
			terminal.TokenMade(a.output(a.err), made.Token)
			return nil
		},
	}
	cmd.Flags().StringVar(&r.Scope, "scope", "", "what it may do: read, submit (which includes read) or admin (which includes both)")
	cmd.Flags().StringArrayVar(&r.Projects, "project", nil, "a `PROJECT` within which it may do that; may be repeated")
	cmd.Flags().BoolVar(&all, "all-projects", false, "within all projects, and for the daemon itself")
	cmd.Flags().StringVar(&expires, "expires", defaultExpiry, "how long it is good: a `TIME` like 90d or 12h, or never")
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}

func newTokenLs(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "ls",
		Short:   "List tokens: what they may do, until when, and when they were used last",
		Example: "  runner token ls --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			list, err := c.Tokens(cmd.Context())
			if err != nil {
				return err
			}
			return showList(a, list, "no tokens but the daemon's own; make one with: runner token create NAME --scope submit --project PROJECT", terminal.Tokens)
		},
	}
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}

func newTokenRm(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "rm NAME",
		Short:   "Revoke a token, at once",
		Long:    "Revokes a token: requests with it are refused from now on, browsers that logged in with it are logged out, and logs that\nit follows break off. What it did stays in the audit log.",
		Example: "  runner token rm ada",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if err := c.RemoveToken(cmd.Context(), args[0]); err != nil {
				return err
			}
			a.view().Lines(fmt.Sprintf("token %s is revoked", args[0]))
			return nil
		},
	}
	return exits(a.remote(cmd), exitDone, exitTrouble)
}
