package runner

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

func TestSecretsAreMaskedAgainOnReceipt(t *testing.T) {
	const secret = "hunter2-hunter2"
	st := newStore(t)
	ev := &told{}
	r := newTestRecorder(t, st, 0, ev)
	r.mask = newRemask([]string{secret})
	encoded := base64.StdEncoding.EncodeToString([]byte(secret))
	takeAll(t, r,
		wire.CommandBegan{Phase: wire.PhaseBuild, Text: "curl -u " + secret},
		wire.Log{Data: []byte("plain " + secret + "\nin pieces hunter2-")},
		wire.Log{Data: []byte("hun")},
		wire.Log{Data: []byte("ter2 and " + encoded[:7])},
		wire.Log{Data: []byte(encoded[7:] + "\n")},
		wire.PhaseEnded{Phase: wire.PhaseBuild, Status: wire.StatusFailed, Message: "said " + secret},
	)
	command, err := json.Marshal(r.progress)
	if err != nil || strings.Contains(string(command), secret) || !strings.Contains(string(command), "curl -u ***") {
		t.Errorf("progress tells %s, %v", command, err)
	}
	done, err := r.take(frame(t, r.last()+1, wire.Done{
		Status: wire.StatusFailed, Phase: wire.PhaseBuild, Message: "while " + secret, Exported: []wire.Var{{Name: "TOKEN", Value: "x" + secret}},
		Artifacts: &wire.Artifacts{File: wire.ArtifactsFile, Name: secret}, Reports: &wire.Reports{Groups: []wire.ReportGroup{{Name: secret}}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(done)
	if err != nil || strings.Contains(string(text), secret) || strings.Count(string(text), "***") != 4 {
		t.Errorf("the result tells %s, %v", text, err)
	}
	if err := r.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := readLog(t, st), "plain ***\nin pieces *** and ***\n"; got != want {
		t.Errorf("the log is %q, want %q", got, want)
	}
}

func TestWhatMayBeginASecretIsLostByNoCrash(t *testing.T) {
	const secret = "hunter2-hunter2"
	st := newStore(t)
	r := newTestRecorder(t, st, 0, &told{})
	r.mask = newRemask([]string{secret})
	takeAll(t, r, wire.Log{Data: []byte("one\n")}, wire.Log{Data: []byte("two hunter2-")})
	if err := r.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A daemon that is killed here has stored neither the frames nor that it has them.
	if state, err := st.LogState(logID); err == nil && state.LastFrame != 0 {
		t.Fatalf("frames up to %d count as stored", state.LastFrame)
	}
	r = newTestRecorder(t, st, 0, &told{})
	r.mask = newRemask([]string{secret})
	takeAll(t, r, wire.Log{Data: []byte("one\n")}, wire.Log{Data: []byte("two hunter2-")})
	// It is not held back for ever: no command prints the rest.
	r.mask.since = time.Now().Add(-holdMost)
	if err := r.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	takeAll(t, r, wire.Log{Data: []byte("\nthree\n")})
	if err := r.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := readLog(t, st), "one\ntwo hunter2-\nthree\n"; got != want {
		t.Errorf("the log is %q, want %q", got, want)
	}
}
