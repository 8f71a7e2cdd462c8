package worktree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Patch is what a build changed of the tree that it was given, by its own word.
type Patch struct {
	Diff  []byte // as git diff --binary writes it; empty when nothing differs
	Stat  string // how much of which files, a line each, for people
	Paths []string

	root, commit string
}

// Left is what a job left of files that it changed: those below Files as they are now, and those of Gone not any more.
type Left struct {
	Files string // directory
	Gone  []string
}

// maxStatLines bounds what is shown of a patch.
const maxStatLines = 50

// NewPatch compares what jobs of a build of a commit left with the commit, in the repository that dir lies in. Nothing of
// what they say is believed: paths that git would not have in a tree, links that lead out of it, and files on which two
// jobs do not agree are errors. Files that git ignores here are left out.
func NewPatch(ctx context.Context, dir, commit string, left []Left) (Patch, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Patch{}, err
	}
	at, err := locate(ctx, abs)
	if err != nil {
		return Patch{}, err
	}
	if known, err := existing(ctx, at.root, []string{commit}); err != nil || len(known) == 0 {
		return Patch{}, errors.Join(err, &Error{Message: fmt.Sprintf("the repository in %s does not have the commit %s, which the patch is for", at.root, commit),
			Hint: "go to the working tree that was submitted, or fetch the commit"})
	}
	tmp, err := os.MkdirTemp("", "runner-patch-*")
	if err != nil {
		return Patch{}, err
	}
	defer os.RemoveAll(tmp)
	gitDir, err := call{dir: at.root}.run(ctx, "rev-parse", "--absolute-git-dir")
	if err != nil {
		return Patch{}, err
	}
	p := &patcher{root: at.root, gitDir: gitDir, commit: commit, index: "GIT_INDEX_FILE=" + filepath.Join(tmp, "index")}
	if err := p.take(ctx, left); err != nil {
		return Patch{}, err
	}
	return p.diff(ctx)
}

// patcher builds the tree as the jobs left it, in an index of its own.
type patcher struct {
	root, gitDir, commit, index string
}

// call is git in the user's working tree, with the patcher's index.
func (p *patcher) call() call { return call{dir: p.root, env: []string{p.index}} }

func (p *patcher) take(ctx context.Context, left []Left) error {
	if _, err := p.call().run(ctx, "read-tree", p.commit); err != nil {
		return err
	}
	said := make(map[string]string) // the object that a path is to be, "" for none
	for _, l := range left {
		names, err := filesOf(l.Files)
		if err != nil {
			return err
		}
		for _, name := range slices.Concat(names, l.Gone) {
			if err := harmless(name); err != nil {
				return err
			}
		}
		if names, err = p.wanted(ctx, names); err != nil {
			return err
		}
		if err := p.add(ctx, l.Files, names); err != nil {
			return err
		}
		if err := p.agree(ctx, said, names); err != nil {
			return err
		}
		if err := p.remove(ctx, said, l.Gone); err != nil {
			return err
		}
	}
	return nil
}

// filesOf lists the files below a directory, with slashes.
func filesOf(dir string) (names []string, err error) {
	err = filepath.WalkDir(dir, func(at string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && at == dir {
			return nil
		}
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if e.Type()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(at)
			if err != nil {
				return err
			}
			if to = filepath.ToSlash(to); path.IsAbs(to) || filepath.IsAbs(to) || !filepath.IsLocal(filepath.FromSlash(path.Join(path.Dir(name), to))) {
				return &Error{Message: fmt.Sprintf("the patch is refused: its link %q leads out of the tree, to %q", name, to)}
			}
		}
		names = append(names, name)
		return nil
	})
	return names, err
}

// harmless refuses paths that lead out of the tree, or into git's own directory.
func harmless(name string) error {
	bad := name == "" || path.Clean(name) != name || !filepath.IsLocal(filepath.FromSlash(name)) || strings.ContainsAny(name, "\n\x00\\")
	for part := range strings.SplitSeq(name, "/") {
		part = strings.TrimRight(part, " .")
		bad = bad || strings.EqualFold(part, ".git") || strings.EqualFold(part, "git~1") || strings.HasPrefix(strings.ToLower(part), ".git:")
	}
	if bad {
		return &Error{Message: fmt.Sprintf("the patch is refused: %q is no file that it may change", name)}
	}
	return nil
}

