package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/source/worktree"
	"github.com/runner-ci/runner/terminal"
)

// submission is what the flags of submit say.
type submission struct {
	project, artifacts string
	detach, first      bool
	patching           patching
	client.Submission
}

// sent is what --json says of the transfer.
type sent struct {
	Project string  `json:"project"`
	Commit  string  `json:"commit"`
	Files   int     `json:"files"`
	Changed int     `json:"changed"`
	Bytes   int64   `json:"bytes"`
	Objects int     `json:"objects"`
	Seconds float64 `json:"seconds"`
}

func newSubmit(a *app) *cobra.Command {
	var s submission
	var noFollow bool
	cmd := &cobra.Command{
		Use:   "submit [DIR]",
		Short: "Send a working tree to the daemon and follow its build",
		Long: "Sends the git working tree at DIR (default: here), uncommitted and untracked files included, ignored ones not, and\n" +
			"follows its build to the end. Only what the daemon lacks is sent. Nothing is committed here, and nothing changed without\n" +
			"--apply. Ctrl-C leaves; the build goes on.",
		Example: "  runner submit\n  runner submit --project api --artifacts dist\n  runner submit -e VERBOSE=1 --detach\n  runner submit --first-failure\n  runner submit --only 'test_login*'\n  runner submit --apply                   # take over what formatters changed in the build",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			s.detach = s.detach || noFollow
			if cmd.Flags().Changed("shards") && (s.Shards < 1 || s.Shards > buildspec.MaxParallelism) {
				return usage(cmd, fmt.Errorf("--shards must be from 1 to %d, but this is %d", buildspec.MaxParallelism, s.Shards))
			}
			if s.patching.file == "-" {
				return usage(cmd, errors.New("--patch wants a file: the build's log goes to standard output; runner artifacts BUILD --patch - prints the diff alone"))
			}
			return a.submit(cmd.Context(), dir, s)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.project, "project", "", "project (default the one whose repository is a remote here)")
	f.StringVar(&s.Buildspec, "buildspec", "", "path of the buildspec, in place of the project's")
	f.StringVar(&s.Image, "image", "", "job image, in place of the buildspec's and the project's")
	envFlag(cmd, &s.Env)
	f.IntVar(&s.Shards, "shards", 0, "shards of the build-fanout, in place of its parallelism")
	f.StringArrayVar(&s.Only, "only", nil, "of a batch the job of this id, or those of a `PATTERN`, with what they depend on; of a build-fanout the tests of codebuild-tests-run that it matches; may be repeated")
	debugFlag(cmd, &s.Debug)
	f.StringVar(&s.patching.file, "patch", "", "write what the build changed of the files that x-runner.patch names to this `FILE`, as a diff")
	f.BoolVar(&s.patching.apply, "apply", false, "apply what the build changed of the files that x-runner.patch names to the working tree, unless they were changed here meanwhile")
	f.StringVar(&s.artifacts, "artifacts", "", "unpack the artifacts into this `DIR`")
	f.BoolVar(&s.detach, "detach", false, "leave as soon as the build is made")
	firstFlag(cmd, &s.first, "the build goes on")
	f.BoolVar(&noFollow, "no-follow", false, "the same as --detach")
	cmd.MarkFlagsMutuallyExclusive("detach", "artifacts")
	cmd.MarkFlagsMutuallyExclusive("no-follow", "artifacts")
	cmd.MarkFlagsMutuallyExclusive("first-failure", "detach", "no-follow")
	for _, flag := range []string{"patch", "apply"} {
		for _, leaves := range []string{"detach", "no-follow", "first-failure"} {
			cmd.MarkFlagsMutuallyExclusive(flag, leaves)
		}
	}
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitBuilt+"; with --detach, it was made", exitFailed, exitTrouble, exitDetached)
}

func (a *app) submit(ctx context.Context, dir string, s submission) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	send, unhook := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer unhook()
	tree, err := worktree.Commit(send, dir, submitCache())
	if err != nil {
		return err
	}
	if s.project == "" {
		if s.project, err = chooseProject(send, c, tree.RemoteURL, "runner submit --project %s"); err != nil {
			return err
		}
	}
	s.Title, s.patching.dir = title(tree), tree.Root
	to := c.Submitting(s.project, s.Submission)
	moved, err := tree.Send(send, to)
	if err != nil {
		return err
	}
	a.warnNoHistory(moved)
	terminal.Fact(a.notes(), "sent", what(tree, moved), moved.Took)
	id, err := builtBy(send, c, to.Made.ID)
	if err != nil {
		return err
	}
	f := following{app: a, client: c, build: id, artifacts: s.artifacts, keep: true, first: s.first, patching: s.patching, sent: sent{
		s.project, moved.Commit, tree.Files, tree.Changed, moved.Bytes, moved.Objects, moved.Took.Seconds(),
	}}
	if s.detach {
		return f.announce(ctx)
	}
	return f.detachable(ctx)
}

// submitCache is where a submit leaves what makes the next one quicker; "" where there is no place for it.
func submitCache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "runner", "submit")
}

// warnNoHistory says what a build of a shallow clone lacks.
func (a *app) warnNoHistory(s worktree.Sent) {
	if s.NoHistory {
		fmt.Fprintln(a.err, "warning: this clone is shallow, so the build sees the files without their history; `git fetch --unshallow` brings it")
	}
}

// what says what was sent: "3 changed files of 4,812, 12 KB".
func what(tree worktree.Tree, moved worktree.Sent) string {
	return fmt.Sprintf("%s of %s, %s", terminal.Count(tree.Changed, "changed file", "changed files"), terminal.Number(tree.Files), terminal.Size(moved.Bytes))
}

// title is what the build is called in lists: where the tree came from, and whether it is more than a commit.
func title(tree worktree.Tree) string {
	where := "working tree"
	if tree.Branch != "" {
		where += " on " + tree.Branch
	}
	if tree.Changed == 0 {
		return where
	}
	return where + ", " + terminal.Count(tree.Changed, "changed file", "changed files")
}
