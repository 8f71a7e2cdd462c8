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
		{"none", nil, nil, wire.StatusFault, "sandbox_lost"},
		{"half of one", file(half), nil, wire.StatusFault, "sandbox_lost"},
		{"the sandbox is gone", fails(ErrNoSandbox), nil, wire.StatusFault, "sandbox_lost"},
		{"a symbolic link", fails(errors.New("it is a symbolic link")), nil, wire.StatusFault, "sandbox_lost"},
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
