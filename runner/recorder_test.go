package runner

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/runner/wire"
)

const logID = "log"

func newStore(t *testing.T) *artifacts.Store {
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
	sent   int
	phases []wire.PhaseEnded
	fail   error
}

func (e *told) Sent(context.Context) error {
	e.sent++
	return e.fail
}

func (e *told) Progress(_ context.Context, p Progress) error {
	e.phases = append(e.phases, p.Phases...)
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

func newTestRecorder(t *testing.T, s *artifacts.Store, ev Events) *recorder {
	t.Helper()
	r, err := newRecorder(s, logID, ev)
	if err != nil {
		t.Fatal(err)
	}
	return r
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
	r := newTestRecorder(t, newStore(t), ev)
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
