package scheduler

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"

	"github.com/runner-ci/runner/runner"
)

// shelf is an engine that makes sandboxes ahead, in memory; it outlives the daemons on it. None of them ever takes a job.
type shelf struct {
	mu    sync.Mutex
	boxes map[string]bool // running
	made  int
	cant  error
	fails error
	asked func() // before one is made
}

func (e *shelf) CanWarm(context.Context, runner.SandboxSpec) error { return e.cant }

func (e *shelf) Warm(_ context.Context, spec runner.SandboxSpec) error {
	if e.asked != nil {
		e.asked()
	}
	if e.fails != nil {
		return e.fails
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, there := e.boxes[spec.ID]; !there {
		e.boxes[spec.ID], e.made = true, e.made+1
	}
	return nil
}

func (e *shelf) Remove(_ context.Context, id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.boxes, id)
	return nil
}

func (e *shelf) Inspect(_ context.Context, id string) (runner.SandboxState, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	running, there := e.boxes[id]
	if !there {
		return runner.SandboxState{}, runner.ErrNoSandbox
	}
	return runner.SandboxState{Running: running}, nil
}

func (e *shelf) List(context.Context) (ids []string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id := range e.boxes {
		ids = append(ids, id)
	}
	return ids, nil
}

var errShelf = errors.New("nothing runs on a shelf")

func (e *shelf) Engine() string                                             { return "local" }
func (e *shelf) Ping(context.Context) error                                 { return nil }
func (e *shelf) Paths(string) runner.Paths                                  { return runner.Paths{} }
func (e *shelf) Capacity(context.Context) (runner.Capacity, error)          { return runner.Capacity{}, nil }
func (e *shelf) Create(context.Context, runner.SandboxSpec) error           { return errShelf }
func (e *shelf) Fill(context.Context, runner.SandboxSpec) error             { return errShelf }
func (e *shelf) Kill(context.Context, string) error                         { return nil }
func (e *shelf) Attach(context.Context, string) (io.ReadWriteCloser, error) { return nil, errShelf }
func (e *shelf) Open(context.Context, string, string) (io.ReadCloser, error) {
	return nil, fs.ErrNotExist
}
func (e *shelf) Put(context.Context, string, string, io.Reader, int64) error { return errShelf }
func (e *shelf) Resolve(context.Context, runner.ImageRequest) (runner.Image, error) {
	return runner.Image{}, errShelf
}
