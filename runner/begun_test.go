package runner

import (
	"errors"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// TestWhetherACommandHadBegun tells of jobs that were sent and whose sandbox ended without a result: what the spool does not
// deny may have happened.
func TestWhetherACommandHadBegun(t *testing.T) {
	phase := wire.PhaseBegan{Phase: wire.PhaseInstall}
	command := wire.CommandBegan{Phase: wire.PhaseBuild, Text: "deploy"}
	tests := []struct {
		name  string
		spool opener
		known bool // the row says so already
		begun bool
	}{
		{"the spool has a command", file(spoolOf(t, phase, command)), false, true},
		{"the spool has none", file(spoolOf(t, phase)), false, false},
		{"the row has one", file(spoolOf(t, phase)), true, true},
		{"there is no spool", nil, false, true},
		{"the spool cannot be believed", fails(errors.New("it is a symbolic link")), false, true},
		{"frames of the spool are missing", file(spoolOf(t, phase, command, phase)[len(spoolOf(t, phase, command)):]), false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			change := func(a *Attempt, _ *told) { a.Begun = tt.known }
			adopt(t, &box{spool: tt.spool}, change, func(res Result, _ time.Duration, _ string) {
				wantResult(t, res, wire.StatusFault, "agent_killed")
				if res.Begun != tt.begun || !res.Transient {
					t.Errorf("begun is %v, passing %v; want begun %v and passing", res.Begun, res.Transient, tt.begun)
				}
			})
		})
	}
}

func TestAPrefaceIsWrittenOnce(t *testing.T) {
	spool := file(spoolOf(t, wire.Log{Data: []byte("one\n")}, wire.Done{Status: wire.StatusSucceeded}))
	change := func(a *Attempt, _ *told) { a.Preface = "Attempt 2: attempt 1 ended by the machine's fault" }
	adopt(t, &box{spool: spool}, change, func(res Result, _ time.Duration, log string) {
		wantResult(t, res, wire.StatusSucceeded, "")
		if want := " Attempt 2: attempt 1 ended by the machine's fault\none\n"; len(log) < len(want) || log[len(log)-len(want):] != want {
			t.Errorf("the log is %q, want it to end with %q", log, want)
		}
	})
}
