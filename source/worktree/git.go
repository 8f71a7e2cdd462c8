package worktree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Error tells what git refused to do, and what to do about it.
type Error struct {
	Message string
	Hint    string
	Err     error
}

// Error says what happened, then what to do.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "; " + e.Hint
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// call is one run of git.
type call struct {
	dir    string
	env    []string // besides our own environment
	stdin  io.Reader
	stdout io.Writer // nil: returned as text
}

// scrubbed are variables by which git would look at another repository than the one in dir, or leave another mark.
var scrubbed = []string{
	"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
	"GIT_NAMESPACE", "GIT_PREFIX", "GIT_CEILING_DIRECTORIES", "GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS",
	"GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS", "GIT_TRACE", "GIT_EXTERNAL_DIFF", "GIT_QUARANTINE_PATH",
}

func environment(more []string) []string {
	var env []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		keep := true
		for _, s := range scrubbed {
			keep = keep && !strings.EqualFold(name, s) // on Windows case does not count
		}
		if keep {
			env = append(env, v)
		}
	}
	// Messages are read below, so they must come in English. Nothing of the user's is locked for a mere look.
	return append(append(env, "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0"), more...)
}

// run runs git and returns what it prints, without the last newline.
func (c call) run(ctx context.Context, args ...string) (string, error) {
	path, err := exec.LookPath("git")
	if err != nil {
		return "", &Error{Message: "git is not installed, and submitting a working tree needs it",
			Hint: "install it (apt-get install git, brew install git, or https://git-scm.com on Windows)", Err: err}
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Stdin, cmd.Env = c.dir, c.stdin, environment(c.env)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if c.stdout != nil {
		cmd.Stdout = c.stdout
	}
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", c.explain(args, err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSuffix(stdout.String(), "\n"), nil
}

// explain turns git's words into an answer.
func (c call) explain(args []string, err error, said string) error {
	switch {
	case strings.Contains(said, "not a git repository"):
		return &Error{Message: fmt.Sprintf("%s is not in a git repository", c.dir),
			Hint: "go to one, or make one with git init", Err: err}
	case strings.Contains(said, "must be run in a work tree"):
		return &Error{Message: fmt.Sprintf("%s is a bare repository, without files to submit", c.dir), Hint: "go to a working tree", Err: err}
	case strings.Contains(said, "dubious ownership"):
		return &Error{Message: fmt.Sprintf("the repository in %s belongs to another user, and git does not trust it", c.dir),
			Hint: "if you do: git config --global --add safe.directory " + c.dir, Err: err}
	}
	if said == "" {
		said = err.Error()
	}
	if errors.Is(err, os.ErrNotExist) {
		return &Error{Message: fmt.Sprintf("there is no directory %s", c.dir), Err: err}
	}
	return &Error{Message: fmt.Sprintf("git %s failed in %s: %s", args[0], c.dir, said), Err: err}
}
