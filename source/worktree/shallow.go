package worktree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// whole tells whether the repository has all of a commit's history down to the commits in have. A shallow clone
// lacks what is older than the commits that its file "shallow" names, and cannot send it (gitrepository-layout(5)).
func (t *Tree) whole(ctx context.Context, have []string) (bool, error) {
	text, err := os.ReadFile(t.shallow)
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
	args := []string{"rev-list", t.Commit}
	for _, id := range have {
		args = append(args, "^"+id)
	}
	list, err := call{dir: t.Root}.run(ctx, args...)
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
