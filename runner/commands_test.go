package runner

import (
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// TestCommandsAreToldWithTheirPlaceInTheLog has the daemon change between two commands: the later one counts what the former
// daemon stored.
func TestCommandsAreToldWithTheirPlaceInTheLog(t *testing.T) {
	s, ev := newStore(t), &told{}
	r := newTestRecorder(t, s, 0, ev)
	r.preface("a line before all")
	takeAll(t, r,
		wire.PhaseBegan{Phase: wire.PhaseBuild}, wire.Log{Data: []byte("Entering\n")},
		wire.CommandBegan{Phase: wire.PhaseBuild, Text: "make\nmore", At: 7}, wire.Log{Data: []byte("Running command make\nout")},
		wire.CommandEnded{Phase: wire.PhaseBuild, Exit: 3, Millis: 40})
	if err := r.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	r = newTestRecorder(t, s, 0, ev)
	takeAll(t, r, wire.Log{Data: []byte("\n")}, wire.CommandBegan{Phase: wire.PhaseBuild, Index: 1, Finally: true, Text: "clean"})
	if err := r.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	log := readLog(t, s)
	if len(ev.phases) != 1 || !strings.HasPrefix(log[ev.phases[0].Offset:], "Entering") || len(ev.commands) != 3 {
		t.Fatalf("told of %+v and %+v, the log is %q", ev.phases, ev.commands, log)
	}
	first, end, last := ev.commands[0], ev.commands[1], ev.commands[2]
	if !strings.HasPrefix(log[first.Offset:], "Running command make") || first.Text != "make" || first.Began.UnixNano() != 7 || first.Ended {
		t.Errorf("the first command is told of as %+v", first)
	}
	if !end.Ended || end.End != int64(len(log)-1) || end.Exit != 3 || end.Took.Milliseconds() != 40 || !end.Began.IsZero() {
		t.Errorf("its end is told of as %+v", end)
	}
	if last.Offset != int64(len(log)) || !last.Finally || last.Index != 1 {
		t.Errorf("the last command is told of as %+v, the log has %d bytes", last, len(log))
	}
}

// TestCommandsAreBounded has a job tell of commands without end.
func TestCommandsAreBounded(t *testing.T) {
	ev := &told{}
	r := newTestRecorder(t, newStore(t), 0, ev)
	for i := range 3 * MaxCommands {
		takeAll(t, r, wire.CommandBegan{Phase: wire.PhaseBuild, Index: i, Text: strings.Repeat("é", 500)}, wire.CommandEnded{Phase: wire.PhaseBuild, Index: i})
	}
	if err := r.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(ev.commands); n != 2*MaxCommands || len(ev.commands[0].Text) != maxCommandText {
		t.Errorf("told of %d beginnings and ends, the first of %d bytes", n, len(ev.commands[0].Text))
	}
}
