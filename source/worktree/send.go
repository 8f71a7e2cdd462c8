package worktree

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// Sent tells what Send sent.
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

// Daemon is what Send needs of who takes a commit in.
type Daemon interface {
	// Known tells which of these commits it has.
	Known(ctx context.Context, commits []string) ([]string, error)
	// Submit takes a pack with what it lacks of a commit.
	Submit(ctx context.Context, commit string, pack io.Reader) error
}

// Send sends the tree's commit to a daemon: what the daemon lacks of it, as a git pack.
func (t Tree) Send(ctx context.Context, to Daemon) (Sent, error) {
	began := time.Now()
	have, err := t.shared(ctx, to)
	if err != nil {
		return Sent{}, err
	}
	sent := Sent{Commit: t.Commit}
	whole, err := t.whole(ctx, have)
	if err != nil {
		return sent, err
	}
	if !whole {
		sent.NoHistory = true
		if sent.Commit, err = t.commitTree(ctx, ""); err != nil {
			return sent, err
		}
	}
	pr, pw := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		var err error
		sent.Bytes, sent.Objects, err = packBeyond(ctx, t.Root, sent.Commit, have, pw)
		pw.CloseWithError(err)
		packed <- err
	}()
	err = to.Submit(ctx, sent.Commit, pr)
	pr.CloseWithError(io.ErrClosedPipe)
	if perr := <-packed; perr != nil && err == nil {
		err = fmt.Errorf("packing the working tree: %w", perr)
	}
	if err == nil {
		t.memory.hasSent(sent.Commit)
	}
	sent.Took = time.Since(began)
	return sent, err
}

// shared lists commits that are here and there: of the history, and of what was sent before.
func (t *Tree) shared(ctx context.Context, to Daemon) ([]string, error) {
	ask, err := Ancestors(ctx, t.Root, t.Commit, candidates)
	if err != nil {
		return nil, err
	}
	before, err := existing(ctx, t.Root, t.memory.sent())
	if err != nil {
		return nil, err
	}
	ask = append(before, slices.DeleteFunc(ask, func(id string) bool { return slices.Contains(before, id) })...)
	known, err := to.Known(ctx, ask)
	// Nothing else is believed to be here.
	return slices.DeleteFunc(known, func(id string) bool { return !slices.Contains(ask, id) }), err
}
