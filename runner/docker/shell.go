package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

var _ runner.Sheller = (*Engine)(nil)

const (
	// noDetach are keys of the engine's that let go of a terminal: nobody presses these by chance, and Ctrl-P stays the shell's.
	noDetach = "ctrl-^,ctrl-_,ctrl-^,ctrl-_"
	// aliveEvery is how often a program is asked for that says nothing: one that ended may have left others its output.
	aliveEvery = time.Second
	// endPatience bounds the ending of a shell's processes.
	endPatience = 10 * time.Second
)

// shell is one program in a container.
type shell struct {
	e       *Engine
	sandbox string
	user    string
	mark    string
	exec    string // the engine's id
	tty     bool
	conn    types.HijackedResponse
	closing sync.Once
}

// Shell starts a program in the job's container. The environment is the container's own, which has no secrets, and what c
// says.
func (e *Engine) Shell(ctx context.Context, id string, c runner.ShellCommand) (runner.Shell, error) {
	in, err := e.inspect(ctx, id)
	if err != nil {
		return nil, err
	}
	if !in.State.Running {
		return nil, fmt.Errorf("sandbox %s does not run, it is %s", id, in.State.Status)
	}
	short, cancel := context.WithTimeout(ctx, attachTimeout)
	defer cancel()
	made, err := e.api.ContainerExecCreate(short, in.ID, container.ExecOptions{
		User: c.User, Tty: c.TTY, AttachStdin: true, AttachStdout: true, AttachStderr: true, DetachKeys: noDetach,
		WorkingDir: sourceDir, Cmd: c.Args, Env: append(slices.Clone(c.Env), wire.ShellMark+"="+c.Mark),
	})
	if err != nil {
		return nil, e.fail(ctx, "starting a shell in sandbox "+id, err)
	}
	conn, err := answered(short, func() (types.HijackedResponse, error) {
		return e.api.ContainerExecAttach(short, made.ID, container.ExecAttachOptions{Tty: c.TTY})
	})
	if err != nil {
		return nil, e.fail(ctx, "starting a shell in sandbox "+id, err)
	}
	s := &shell{e: e, sandbox: id, user: c.User, mark: c.Mark, exec: made.ID, tty: c.TTY, conn: conn}
	if c.TTY && c.Cols > 0 && c.Rows > 0 {
		_ = s.Resize(ctx, c.Cols, c.Rows) // a program that has ended already has no size
	}
	return s, nil
}

// answered calls the engine for a connection, and gives up on an engine that takes the call and does not answer it: the client
// itself would wait for ever.
func answered(ctx context.Context, call func() (types.HijackedResponse, error)) (types.HijackedResponse, error) {
	type answer struct {
		resp types.HijackedResponse
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		resp, err := call()
		got <- answer{resp, err}
	}()
	select {
	case a := <-got:
		return a.resp, a.err
	case <-ctx.Done():
		go func() {
			if a := <-got; a.err == nil {
				a.resp.Close()
			}
		}()
		return types.HijackedResponse{}, ctx.Err()
	}
}

// Write sends bytes to the program's standard input.
func (s *shell) Write(p []byte) (int, error) { return s.conn.Conn.Write(p) }

// CloseInput ends its standard input.
func (s *shell) CloseInput() error { return s.conn.CloseWrite() }

// Resize tells the terminal's size.
func (s *shell) Resize(ctx context.Context, cols, rows uint) error {
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return s.e.api.ContainerExecResize(short, s.exec, container.ResizeOptions{Height: rows, Width: cols})
}

// Copy copies the output until the program has ended, also where it left others behind that hold on to its output.
func (s *shell) Copy(stdout, stderr io.Writer) error {
	done, gone := make(chan struct{}), make(chan struct{})
	from := &waiter{r: s.conn.Reader}
	go func() {
		defer close(gone)
		s.awaitEnd(done, from)
	}()
	var err error
	if s.tty {
		_, err = io.Copy(stdout, from)
	} else {
		_, err = stdcopy.StdCopy(stdout, stderr, from)
	}
	close(done)
	<-gone
	if running, _, ierr := s.state(context.Background()); ierr == nil && !running {
		err = nil // it was we who hung up on what it left behind
	}
	return err
}

// waiter is a reader that tells for how long it has been waited for.
type waiter struct {
	r     io.Reader
	since atomic.Int64 // in Unix nanoseconds; 0: nobody waits
}

func (w *waiter) Read(p []byte) (int, error) {
	w.since.Store(time.Now().UnixNano())
	defer w.since.Store(0)
	return w.r.Read(p)
}

func (w *waiter) waited(d time.Duration) bool {
	since := w.since.Load()
	return since != 0 && time.Since(time.Unix(0, since)) >= d
}

// awaitEnd hangs up once the engine has seen the program end, and has had nothing more to say for a second: who reads slowly is
// waited for.
func (s *shell) awaitEnd(done <-chan struct{}, from *waiter) {
	tick := time.NewTicker(aliveEvery)
	defer tick.Stop()
	for ended := false; ; {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		if ended && from.waited(aliveEvery) {
			s.closing.Do(s.conn.Close)
			return
		}
		if !ended && from.waited(aliveEvery/2) {
			running, _, err := s.state(context.Background())
			ended = err == nil && !running || cerrdefs.IsNotFound(err)
		}
	}
}

// state asks the engine for the program.
func (s *shell) state(ctx context.Context) (running bool, exit int, err error) {
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in, err := s.e.api.ContainerExecInspect(short, s.exec)
	return in.Running, in.ExitCode, err
}

// Exit is the exit status, which the engine knows a moment after the output has ended.
func (s *shell) Exit(ctx context.Context) (int, error) {
	for wait := 5 * time.Millisecond; ; wait *= 2 {
		running, exit, err := s.state(ctx)
		if err != nil {
			return 0, s.e.fail(ctx, "asking how a shell ended", err)
		}
		if !running {
			return exit, nil
		}
		if wait > endPatience {
			return 0, errors.New("the shell has ended, and the engine does not say how")
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// End ends what is left of it, and hangs up. The engine itself ends no program whose person has gone.
func (s *shell) End(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endPatience)
	defer cancel()
	defer s.closing.Do(s.conn.Close)
	in, err := s.e.inspect(ctx, s.sandbox)
	if err != nil || !in.State.Running {
		return
	}
	made, err := s.e.api.ContainerExecCreate(ctx, in.ID, container.ExecOptions{User: s.user, Cmd: []string{agentPath, wire.EndShell, s.mark}, AttachStdout: true})
	if err != nil {
		return
	}
	conn, err := answered(ctx, func() (types.HijackedResponse, error) {
		return s.e.api.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{})
	})
	if err != nil {
		s.e.log.Warn("the processes of a shell may go on until their sandbox goes", "sandbox", s.sandbox, "error", err)
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, conn.Close)()
	_, _ = io.Copy(io.Discard, conn.Reader)
}
