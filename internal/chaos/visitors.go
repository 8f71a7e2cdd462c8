package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

// visitWait bounds one visit, in which the daemon may be killed.
const visitWait = 20 * time.Second

// enter goes into a job that runs, for a moment. Whatever comes of it, the job must not mind.
func (u *users) enter(ctx context.Context, b client.Build) {
	_, _, _ = u.shell(ctx, b.ID, client.ShellOptions{At: "running", Command: []string{"true"}})
}

// visit goes into what is kept of a job that failed, and finds what the job left. It may be gone, and so may the daemon.
func (u *users) visit(ctx context.Context, r *request, b client.Build) {
	if b.Status != "FAILED" || len(b.Jobs) != 1 || b.Jobs[0].Kept == nil {
		return
	}
	out, over, err := u.shell(ctx, b.ID, client.ShellOptions{At: "failed", Command: []string{"cat", "salt"}})
	if err == nil && over == (client.ShellEnded{}) && strings.TrimSpace(out) != r.salt {
		u.w.judge.violation(lost, "in what is kept of %s the file salt says %q, want %q", b.ID, out, r.salt)
	}
}

func (u *users) shell(ctx context.Context, build string, o client.ShellOptions) (string, client.ShellEnded, error) {
	ctx, cancel := context.WithTimeout(ctx, visitWait)
	defer cancel()
	sh, err := u.w.daemon.api.OpenShell(ctx, build, o)
	if err != nil {
		return "", client.ShellEnded{}, err
	}
	defer sh.Close()
	var out bytes.Buffer
	over, err := sh.Copy(&out, io.Discard)
	return out.String(), over, err
}
