package runner

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// box is an executor with one sandbox, whose engine can be down, and whose spool can be hard to read. No real engine
// fails in the middle of a file when it is asked to.
type box struct {
	Executor // for the methods that no test here comes to
	state    SandboxState
	down     func() bool
	agent    func(io.ReadWriteCloser) // what an attach meets; nil when there is nothing to attach to
	spool    opener
	tar      opener
}

type opener func() (io.ReadCloser, error)

var errDown = &UnavailableError{Engine: "e", Err: syscall.ECONNREFUSED}

func (b *box) answer() error {
	if b.down != nil && b.down() {
		return errDown
	}
	return nil
}

func (b *box) Paths(string) Paths { return Paths{Source: "/src"} }

func (b *box) Attach(context.Context, string) (io.ReadWriteCloser, error) {
	if err := b.answer(); err != nil {
		return nil, err
	}
	if b.agent == nil {
		return nil, errors.New("the sandbox does not run")
	}
	ours, theirs := net.Pipe()
	go b.agent(theirs)
	return ours, nil
}

func (b *box) Inspect(context.Context, string) (SandboxState, error) { return b.state, b.answer() }

func (b *box) Kill(context.Context, string) error { return b.answer() }

func (b *box) Open(_ context.Context, _, name string) (io.ReadCloser, error) {
	open := b.spool
	if name == wire.ArtifactsFile {
		open = b.tar
	}
	if open == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return open()
}

// after answers with each opener in turn, and with the last one from then on.
func after(openers ...opener) opener {
	return func() (io.ReadCloser, error) {
		open := openers[0]
		openers = openers[min(1, len(openers)-1):]
		return open()
	}
}

func fails(err error) opener {
	return func() (io.ReadCloser, error) { return nil, err }
}

func file(text []byte) opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
}

// broken is a file whose reading ends with an error.
func broken(text []byte, err error) opener {
	return func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(text), failing{err})), nil
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// spoolOf writes a record, numbered from 1.
func spoolOf(t *testing.T, bodies ...wire.Body) []byte {
	t.Helper()
	var b bytes.Buffer
	w := wire.NewWriter(&b)
	for i, body := range bodies {
		if err := w.Send(uint64(i+1), body); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// adopt runs an attempt that a former daemon has sent, in made-up time.
func adopt(t *testing.T, b *box, change func(*Attempt, *told), check func(res Result, took time.Duration, log string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store, ev := newStore(t), &told{}
		r := &Runner{
			Artifacts: store, Executors: map[string]Executor{"e": b}, Sandboxes: t.TempDir(), Epoch: 2,
			Logger: slog.New(slog.DiscardHandler),
		}
		a := Attempt{ID: "api#1/build@1", Sandbox: "s", Sent: true, Log: logID, Set: "set", Timeout: time.Hour}
		if change != nil {
			change(&a, ev)
		}
		began := time.Now()
		res, err := r.Run(t.Context(), "e", a, ev)
		if err != nil {
			t.Fatal(err)
		}
		check(res, time.Since(began), readLog(t, store))
	})
}

func wantResult(t *testing.T, res Result, status wire.Status, reason string) {
	t.Helper()
	if res.Status != status || res.Reason != reason {
		t.Errorf("got %s (%s): %s; want %s (%s)", res.Status, res.Reason, res.Message, status, reason)
	}
}

func TestAResultInTheSpoolIsNotLostToOurOwnTrouble(t *testing.T) {
	whole := spoolOf(t, wire.Log{Data: []byte("one\n")}, wire.Log{Data: []byte("two\n")}, wire.Done{Status: wire.StatusSucceeded})
	half := whole[:len(whole)/2]
	newer := append([]byte("r2"), wire.AppendLog(nil, 9, []byte("x"))[2:]...)
	tests := []struct {
		name   string
		spool  opener
		store  error
		status wire.Status
		reason string
	}{
		{"readable", file(whole), nil, wire.StatusSucceeded, ""},
		{"the engine is down", after(fails(errDown), fails(errDown), file(whole)), nil, wire.StatusSucceeded, ""},
		{"the engine leaves in the middle", after(broken(half, io.ErrUnexpectedEOF), fails(errDown), file(whole)), nil, wire.StatusSucceeded, ""},
		{"no descriptors", after(fails(&fs.PathError{Op: "open", Path: "frames", Err: syscall.EMFILE}), file(whole)), nil, wire.StatusSucceeded, ""},
		{"a line of another version", file(append(newer, whole...)), nil, wire.StatusSucceeded, ""},
		{"the disk fails for good", broken(half, syscall.EIO), nil, wire.StatusFault, "spool_unreadable"},
		{"the store fails", file(whole), syscall.ENOSPC, wire.StatusFault, "disk_full"},
		{"none", nil, nil, wire.StatusFault, "agent_killed"},
		{"half of one", file(half), nil, wire.StatusFault, "agent_killed"},
		{"the sandbox is gone", fails(ErrNoSandbox), nil, wire.StatusFault, "agent_killed"},
		{"a symbolic link", fails(errors.New("it is a symbolic link")), nil, wire.StatusFault, "agent_killed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			change := func(_ *Attempt, ev *told) { ev.fail = tt.store }
			if tt.store != nil {
				tt.spool = file(spoolOf(t, wire.PhaseBegan{Phase: wire.PhaseBuild}, wire.Done{Status: wire.StatusSucceeded}))
			}
			adopt(t, &box{spool: tt.spool}, change, func(res Result, took time.Duration, log string) {
				wantResult(t, res, tt.status, tt.reason)
				if tt.status == wire.StatusSucceeded && log != "one\ntwo\n" {
					t.Errorf("the log is %q", log)
				}
				if took > time.Minute {
					t.Errorf("it took %s, want less than a minute", took)
				}
			})
		})
	}
}

