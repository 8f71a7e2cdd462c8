package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/secrets"
	"github.com/runner-ci/runner/terminal"
)

func newSecret(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "Set, list and remove the secrets and parameters of builds",
		Long: "Keeps what env.parameter-store and env.secrets-manager of a buildspec name. Values go in and never come out again,\n" +
			"but into builds that may have them: trusted ones of the secret's project, and those of refs that --ref names.\n" +
			"Pull requests from forks get none. docs/secrets.md has more.",
		Example: "  runner secret set /prod/db/password --project api\n  runner secret ls\n  runner secret audit",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSecretSet(a), newSecretScope(a), newSecretLs(a), newSecretHistory(a), newSecretRm(a), newSecretAudit(a))
	return exits(cmd, exitDone, exitTrouble)
}

func newSecretSet(a *app) *cobra.Command {
	var c client.SecretChange
	var refs []string
	var from valueSource
	var envFile string
	var trusted bool
	cmd := &cobra.Command{
		Use:   "set [NAME]",
		Short: "Set a secret, or give it a new version",
		Long: "Reads the value from the keyboard, where it is not shown, from a pipe, which loses one line end at its end, from a\n" +
			"file, byte for byte, or from a variable; never from the command line, which others can see. The version before\n" +
			"stays as AWSPREVIOUS. Who may have it stays as it is unless --ref or --trusted-only is given. --env-file sets all\n" +
			"secrets of a file that nobody else can read, lines NAME=VALUE, one after the other.",
		Example: "  runner secret set /prod/db/password --project api\n  runner secret set deploy-key --file id_ed25519 --ref main --ref 'release/*'\n  pass ci/token | runner secret set token --project web\n  runner secret set --env-file secrets.env --project api",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := chooseRefs(cmd, &c, refs, trusted); err != nil {
				return err
			}
			if envFile != "" {
				if len(args) > 0 || from != (valueSource{}) || c.Version != "" {
					return usage(cmd, errors.New("--env-file has names and values: give neither beside it"))
				}
				return a.setAll(cmd.Context(), envFile, c)
			}
			if len(args) == 0 {
				return usage(cmd, errors.New("NAME is missing: runner secret set NAME"))
			}
			c.Name = args[0]
			if err := secrets.CheckName(c.Name); err != nil {
				return usage(cmd, err)
			}
			value, err := from.read(a, c.Name)
			if err != nil {
				return err
			}
			c.Value = &value
			return a.changeSecret(cmd.Context(), c)
		},
	}
	scopeFlags(cmd, &c.Project, &refs, &trusted)
	f := cmd.Flags()
	f.StringVar(&from.file, "file", "", "read the value from this `FILE`, byte for byte")
	f.StringVar(&from.variable, "value-env", "", "take the value of this environment `VARIABLE`")
	f.StringVar(&envFile, "env-file", "", "set all secrets of this `FILE`, lines NAME=VALUE")
	f.StringVar(&c.Version, "version-id", "", "id of the new version, for a buildspec that pins one (default a number)")
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}

func newSecretScope(a *app) *cobra.Command {
	var c client.SecretChange
	var refs []string
	var trusted bool
	cmd := &cobra.Command{
		Use:     "scope NAME",
		Short:   "Say which untrusted builds may have a secret too, without setting it again",
		Long:    "Trusted builds of a secret's project may always have it. --ref replaces the refs whose other builds may, --trusted-only\ntakes them away.",
		Example: "  runner secret scope token --project api --ref 'refs/pull/*'\n  runner secret scope token --trusted-only",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			c.Name = args[0]
			if err := chooseRefs(cmd, &c, refs, trusted); err != nil {
				return err
			}
			if c.Refs == nil {
				return usage(cmd, errors.New("no scope was given: name refs with --ref, or --trusted-only"))
			}
			return a.changeSecret(cmd.Context(), c)
		},
	}
	scopeFlags(cmd, &c.Project, &refs, &trusted)
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}

func scopeFlags(cmd *cobra.Command, project *string, refs *[]string, trusted *bool) {
	projectFlag(cmd, project)
	cmd.Flags().StringArrayVar(refs, "ref", nil, "give it to untrusted builds of refs like this `PATTERN` too: main, release/*, refs/pull/*, refs/runner/submit/*, **; may be repeated")
	cmd.Flags().BoolVar(trusted, "trusted-only", false, "give it to trusted builds alone")
}

func projectFlag(cmd *cobra.Command, project *string) {
	cmd.Flags().StringVar(project, "project", "", "the project whose builds may have it, or '*' for every one (default: the secret of that name; a new one is for every project)")
}

func chooseRefs(cmd *cobra.Command, c *client.SecretChange, refs []string, trusted bool) error {
	switch {
	case trusted && len(refs) > 0:
		return usage(cmd, errors.New("--ref and --trusted-only exclude each other"))
	case trusted:
		c.Refs = &[]string{}
	case len(refs) > 0:
		if err := secrets.CheckRefs(refs); err != nil {
			return usage(cmd, err)
		}
		c.Refs = &refs
	}
	return nil
}

// setAll sets every secret of a file in the order of their names. It can be repeated after it broke off: what is set
// already is left alone.
func (a *app) setAll(ctx context.Context, path string, change client.SecretChange) error {
	values, err := secrets.ReadFile(path)
	if err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	all := []client.SecretChanged{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		one, value := change, values[name]
		one.Name, one.Value = name, &value
		out, err := a.putSecret(ctx, c, one)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, out)
		if !a.json {
			terminal.SecretChanged(a.view(), out)
		}
	}
	if a.json {
		return terminal.JSON(a.out, all)
	}
	return nil
}

func (a *app) changeSecret(ctx context.Context, change client.SecretChange) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	out, err := a.putSecret(ctx, c, change)
	switch {
	case err != nil:
		return err
	case a.json:
		return terminal.JSON(a.out, out)
	}
	terminal.SecretChanged(a.view(), out)
	return nil
}

// putSecret makes a change, and says loudly when that made the store's key.
func (a *app) putSecret(ctx context.Context, c *client.Client, change client.SecretChange) (out client.SecretChanged, err error) {
	if change.Project == "" {
		if change.Project, err = ownerOf(ctx, c, change.Name, change.Value != nil); err != nil {
			return out, err
		}
	}
	if out, err = c.PutSecret(ctx, change); err != nil {
		return out, err
	}
	if out.KeyMade != "" {
		fmt.Fprintf(a.err, "warning: the daemon made the key that secrets are sealed to, %s on its machine: without that file no secret can be read; keep a copy of it, apart from backups of the data directory\n", out.KeyMade)
	}
	return out, nil
}

// ownerOf finds the project of the one secret of a name. There may be none yet when it is to be made.
func ownerOf(ctx context.Context, c *client.Client, name string, mayBeNew bool) (string, error) {
	list, err := c.Secrets(ctx, name)
	switch {
	case err != nil:
		return "", err
	case len(list) == 1:
		return list[0].Project, nil
	case len(list) == 0 && mayBeNew:
		return secrets.AllProjects, nil
	case len(list) == 0:
		return "", hinted(fmt.Errorf("there is no secret %s", name), "runner secret ls lists what there is")
	}
	var owners []string
	for _, s := range list {
		owners = append(owners, s.Project)
	}
	slices.Sort(owners)
	return "", hinted(fmt.Errorf("several projects have a secret %s: %s", name, strings.Join(owners, " ")), "say which is meant with --project")
}
