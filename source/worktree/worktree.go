// Package worktree turns a laptop's working tree into a git commit, and a commit into the pack that carries it. It
// runs the git command that the laptop has, because only git itself applies the repository's clean filters, modes
// and ignore rules exactly. It never touches the user's index, refs or files.
package worktree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Tree is a working tree as a commit: everything tracked or untracked, nothing ignored.
type Tree struct {
	Commit    string // its parent is Head
	Tree      string
	Head      string // "" in a repository without a commit
	Branch    string // "" when HEAD is detached
	RemoteURL string // of the remote that the branch follows, or of origin; "" without one
	Root      string // top of the working tree
	Files     int    // in the tree
	Changed   int    // of these, different from Head or new; removed ones count too
}

// Commit writes the working tree that holds dir as a tree and a commit. The same files on the same HEAD give the
// same commit, whenever and wherever it is made.
func Commit(ctx context.Context, dir string) (Tree, error) {
	g, err := find(ctx, dir)
	if err != nil {
		return Tree{}, err
	}
	t := Tree{Root: g.root}
	t.Head, _ = g.line(ctx, "rev-parse", "--verify", "-q", "HEAD^{commit}")
	t.Branch, _ = g.line(ctx, "symbolic-ref", "-q", "--short", "HEAD")
	t.RemoteURL = g.remote(ctx, t.Branch)
	index, cleanup, err := g.copyIndex(ctx)
	if err != nil {
		return Tree{}, err
	}
	defer cleanup()
	g.env = append(g.env, "GIT_INDEX_FILE="+index)
	if _, err := g.run(ctx, nil, "add", "-A", "--", "."); err != nil {
		return Tree{}, fmt.Errorf("reading the working tree: %w", err)
	}
	if t.Tree, err = g.line(ctx, "write-tree"); err != nil {
		return Tree{}, fmt.Errorf("writing the working tree as a git tree: %w", err)
	}
	if t.Commit, err = g.commitTree(ctx, t.Tree, t.Head); err != nil {
		return Tree{}, err
	}
	return t, g.count(ctx, &t)
}

// git runs the git command in one repository.
type git struct {
	root string
	env  []string
}

// find finds the top of the working tree that holds dir.
func find(ctx context.Context, dir string) (*git, error) {
	g := &git{root: dir, env: append(os.Environ(), "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C")}
	root, err := g.line(ctx, "rev-parse", "--show-toplevel")
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("git is not installed here: %w; install it: a working tree is sent as git sees it", err)
	case err != nil:
		return nil, fmt.Errorf("%s is in no git working tree: %w; run this in a repository (git init makes one)", dir, err)
	}
	g.root = root
	return g, nil
}

// remote returns the URL of the remote that a branch follows, of origin otherwise, of a lone remote last.
func (g *git) remote(ctx context.Context, branch string) string {
	names := []string{"origin"}
	if branch != "" {
		if name, err := g.line(ctx, "config", "branch."+branch+".remote"); err == nil {
			names = []string{name, "origin"}
		}
	}
	if all, err := g.line(ctx, "remote"); err == nil && all != "" && !strings.Contains(all, "\n") {
		names = append(names, all)
	}
	for _, name := range names {
		if url, err := g.line(ctx, "remote", "get-url", name); err == nil && url != "" {
			return url
		}
	}
	return ""
}

// copyIndex copies the user's index, whose file times spare git reading what did not change.
func (g *git) copyIndex(ctx context.Context) (path string, cleanup func(), err error) {
	dir, err := os.MkdirTemp("", "runner-index-")
	if err != nil {
		return "", nil, fmt.Errorf("making room for a temporary index: %w", err)
	}
	cleanup = func() { os.RemoveAll(dir) }
	path = filepath.Join(dir, "index")
	own, err := g.line(ctx, "rev-parse", "--git-path", "index")
	if err != nil {
		cleanup()
		return "", nil, err
	}
	if !filepath.IsAbs(own) {
		own = filepath.Join(g.root, own)
	}
	data, err := os.ReadFile(own)
	if errors.Is(err, fs.ErrNotExist) {
		return path, cleanup, nil // nothing was ever added
	}
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		cleanup()
		return "", nil, fmt.Errorf("copying the index: %w", err)
	}
	// Git takes a file whose time is not before its index's for perhaps changed; keep the original's time.
	if st, err := os.Stat(own); err == nil {
		_ = os.Chtimes(path, st.ModTime(), st.ModTime())
	}
	return path, cleanup, nil
}