// stopAfter has a person stop the attempt after a while.
func stopAfter(stop bool, d time.Duration) func(*Attempt, *told) {
	if !stop {
		return nil
	}
	return func(a *Attempt, _ *told) {
		c := make(chan StopRequest, 1)
		a.Stop = c
		time.AfterFunc(d, func() { c <- StopRequest{Status: wire.StatusStopped, Reason: "stopped", Message: "stopped by anna"} })
	}
}

// mute is an agent that reads and never answers.
func mute(conn io.ReadWriteCloser) { _, _ = io.Copy(io.Discard, conn) }

// stalled is an agent that its job has stopped: it does not even read.
func stalled(io.ReadWriteCloser) {}

// paused is an agent whose job waits at a breakpoint, and tells how often it was told to go on.
func paused(conn io.ReadWriteCloser) {
	r, w := wire.NewReader(conn), wire.NewWriter(conn)
	for seq := uint64(1); ; {
		f, err := r.Read()
		switch {
		case err != nil:
			return
		case f.Kind == wire.KindHello:
			_ = w.Send(0, wire.Welcome{Protocol: wire.Protocol, Attempt: "api#1/build@1"})
			_ = w.Send(seq, wire.Paused{Phase: wire.PhaseBuild})
		case f.Kind == wire.KindResume:
			_ = w.Send(seq+1, wire.Resumed{Phase: wire.PhaseBuild})
			_ = w.Send(seq+2, wire.Log{Data: []byte("resumed\n")})
			seq += 3
		case f.Kind == wire.KindStop:
			_ = w.Send(seq, wire.Done{Status: wire.StatusStopped, Reason: "stopped"})
		}
	}
}

// TestAResumeIsForOneBreakpoint asks twice for a job to go on that waits once.
func TestAResumeIsForOneBreakpoint(t *testing.T) {
	stop := stopAfter(true, time.Minute)
	change := func(a *Attempt, ev *told) {
		stop(a, ev)
		c := make(chan ResumeRequest)
		a.Resume = c
		go func() {
			time.Sleep(time.Second)
			c <- ResumeRequest{By: "anna"}
			time.Sleep(time.Second)
			c <- ResumeRequest{By: "bert"}
			close(c)
		}()
	}
	adopt(t, &box{state: SandboxState{Running: true}, agent: paused}, change, func(res Result, _ time.Duration, log string) {
		wantResult(t, res, wire.StatusStopped, "stopped")
		if log != "resumed\n" {
			t.Errorf("the log is %q, want it resumed once", log)
		}
	})
}

// obedient is an agent that has the job and ends it when it is told to.
func obedient(conn io.ReadWriteCloser) {
	r, w := wire.NewReader(conn), wire.NewWriter(conn)
	for {
		f, err := r.Read()
		switch {
		case err != nil:
			return
		case f.Kind == wire.KindHello:
			_ = w.Send(0, wire.Welcome{Protocol: wire.Protocol, Attempt: "api#1/build@1"})
		case f.Kind == wire.KindStop:
			_ = w.Send(1, wire.Done{Status: wire.StatusStopped, Reason: "stopped", Message: "told to"})
		}
	}
}

func TestAStopThatComesWhileTheEngineIsDownIsPassedOn(t *testing.T) {
	var back time.Time
	b := &box{state: SandboxState{Running: true}, agent: obedient, down: func() bool { return time.Now().Before(back) }}
	stop := stopAfter(true, time.Minute)
	change := func(a *Attempt, ev *told) {
		back = time.Now().Add(70 * time.Second)
		stop(a, ev)
	}
	adopt(t, b, change, func(res Result, took time.Duration, _ string) {
		wantResult(t, res, wire.StatusStopped, "stopped")
		if res.Message != "stopped by anna" || took < 70*time.Second || took > 80*time.Second {
			t.Errorf("%q after %s", res.Message, took)
		}
	})
}

func TestAnEngineThatIsDown(t *testing.T) {
	always := func() bool { return true }
	running := SandboxState{Running: true}
	whole := spoolOf(t, wire.Done{Status: wire.StatusSucceeded})
	const soon = time.Minute + stopGrace + stopBackup + 5*time.Second // the stop comes after a minute
	const late = time.Hour + backupLimit + 5*time.Second
	tests := []struct {
		name   string
		box    box
		stop   bool
		status wire.Status
		reason string
		within time.Duration
	}{
		{"for good", box{down: always}, false, wire.StatusFault, "engine_unavailable", late},
		{"with a remote spool", box{down: always, spool: fails(errDown)}, false, wire.StatusFault, "engine_unavailable", late},
		{"with the result on our disk", box{down: always, spool: file(whole)}, false, wire.StatusSucceeded, "", late},
		{"stopped", box{down: always}, true, wire.StatusStopped, "stopped", soon},
		{"stopped, with the result on our disk", box{down: always, spool: file(whole)}, true, wire.StatusSucceeded, "", soon},
		{"never, and the agent does not read", box{state: running, agent: stalled}, false, wire.StatusTimedOut, "timeout", late},
		{"never, and the agent hangs", box{state: running, agent: mute}, false, wire.StatusTimedOut, "timeout", late},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			adopt(t, &tt.box, stopAfter(tt.stop, time.Minute), func(res Result, took time.Duration, _ string) {
				wantResult(t, res, tt.status, tt.reason)
				if took > tt.within {
					t.Errorf("it took %s, want at most %s", took, tt.within)
				}
			})
		})
	}
}
