package worktree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Whole tells whether the repository has all of a commit's history down to the commits in have. A shallow clone
// lacks what is older than the commits that its file "shallow" names, and cannot send it (gitrepository-layout(5)).
func Whole(ctx context.Context, root, commit string, have []string) (bool, error) {
	c := call{dir: root}
	path, err := c.run(ctx, "rev-parse", "--git-path", "shallow")
	if err != nil {
		return false, err
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(root, path)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading where the shallow clone ends: %w", err)
	}
	ends := make(map[string]bool)
	for id := range strings.FieldsSeq(string(text)) {
		ends[id] = true
	}
	known, err := existing(ctx, root, have)
	if err != nil {
		return false, err
	}
	args := []string{"rev-list", commit}
	for _, id := range known {
		args = append(args, "^"+id)
	}
	list, err := c.run(ctx, args...)
	if err != nil {
		return false, err
	}
	for id := range strings.FieldsSeq(list) {
		if ends[id] {
			return false, nil
		}
	}
	return true, nil
}

// WithoutHistory makes the commit of a tree again, without a parent.
func WithoutHistory(ctx context.Context, t Tree) (Tree, error) {
	var err error
	t.Commit, err = call{dir: t.Root}.commitTree(ctx, t, "")
	return t, err
}
