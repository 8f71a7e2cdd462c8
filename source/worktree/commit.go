package worktree

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
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

	when        string // HEAD's date
	name, email string // whom git's configuration names
	shallow     string // file that says where a shallow clone ends
	memory      *memory
}

// message is what the commit says of itself.
const message = "Working tree\n"

// Commit makes a commit of the working tree that dir lies in. The same files on the same HEAD give the same commit:
// its date is HEAD's, its author whom git's configuration names. Submodules are taken as the commits they are at.
// In the directory cache, unless that is empty, a little is kept by which the next time is quicker.
func Commit(ctx context.Context, dir, cache string) (Tree, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Tree{}, err
	}
	if _, err := os.Stat(abs); err != nil {
		return Tree{}, &Error{Message: fmt.Sprintf("there is no directory %s", abs), Err: err}
	}
	at, err := locate(ctx, abs)
	if err != nil {
		return Tree{}, err
	}
	t := Tree{Root: at.root, shallow: at.shallow, memory: rememberIn(cache, at.index)}
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		t.Tree, t.Files, err = t.memory.writeTree(gctx, at)
		return err
	})
	group.Go(func() error { return t.state(gctx) })
	if err := group.Wait(); err != nil {
		return t, err
	}
	if t.Commit, err = t.commitTree(ctx, t.Head); err != nil {
		return t, err
	}
	return t, t.count(ctx)
}

// writeTree writes the tree of the working tree's files, and counts them. What is wrong with the index of the last submit,
// such as that git collected what it names, the user's own index mends.
func (m *memory) writeTree(ctx context.Context, at place) (tree string, files int, err error) {
	for _, fresh := range []bool{false, true} {
		index, err := m.index(at.index, fresh)
		if err != nil {
			return "", 0, err
		}
		c := call{dir: at.root, env: []string{"GIT_INDEX_FILE=" + index.path}}
		tree, err = c.writeTree(ctx)
		if err == nil {
			files, err = c.files(ctx)
		}
		if err == nil {
			index.keep()
			return tree, files, nil
		}
		index.clean()
		if !index.warm || ctx.Err() != nil {
			return "", 0, err
		}
	}
	return "", 0, err
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

// files counts the files of an index.
func (c call) files(ctx context.Context) (int, error) {
	all := &counter{}
	c.stdout = all
	_, err := c.run(ctx, "ls-files", "-z", "--cached")
	return all.zeros, err
}

// commitTree makes the commit, with a parent or without.
func (t *Tree) commitTree(ctx context.Context, parent string) (string, error) {
	args := []string{"-c", "i18n.commitEncoding=UTF-8", "commit-tree", "--no-gpg-sign", t.Tree}
	if parent != "" {
		args = append(args, "-p", parent)
	}
	c := call{dir: t.Root, stdin: strings.NewReader(message)}
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		c.env = append(c.env, "GIT_"+who+"_NAME="+or(t.name, "runner submit"), "GIT_"+who+"_EMAIL="+or(t.email, "runner@localhost"),
			"GIT_"+who+"_DATE=@"+or(t.when, "946684800")+" +0000")
	}
	return c.run(ctx, args...)
}

func or(a, b string) string {
	if strings.TrimSpace(a) == "" {
		return b
	}
	return a
}

// count fills in how much of it changed.
func (t *Tree) count(ctx context.Context) error {
	if t.Head == "" {
		t.Changed = t.Files
		return nil
	}
	changed := &counter{}
	c := call{dir: t.Root, stdout: changed}
	_, err := c.run(ctx, "diff-tree", "-r", "-z", "--name-only", "--no-renames", t.Head, t.Tree)
	t.Changed = changed.zeros
	return err
}

// counter counts the zero bytes that end file names.
type counter struct{ zeros int }

func (c *counter) Write(p []byte) (int, error) {
	c.zeros += bytes.Count(p, []byte{0})
	return len(p), nil
}
