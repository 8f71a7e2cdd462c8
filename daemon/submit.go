package daemon

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/source/worktree"
)

// Sent tells what Submit sent.
type Sent struct {
	Commit    string // what the build is of
	Bytes     int64
	Objects   int
	Took      time.Duration
	NoHistory bool // a shallow clone could not send its history: the commit has no parent
}

// candidates bounds the commits that a daemon is asked about: newest first, exponentially spaced, they reach far
// back in any history.
const candidates = 64

// Submit sends a working tree's commit to a daemon: what the daemon lacks of it, as a git pack.
func Submit(ctx context.Context, c *client.Client, tree worktree.Tree, project string, s client.Submission) (client.Trigger, Sent, error) {
	began := time.Now()
	ask, err := worktree.Ancestors(ctx, tree.Root, tree.Commit, candidates)
	if err != nil {
		return client.Trigger{}, Sent{}, err
	}
	have, err := c.Known(ctx, project, ask)
	if err != nil {
		return client.Trigger{}, Sent{}, err
	}
	var sent Sent
	whole, err := worktree.Whole(ctx, tree.Root, tree.Commit, have)
	if err != nil {
		return client.Trigger{}, Sent{}, err
	}
	if !whole {
		sent.NoHistory = true
		if tree, err = worktree.WithoutHistory(ctx, tree); err != nil {
			return client.Trigger{}, Sent{}, err
		}
	}
	sent.Commit = tree.Commit
	pr, pw := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		var err error
		sent.Bytes, sent.Objects, err = worktree.Pack(ctx, tree.Root, tree.Commit, have, pw)
		pw.CloseWithError(err)
		packed <- err
	}()
	s.Commit, s.PackBytes = tree.Commit, -1
	t, err := c.Submit(ctx, project, s, pr)
	pr.CloseWithError(io.ErrClosedPipe)
	if perr := <-packed; perr != nil && err == nil {
		err = fmt.Errorf("packing the working tree: %w", perr)
	}
	sent.Took = time.Since(began)
	return t, sent, err
}
