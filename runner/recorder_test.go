package runner

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/runner/wire"
)

const logID = "log"

func newStore(t testing.TB) *artifacts.Store {
	t.Helper()
	s, err := artifacts.Open(filepath.Join(t.TempDir(), "artifacts.db"), artifacts.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// told keeps what a scheduler would commit.
type told struct {
	sent     int
	phases   []wire.PhaseEnded
	commands []Command
	fail     error
}

func (*told) Cold(context.Context) error { return nil }

func (e *told) Sent(context.Context) error {
	e.sent++
	return e.fail
}

func (e *told) Progress(_ context.Context, p Progress) error {
	e.phases = append(e.phases, p.Phases...)
	e.commands = append(e.commands, p.Commands...)
	return e.fail
}

func readLog(t *testing.T, s *artifacts.Store) string {
	t.Helper()
	text, err := io.ReadAll(s.ReadLog(t.Context(), logID, 0, false))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func frame(t *testing.T, seq uint64, body wire.Body) wire.Frame {
	t.Helper()
	f, err := wire.Encode(seq, body)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func newTestRecorder(t *testing.T, s *artifacts.Store, limit int64, ev Events) *recorder {
	t.Helper()
	r, err := newRecorder(s, logID, limit, ev)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestACommitThatFailsIsDoneAgain lets a commit fail while more comes: nothing of it may be lost, nor come twice.
func TestACommitThatFailsIsDoneAgain(t *testing.T) {
	s, ev := newStore(t), &told{fail: errors.New("no luck")}
	r := newTestRecorder(t, s, 0, ev)
	takeAll(t, r, wire.PhaseBegan{Phase: wire.PhaseInstall}, wire.Log{Data: []byte("one\n")})
	if err := r.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	takeAll(t, r, wire.Log{Data: []byte("two\n")}, wire.PhaseBegan{Phase: wire.PhaseBuild})
	if err := r.flush(t.Context()); !errors.Is(err, errStore) {
		t.Fatalf("got %v", err)
	}
	if _, err := s.LogState(logID); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("something was stored: %v", err)
	}
	ev.fail, ev.phases = nil, nil
	takeAll(t, r, wire.Log{Data: []byte("three\n")})
	if err := r.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	st, err := s.LogState(logID)
	if got := readLog(t, s); got != "one\ntwo\nthree\n" || err != nil || st.LastFrame != 5 {
		t.Errorf("the log is %q up to frame %d (%v)", got, st.LastFrame, err)
	}
	if len(ev.phases) != 2 || ev.phases[0].Phase != wire.PhaseInstall || ev.phases[1].Phase != wire.PhaseBuild {
		t.Errorf("told %+v", ev.phases)
	}
}

// takeAll gives the recorder frames in order, from the next on.
func takeAll(t *testing.T, r *recorder, bodies ...wire.Body) {
	t.Helper()
	for _, b := range bodies {
		if _, err := r.take(frame(t, r.last()+1, b)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAJobCannotMakeUpPhases(t *testing.T) {
	ev := &told{}
	r := newTestRecorder(t, newStore(t), 0, ev)
	for i := range 5000 {
		name := strings.Repeat("P", 1+i)
		takeAll(t, r,
			wire.PhaseBegan{Phase: name}, wire.PhaseEnded{Phase: name, Status: wire.StatusSucceeded},
			wire.PhaseBegan{Phase: PhaseProvisioning}, wire.PhaseEnded{Phase: PhaseProvisioning, Status: wire.StatusFailed},
			wire.PhaseBegan{Phase: wire.PhaseBuild}, wire.PhaseEnded{Phase: wire.PhaseBuild, Status: "DANCING"},
			wire.PhaseEnded{Phase: wire.PhaseBuild}, wire.PhaseEnded{Phase: wire.PhaseBuild, Status: wire.StatusFailed, Message: "first"},
		)
	}
	if n := len(r.progress.Phases); n > 2 {
		t.Errorf("%d facts about phases are held, want 2", n)
	}
	if err := r.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	takeAll(t, r, wire.PhaseEnded{Phase: wire.PhaseBuild, Status: wire.StatusSucceeded})
	if err := r.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []wire.PhaseEnded{{Phase: wire.PhaseBuild}, {Phase: wire.PhaseBuild, Status: wire.StatusFailed, Message: "first"}}
	if len(ev.phases) != len(want) || ev.phases[0] != want[0] || ev.phases[1] != want[1] {
		t.Errorf("told of %+v, want %+v", ev.phases, want)
	}
}

func TestALogEndsNearItsLimitWhateverTheJobWrites(t *testing.T) {
	const limit = 100 << 10
	data := bytes.Repeat([]byte("0123456789abcde\n"), wire.MaxLogData/16)
	flood := func(r *recorder, n int) {
		for range n {
			takeAll(t, r, wire.Log{Data: data})
			if r.full() {
				if err := r.flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := r.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	const dropped = "so what comes from here on is dropped"
	s := newStore(t)
	r := newTestRecorder(t, s, limit, &told{})
	flood(r, (limit+256<<10)/len(data)) // what an agent may write
	if got := readLog(t, s); strings.Contains(got, dropped) || len(got) != int(r.last())*len(data) {
		t.Fatalf("%d bytes of log, want all of them", len(got))
	}
	for life := 1; life <= 2; life++ {
		r = newTestRecorder(t, s, limit, &told{})
		flood(r, 100)
		got := readLog(t, s)
		if most := limit + logReserve + life*1000; len(got) > most {
			t.Errorf("%d bytes of log, want at most %d", len(got), most)
		}
		if n := strings.Count(got, dropped); n != life {
			t.Errorf("it is said %d times that output is dropped, want once by each of %d daemons", n, life)
		}
		if st, err := s.LogState(logID); err != nil || st.LastFrame != r.last() {
			t.Errorf("the log stands at frame %d (%v), want %d", st.LastFrame, err, r.last())
		}
	}
	for range 2 {
		if err := r.end(t.Context(), []string{"our own line"}); err != nil || !strings.HasSuffix(readLog(t, s), "our own line\n") {
			t.Errorf("the last line is missing: %v", err)
		}
		r.closed = true // as the daemon after this one finds
	}
	if st, err := s.LogState(logID); err != nil || !st.Sealed || strings.Count(readLog(t, s), "our own line") != 1 {
		t.Errorf("the log is not ended, once: %+v, %v", st, err)
	}
}
