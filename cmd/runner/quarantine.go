package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/terminal"
	"github.com/runner-ci/runner/tests/quarantine"
)

const quarantineLong = "A test in quarantine still runs, and its failure does not count. " + quarantine.File + " names such tests,\neach with an owner and a last day. docs/tests.md tells the rest."

func newQuarantine(a *app) *cobra.Command {
	cmd := newQuarantineLs(a, "quarantine [PROJECT]")
	cmd.Long = quarantineLong + "\n\nWithout more, the command lists what is in quarantine, as ls does."
	cmd.Example = "  runner tests quarantine\n  runner tests quarantine add 'pkg/store::TestOpen' --owner @ann --until 2027-01-31 --reason 'slow disk, #42'\n  runner tests quarantine rm 'pkg/store::TestOpen'"
	cmd.AddCommand(newQuarantineLs(a, "ls [PROJECT]"), newQuarantineAdd(a), newQuarantineRm(a))
	return cmd
}

func newQuarantineLs(a *app, use string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     use,
		Short:   "List the tests whose failures do not count, until when, and how they did lately",
		Long:    "Lists what the newest build of the default branch read from " + quarantine.File + ", with how each test did in its\nnewest 20 results. One that has passed 10 times in turn can be taken out.\n\nPROJECT is by default the one whose repository is a remote here.",
		Example: "  runner tests quarantine ls\n  runner tests quarantine ls api --json | jq -r '.items[] | select(.state == \"expired\") | .owner'",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			project, err := projectHere(cmd.Context(), c, first(args), "runner tests quarantine ls %s")
			if err != nil {
				return err
			}
			q, err := c.Quarantine(cmd.Context(), project)
			switch {
			case err != nil:
				return err
			case a.json:
				return terminal.JSON(a.out, q)
			case q.Build == "":
				a.view().Lines(fmt.Sprintf("no build of the default branch of %s has run yet; the first one reads %s", project, quarantine.File))
			case len(q.Items) == 0 && q.Problem == "":
				a.view().Lines(fmt.Sprintf("no test of %s is in quarantine", project))
			}
			terminal.Quarantine(a.view(), q, time.Now())
			return nil
		},
	}
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}

func newQuarantineAdd(a *app) *cobra.Command {
	e := quarantine.Entry{}
	cmd := &cobra.Command{
		Use:     "add TEST",
		Short:   "Put a test into quarantine",
		Long:    "Adds an entry to " + quarantine.File + " of the working tree, which it makes where there is none. Commit the file.\n\nTEST is the id of a test, as runner tests failures prints it, a file, a class or package, or a pattern over one of them.\nThe last day is in UTC, and at most 90 days ahead.",
		Example: "  runner tests quarantine add 'pkg/store::TestOpen' --owner @ann --until 2027-01-31\n  runner tests quarantine add 'tests/test_mail_*.py' --owner mail-team --until 2027-01-31 --reason 'the mail server is being moved'",
		Args:    needs,
		RunE: func(_ *cobra.Command, args []string) error {
			if e.Owner == "" || e.Until == "" {
				return errors.New("--owner and --until are needed: whoever mends the test, and the last day that its failure does not count")
			}
			e.Test = args[0]
			return editQuarantine(a, e, func(name string, text []byte) ([]byte, error) { return quarantine.Add(name, text, e, time.Now()) })
		},
	}
	cmd.Flags().StringVar(&e.Owner, "owner", "", "who mends the test")
	cmd.Flags().StringVar(&e.Until, "until", "", "the last day that its failure does not count, as YYYY-MM-DD")
	cmd.Flags().StringVar(&e.Reason, "reason", "", "why it is in quarantine")
	a.jsonFlag(cmd)
	return exits(cmd, exitDone, exitTrouble)
}

func newQuarantineRm(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "rm TEST",
		Short:   "Take a test out of quarantine",
		Long:    "Takes the entry for TEST out of " + quarantine.File + " of the working tree, with the comment directly above it. Commit the\nfile. TEST is written as the entry has it.",
		Example: "  runner tests quarantine rm 'pkg/store::TestOpen'",
		Args:    needs,
		RunE: func(_ *cobra.Command, args []string) error {
			return editQuarantine(a, quarantine.Entry{Test: args[0]}, func(name string, text []byte) ([]byte, error) { return quarantine.Remove(name, text, args[0]) })
		},
	}
	a.jsonFlag(cmd)
	return exits(cmd, exitDone, exitTrouble)
}

// editQuarantine changes the file of the working tree, and says so.
func editQuarantine(a *app, e quarantine.Entry, edit func(name string, text []byte) ([]byte, error)) error {
	name, err := quarantineFile()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the quarantine: %w", err)
	}
	made, err := edit(name, text)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("making the directory of the quarantine: %w", err)
	}
	if err := os.WriteFile(name, made, 0o644); err != nil {
		return fmt.Errorf("writing the quarantine: %w", err)
	}
	if a.json {
		list, err := quarantine.Parse(name, made)
		if list == nil {
			list = quarantine.List{}
		}
		return errors.Join(err, terminal.JSON(a.out, list))
	}
	what := "is out of quarantine"
	if e.Owner != "" {
		what = "is in quarantine until " + e.Until
	}
	a.view().Lines(fmt.Sprintf("%s %s, once %s is committed", e.Test, what, name))
	return nil
}

// quarantineFile is the file of the repository around the current directory, or of that directory if none is.
func quarantineFile() (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	for dir := here; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			name := filepath.Join(dir, filepath.FromSlash(quarantine.File))
			if short, err := filepath.Rel(here, name); err == nil {
				name = short
			}
			return name, nil
		}
		if dir == filepath.Dir(dir) {
			return filepath.FromSlash(quarantine.File), nil
		}
	}
}
