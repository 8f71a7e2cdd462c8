package worktree

import "context"

// RemoteOf is the RemoteURL of the repository that dir lies in, "" when it lies in none or has no remote.
func RemoteOf(ctx context.Context, dir string) string {
	t, _, err := locate(ctx, dir)
	if err != nil {
		return ""
	}
	return t.RemoteURL
}
