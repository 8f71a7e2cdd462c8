package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"github.com/runner-ci/runner/runner"
)

// fail says what an error of the client means to us. ctx is the caller's: when it was cancelled, the caller gets
// that back; a time-out, its own or ours, is the engine's fault.
func (e *Engine) fail(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	var gone *runner.UnavailableError
	var image *runner.ImageError
	switch {
	case errors.As(err, &gone), errors.As(err, &image), errors.Is(err, runner.ErrNoSandbox):
		return err
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	case unavailable(err):
		return &runner.UnavailableError{Engine: e.opts.Engine, Err: fmt.Errorf("%s: %w", doing, err)}
	case says(err, "no space left on device"):
		return fmt.Errorf("engine %s: %s: %w: the engine says: %w", e.opts.Engine, doing, syscall.ENOSPC, err)
	}
	return fmt.Errorf("engine %s: %s: %w", e.opts.Engine, doing, err)
}

// unavailable tells whether the engine, rather than the request, is at fault.
func unavailable(err error) bool {
	var op *net.OpError
	return client.IsErrConnectionFailed(err) || cerrdefs.IsUnavailable(err) || os.IsTimeout(err) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.As(err, &op)
}

// says tells whether an error's text holds one of the phrases, in any case. The engine has no codes for most of
// what can go wrong below it.
func says(err error, phrases ...string) bool {
	if err == nil {
		return false
	}
	text := strings.ToLower(err.Error())
	for _, p := range phrases {
		if strings.Contains(text, strings.ToLower(p)) {
			return true
		}
	}
	return false
}

func noSandbox(id string) error {
	return fmt.Errorf("sandbox %s: %w", id, runner.ErrNoSandbox)
}