// commitTree makes the commit with a fixed author and HEAD's own time, so that it is the same for the same content.
func (g *git) commitTree(ctx context.Context, tree, head string) (string, error) {
	when := "@1 +0000"
	args := []string{"commit-tree", tree, "-m", "Working tree"}
	if head != "" {
		args = append(args, "-p", head)
		if at, err := g.line(ctx, "show", "-s", "--format=@%ct +0000", head); err == nil {
			when = at
		}
	}
	env := g.env
	defer func() { g.env = env }()
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		g.env = append(g.env, "GIT_"+who+"_NAME=runner submit", "GIT_"+who+"_EMAIL=runner@localhost", "GIT_"+who+"_DATE="+when)
	}
	commit, err := g.line(ctx, args...)
	if err != nil {
		return "", fmt.Errorf("writing the working tree as a commit: %w", err)
	}
	return commit, nil
}

// count counts the tree's files, and those that differ from HEAD.
func (g *git) count(ctx context.Context, t *Tree) error {
	out, err := g.run(ctx, nil, "ls-tree", "-r", "-z", "--name-only", t.Tree)
	if err != nil {
		return err
	}
	t.Files = bytes.Count(out, []byte{0})
	t.Changed = t.Files
	if t.Head == "" {
		return nil
	}
	if out, err = g.run(ctx, nil, "diff-tree", "-r", "-z", "--name-only", "--no-renames", t.Head, t.Tree); err != nil {
		return err
	}
	t.Changed = bytes.Count(out, []byte{0})
	return nil
}

// Ancestors returns commits that a daemon may have, newest first, exponentially spaced, at most limit: the commit
// itself, then its first ancestors one by one, then ever wider apart, so that few questions find a near base in any
// history.
func Ancestors(ctx context.Context, root, commit string, limit int) ([]string, error) {
	g, err := find(ctx, root)
	if err != nil {
		return nil, err
	}
	out, err := g.run(ctx, nil, "rev-list", "--topo-order", "--max-count="+strconv.Itoa(1<<16), commit)
	if err != nil {
		return nil, fmt.Errorf("listing the history of %s: %w", commit, err)
	}
	all := strings.Fields(string(out))
	var picked []string
	for i, step := 0, 1; i < len(all) && len(picked) < limit; i += step {
		picked = append(picked, all[i])
		if len(picked) > nearby {
			step = min(step*2, maxStep)
		}
	}
	return picked, nil
}

const (
	nearby  = 16   // ancestors asked about one by one
	maxStep = 4096 // so that a very long history is still sampled to its end
)

// Pack writes what commit needs beyond have as a thin pack: deltas may stand on objects of have. A commit of have
// that this repository does not know is left out.
func Pack(ctx context.Context, root, commit string, have []string, w io.Writer) (size int64, objects int, err error) {
	g, err := find(ctx, root)
	if err != nil {
		return 0, 0, err
	}
	var revs strings.Builder
	fmt.Fprintln(&revs, commit)
	for _, id := range have {
		if _, err := g.line(ctx, "cat-file", "-e", id+"^{commit}"); err == nil {
			fmt.Fprintln(&revs, "^"+id)
		}
	}
	counted := &counter{w: w}
	if err := g.pipe(ctx, strings.NewReader(revs.String()), counted, "pack-objects", "--revs", "--thin", "--stdout", "-q"); err != nil {
		return counted.n, 0, fmt.Errorf("packing %s: %w", commit, err)
	}
	return counted.n, counted.objects(), nil
}

// counter counts the bytes of a pack and keeps its header, which tells the number of objects.
type counter struct {
	w    io.Writer
	n    int64
	head []byte
}

func (c *counter) Write(p []byte) (int, error) {
	if room := 12 - len(c.head); room > 0 {
		c.head = append(c.head, p[:min(room, len(p))]...)
	}
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func (c *counter) objects() int {
	if len(c.head) < 12 {
		return 0
	}
	return int(c.head[8])<<24 | int(c.head[9])<<16 | int(c.head[10])<<8 | int(c.head[11])
}

// line runs git and returns its output without the last newline.
func (g *git) line(ctx context.Context, args ...string) (string, error) {
	out, err := g.run(ctx, nil, args...)
	return strings.TrimSuffix(string(out), "\n"), err
}

func (g *git) run(ctx context.Context, in io.Reader, args ...string) ([]byte, error) {
	var out bytes.Buffer
	err := g.pipe(ctx, in, &out, args...)
	return out.Bytes(), err
}

func (g *git) pipe(ctx context.Context, in io.Reader, out io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout = g.root, g.env, in, out
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(said.String()); text != "" {
			return fmt.Errorf("git %s: %w: %s", args[0], err, text)
		}
		return fmt.Errorf("git %s: %w", args[0], err)
	}
	return nil
}