// wanted leaves out what git ignores in the working tree.
func (p *patcher) wanted(ctx context.Context, names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	c := p.call()
	c.stdin = strings.NewReader(strings.Join(names, "\x00") + "\x00")
	ignored := make(map[string]bool)
	out, err := c.run(ctx, "check-ignore", "-z", "--stdin")
	if err != nil && ctx.Err() != nil {
		return nil, err
	} // it exits 1 when nothing is ignored
	for name := range strings.SplitSeq(out, "\x00") {
		ignored[name] = true
	}
	return slices.DeleteFunc(names, func(n string) bool { return ignored[n] }), nil
}

// add takes files from another directory, converted as git would convert those of the working tree.
func (p *patcher) add(ctx context.Context, from string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	c := call{dir: from, env: []string{p.index, "GIT_LITERAL_PATHSPECS=1"}, stdin: strings.NewReader(strings.Join(names, "\x00"))}
	_, err := c.run(ctx, "--git-dir="+p.gitDir, "--work-tree="+from, "-c", "core.safecrlf=false", "-c", "core.fsmonitor=false",
		"add", "--force", "--pathspec-from-file=-", "--pathspec-file-nul")
	return err
}

// agree notes what paths have become, and refuses what two jobs do not agree on.
func (p *patcher) agree(ctx context.Context, said map[string]string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	out, err := p.call().run(ctx, "ls-files", "-z", "--stage")
	if err != nil {
		return err
	}
	mine := make(map[string]bool, len(names))
	for _, n := range names {
		mine[n] = true
	}
	for entry := range strings.SplitSeq(out, "\x00") {
		what, name, ok := strings.Cut(entry, "\t")
		if !ok || !mine[name] {
			continue
		}
		if had, twice := said[name]; twice && had != what {
			return disagreement(name)
		}
		said[name] = what
	}
	return nil
}

func disagreement(name string) error {
	return &Error{Message: fmt.Sprintf("two jobs of the build changed %s, and not to the same", name), Hint: "let one job change it: narrow x-runner.patch, or fetch one job's patch with runner artifacts --job"}
}

func (p *patcher) remove(ctx context.Context, said map[string]string, gone []string) error {
	if len(gone) == 0 {
		return nil
	}
	for _, name := range gone {
		if had, twice := said[name]; twice && had != "" {
			return disagreement(name)
		}
		said[name] = ""
	}
	c := p.call()
	c.stdin = strings.NewReader(strings.Join(gone, "\x00") + "\x00")
	_, err := c.run(ctx, "update-index", "--force-remove", "-z", "--stdin")
	return err
}

func (p *patcher) diff(ctx context.Context) (Patch, error) {
	out := Patch{root: p.root, commit: p.commit}
	var text bytes.Buffer
	c := p.call()
	c.stdout = &text
	plain := []string{"diff-index", "--cached", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color"}
	if _, err := c.run(ctx, append(plain, "--patch", "--binary", "--full-index", "--src-prefix=a/", "--dst-prefix=b/", p.commit)...); err != nil {
		return out, err
	}
	out.Diff = text.Bytes()
	names, err := p.call().run(ctx, append(plain, "-z", "--name-only", p.commit)...)
	if err != nil {
		return out, err
	}
	out.Paths = slices.DeleteFunc(strings.Split(names, "\x00"), func(s string) bool { return s == "" })
	out.Stat, err = p.call().run(ctx, append(plain, "--stat=100", fmt.Sprintf("--stat-count=%d", maxStatLines), "--summary", p.commit)...)
	return out, err
}

// Apply changes the working tree as the patch says, all of it or nothing. Files that are not what they were when the commit
// was made of them stay as they are, and the patch is refused.
func (p Patch) Apply(ctx context.Context) error {
	if len(p.Diff) == 0 {
		return nil
	}
	now, err := Commit(ctx, p.root, "")
	if err != nil {
		return err
	}
	c := call{dir: p.root}
	out, err := c.run(ctx, "diff-tree", "-r", "-z", "--name-only", "--no-renames", p.commit, now.Tree)
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(out, "\x00") {
		if name != "" && slices.Contains(p.Paths, name) {
			return &Error{Message: fmt.Sprintf("nothing was applied: %s was changed here since the build was submitted", name),
				Hint: "submit again, or write the diff to a file with --patch and merge it by hand: git apply --3way FILE"}
		}
	}
	for _, check := range []string{"--check", "--binary"} {
		c.stdin = bytes.NewReader(p.Diff)
		if _, err := c.run(ctx, "apply", check, "--whitespace=nowarn", "-"); err != nil {
			return &Error{Message: "nothing was applied: " + err.Error(), Hint: "write the diff to a file with --patch, and merge it by hand", Err: err}
		}
	}
	return nil
}
