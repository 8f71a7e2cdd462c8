//go:build linux

package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// TestAHostileClientOfTheTestsSocket: what a job says to the socket is refused, cut off or forgotten, and the next call is
// served as if nothing had happened.
func TestAHostileClientOfTheTestsSocket(t *testing.T) {
	s := newSandbox(t)
	k := s.talkTo(s.sharded("echo $RUNNER_TESTS >at.new; mv at.new at; while [ ! -e go ]; do sleep 0.05; done", runShards+"true"))
	var at string
	for deadline := time.Now().Add(20 * time.Second); at == ""; time.Sleep(20 * time.Millisecond) {
		text, _ := os.ReadFile(filepath.Join(s.src, "at"))
		if at = strings.TrimSpace(string(text)); time.Now().After(deadline) {
			t.Fatal("the job does not say where the socket is")
		}
	}
	join := func(strategy string, bytes int) string {
		return fmt.Sprintf("{\"join\":{\"strategy\":%q,\"bytes\":%d}}\n", strategy, bytes)
	}
	for _, says := range []string{
		"", "\n", "garbage\n", "{\n", "{}\n", "null\n", "[]\n", "{\"take\":true}\n", "{\"done\":{\"token\":1}}\n", "half a line",
		join("queue", -1), join("queue", 0), join("queue", 1<<40), join("queue", 100) + "short",
		join("queue", 4) + "b\na\n", join("queue", 3) + "a\n\n", join("queue", 2) + "ab", strings.Repeat("[", 1<<20) + "\n",
	} {
		conn, err := dialUnix(at)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.WriteString(says)
		conn.Close() // without reading
	}
	t.Run("a line without end", func(t *testing.T) {
		conn, err := dialUnix(at)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetWriteDeadline(time.Now().Add(20 * time.Second))
		sent, piece := 0, make([]byte, 1<<20)
		for ; sent < 1<<30; sent += len(piece) {
			if _, err = conn.Write(piece); err != nil {
				break
			}
		}
		if err == nil || sent > 2*maxShardLine {
			t.Errorf("the agent took %d MiB: %v", sent>>20, err)
		}
	})
	var open []*os.File
	for range 500 {
		if conn, err := dialUnix(at); err == nil {
			open = append(open, conn)
		}
	}
	for _, conn := range open {
		conn.Close()
	}
	time.Sleep(200 * time.Millisecond)
	if err := os.WriteFile(filepath.Join(s.src, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	req, _ := k.joined(wire.TestsAnswer{Strategy: wire.StrategyQueue})
	if want := (wire.TestCall{Phase: wire.PhaseBuild, Command: 1}); req.Call != want {
		t.Errorf("the call is %+v, want %+v: what was refused is no call", req.Call, want)
	}
	k.gave(wire.TestsAnswer{Over: true})
	if printed := k.end().output(); !strings.Contains(printed, "nothing was left for this one") {
		t.Errorf("the call did not end well:\n%s", printed)
	}
}
