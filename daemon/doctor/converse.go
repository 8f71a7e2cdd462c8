package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// keptLog is how much of a sandbox's log a finding repeats, in bytes.
const keptLog = 400

// converse gives a sandbox its job and reads frames until it is done. The last of its log comes with an error.
func converse(ctx context.Context, ex runner.Executor, id string) (log string, err error) {
	conn, err := ex.Attach(ctx, id)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	w, r := wire.NewWriter(conn), wire.NewAgentReader(conn)
	if err := errors.Join(w.Begin(), w.Send(1, wire.Hello{Protocol: wire.Protocol, Epoch: 1})); err != nil {
		return "", fmt.Errorf("greeting the agent: %w", err)
	}
	var said []byte
	for {
		f, err := r.Read()
		if ctx.Err() != nil {
			return tail(said), fmt.Errorf("it was not done in time: %w", ctx.Err())
		}
		if err != nil {
			return tail(said), fmt.Errorf("reading what the agent says: %w", err)
		}
		done, err := answer(f, w, ex.Paths(id).Source, &said)
		if done || err != nil {
			return tail(said), err
		}
	}
}

// answer takes one frame in. The job is sent for the welcome.
func answer(f wire.Frame, w *wire.Writer, source string, said *[]byte) (done bool, err error) {
	switch f.Kind {
	case wire.KindWelcome:
		return false, w.Send(2, wire.Job{
			Attempt: "doctor#1/build@1", Dir: source,
			Phases: []wire.Phase{{Name: wire.PhaseInstall}, {Name: wire.PhasePreBuild}, {Name: wire.PhaseBuild, Commands: []string{"test -f " + proof}}, {Name: wire.PhasePostBuild}},
			Limits: wire.Limits{TimeoutMillis: sandboxTime.Milliseconds(), GraceMillis: 500, LogBytes: 64 << 10},
		})
	case wire.KindRefused:
		return true, fmt.Errorf("the agent refuses the job: %s", f.Body)
	case wire.KindLog:
		var l wire.Log
		if wire.Decode(f, &l) == nil {
			*said = append(*said, l.Data...)
			*said = (*said)[max(0, len(*said)-2*keptLog):]
		}
	case wire.KindDone:
		var d wire.Done
		if err := wire.Decode(f, &d); err != nil {
			return true, err
		}
		if d.Status != wire.StatusSucceeded {
			return true, fmt.Errorf("its command ended %s (%s): %s", d.Status, d.Reason, d.Message)
		}
		return true, nil
	}
	return false, nil
}

// tail is the end of a log on one line.
func tail(log []byte) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(log), "?")), " ")
	return text[max(0, len(text)-keptLog):]
}
