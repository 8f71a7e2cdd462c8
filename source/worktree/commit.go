package worktree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Tree is a working tree as a commit.
type Tree struct {
	Commit    string // its parent is HEAD
	Tree      string // name of the git tree
	Head      string // what HEAD names; empty before the first commit
	Branch    string // main; empty when HEAD is detached
	RemoteURL string // of the remote that the branch follows, else of origin, else of the only one; without credentials; may be empty
	Root      string // the top of the working tree
	Files     int    // in the tree
	Changed   int    // of those, how many differ from HEAD, deleted ones included
}

// message is what the commit says of itself.
const message = "Working tree\n"

// Commit makes a commit of the working tree that dir lies in. The same files on the same HEAD give the same commit:
// its date is HEAD's, its author whom git's configuration names. Submodules are taken as the commits they are at.
func Commit(ctx context.Context, dir string) (Tree, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Tree{}, err
	}
	if _, err := os.Stat(abs); err != nil {
		return Tree{}, &Error{Message: fmt.Sprintf("there is no directory %s", abs), Err: err}
	}
	t, gitDir, err := locate(ctx, abs)
	if err != nil {
		return t, err
	}
	index, cleanup, err := copyIndex(gitDir)
	if err != nil {
		return t, err
	}
	defer cleanup()
	c := call{dir: t.Root, env: []string{"GIT_INDEX_FILE=" + index}}
	if t.Tree, err = c.writeTree(ctx); err != nil {
		return t, err
	}
	if t.Commit, err = c.commitTree(ctx, t, t.Head); err != nil {
		return t, err
	}
	return t, c.count(ctx, &t)
}

// locate finds the repository and its state.
func locate(ctx context.Context, dir string) (t Tree, gitDir string, err error) {
	c := call{dir: dir}
	top, err := c.run(ctx, "rev-parse", "--show-toplevel", "--absolute-git-dir")
	if err != nil {
		return t, "", err
	}
	var ok bool
	if t.Root, gitDir, ok = strings.Cut(top, "\n"); !ok {
		return t, "", &Error{Message: fmt.Sprintf("git does not say where the repository of %s is: %q", dir, top)}
	}
	c.dir = t.Root
	if t.Head, err = c.run(ctx, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"); err != nil {
		if ctx.Err() != nil {
			return t, "", err
		}
		t.Head = "" // no commit yet
	}
	if t.Branch, err = c.run(ctx, "symbolic-ref", "--quiet", "--short", "HEAD"); err != nil {
		if ctx.Err() != nil {
			return t, "", err
		}
		t.Branch = "" // detached
	}
	t.RemoteURL = c.remote(ctx, t.Branch)
	return t, gitDir, nil
}

// remote finds the URL of the remote that a branch follows, else of origin, else of the only one.
func (c call) remote(ctx context.Context, branch string) string {
	all, err := c.run(ctx, "remote")
	if err != nil || all == "" {
		return ""
	}
	names := strings.Split(all, "\n")
	candidates := []string{c.setting(ctx, "branch."+branch+".remote"), "origin"}
	if len(names) == 1 {
		candidates = append(candidates, names[0])
	}
	for _, name := range candidates {
		if !slices.Contains(names, name) {
			continue
		}
		if raw, err := c.run(ctx, "remote", "get-url", name); err == nil {
			return withoutCredentials(raw)
		}
	}
	return ""
}

// withoutCredentials drops user and password from a URL. A user of ssh is part of the address.
func withoutCredentials(raw string) string {
	if u, err := url.Parse(raw); err == nil && u.User != nil && u.Scheme != "ssh" {
		u.User = nil
		return u.String()
	}
	return raw
}

// copyIndex copies the index, so that files which it knows to be unchanged need not be read again.
func copyIndex(gitDir string) (path string, cleanup func(), err error) {
	dir, err := os.MkdirTemp("", "runner-index-*")
	if err != nil {
		return "", nil, err
	}
	cleanup = func() { _ = os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			cleanup()
		}
	}()
	path = filepath.Join(dir, "index")
	in, err := os.Open(filepath.Join(gitDir, "index"))
	if errors.Is(err, fs.ErrNotExist) {
		return path, cleanup, nil
	}
	if err != nil {
		return "", nil, fmt.Errorf("copying the index: %w", err)
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", nil, err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return "", nil, fmt.Errorf("copying the index: %w", err)
	}
	// Git takes files changed after the index was written for possibly changed: the copy is as old as the original.
	if info, statErr := in.Stat(); statErr == nil {
		err = os.Chtimes(path, info.ModTime(), info.ModTime())
	}
	return path, cleanup, err
}

// writeTree adds everything and writes the tree.
func (c call) writeTree(ctx context.Context) (string, error) {
	_, err := c.run(ctx, "-c", "core.safecrlf=false", "-c", "advice.addEmbeddedRepo=false", "-c", "core.fsmonitor=false",
		"add", "--all", "--", ":/")
	if err != nil {
		return "", err
	}
	return c.run(ctx, "write-tree")
}

// commitTree makes the commit, with a parent or without.
func (c call) commitTree(ctx context.Context, t Tree, parent string) (string, error) {
	args := []string{"-c", "i18n.commitEncoding=UTF-8", "commit-tree", "--no-gpg-sign", t.Tree}
	if parent != "" {
		args = append(args, "-p", parent)
	}
	date := "@946684800 +0000"
	if t.Head != "" {
		said, err := c.run(ctx, "show", "-s", "--no-show-signature", "--format=@%ct +0000", t.Head)
		if err != nil {
			return "", err
		}
		date = said
	}
	name, email := c.setting(ctx, "user.name"), c.setting(ctx, "user.email")
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		c.env = append(c.env, "GIT_"+who+"_NAME="+or(name, "runner submit"), "GIT_"+who+"_EMAIL="+or(email, "runner@localhost"),
			"GIT_"+who+"_DATE="+date)
	}
	c.stdin = strings.NewReader(message)
	return c.run(ctx, args...)
}

// setting reads one value of git's configuration, empty when it is not set.
func (c call) setting(ctx context.Context, name string) string {
	v, err := c.run(ctx, "config", "--get", name)
	if err != nil {
		return ""
	}
	return v
}

func or(a, b string) string {
	if strings.TrimSpace(a) == "" {
		return b
	}
	return a
}

// count fills in how much there is and how much of it changed.
func (c call) count(ctx context.Context, t *Tree) error {
	all := &counter{}
	c.stdout = all
	if _, err := c.run(ctx, "ls-files", "-z", "--cached"); err != nil {
		return err
	}
	t.Files = all.zeros
	if t.Head == "" {
		t.Changed = t.Files
		return nil
	}
	changed := &counter{}
	c.stdout = changed
	_, err := c.run(ctx, "diff-tree", "-r", "-z", "--name-only", "--no-renames", t.Head, t.Tree)
	t.Changed = changed.zeros
	return err
}

// counter counts the zero bytes that end file names.
type counter struct{ zeros int }

func (c *counter) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == 0 {
			c.zeros++
		}
	}
	return len(p), nil
}
