//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeEngine makes this test binary stand for dockerd: it answers at the socket that its argument names.
const fakeEngine = "RUNNER_TEST_AS_ENGINE"

// actAsEngine answers as an engine does that needs a moment to be ready, or ends at once.
func actAsEngine(how string) int {
	fmt.Println("level=info msg=\"Starting up\"")
	socket := strings.TrimPrefix(os.Args[1], "--host=unix://")
	if how == "broken" {
		fmt.Println("failed to start daemon: no iptables")
		return 3
	}
	listener, err := listenUnix(socket)
	if err != nil {
		fmt.Println(err)
		return 4
	}
	go func() { // until the test has removed its directory
		for {
			if _, err := os.Lstat(socket); err != nil {
				os.Exit(0)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	for n := 0; ; n++ {
		conn, err := accept(listener)
		if err != nil {
			return 5
		}
		answer := "HTTP/1.0 200 OK\r\n\r\nOK"
		if n < 2 {
			answer = "HTTP/1.0 503 Service Unavailable\r\n\r\n"
		}
		_, _ = conn.Read(make([]byte, 4096)) // who closes before the question came breaks the asker's pipe
		if how != "mute" {
			_, _ = conn.WriteString(answer)
		}
		conn.Close()
	}
}

func TestTheJobsOwnEngineIsWaitedFor(t *testing.T) {
	for _, tt := range []struct{ how, says string }{
		{"well", "answers on"},
		{"broken", "cannot be used: it ended with exit status 3; the build goes on without it\ndockerd: level=info msg=\"Starting up\"\ndockerd: failed to start daemon: no iptables\n"},
		{"mute", "does not answer after 500ms"},
	} {
		t.Run(tt.how, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), strings.Repeat("a-long-path/", 9))
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errors.New("the test takes too long"))
			defer cancel()
			var said strings.Builder
			e := &engine{
				program: self, socket: filepath.Join(dir, "docker.sock"), logFile: filepath.Join(dir, "log"),
				env: []string{fakeEngine + "=" + tt.how, raceExit}, limit: patience, reaper: ownReaper(t),
				say: func(format string, args ...any) { fmt.Fprintf(&said, format+"\n", args...) },
			}
			if tt.how == "mute" {
				e.limit = 500 * time.Millisecond
			}
			e.args = []string{"dockerd", "--host=unix://" + e.socket}
			e.start(ctx)
			if !strings.Contains(said.String(), tt.says) {
				t.Errorf("said %q, want %q in it", said.String(), tt.says)
			}
			if err := ping(e.socket); (err == nil) != (tt.how == "well") {
				t.Errorf("afterwards the engine answers %v", err)
			}
		})
	}
}
