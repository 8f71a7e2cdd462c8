//go:build linux

package agent

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// awaitFrames waits until the spool holds n frames of a kind.
func awaitFrames(t *testing.T, s *sandbox, kind wire.Kind, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(s.spool, wire.SpoolFile)); err == nil && countKind(s.spooled(), kind) >= n {
			return
		}
	}
	t.Fatalf("there never were %d frames of kind %s\n%s", n, kind, s.spooled().log)
}

func countKind(res result, kind wire.Kind) int {
	n := 0
	for _, f := range res.frames {
		if f.Kind == kind {
			n++
		}
	}
	return n
}

// resumeTool runs codebuild-resume as a shell that was opened from outside does, without the job's variables.
func resumeTool(t *testing.T, s *sandbox) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(s.home, "user/bin/codebuild-resume"))
	cmd.Env = []string{raceExit}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("codebuild-resume: %v: %s", err, out)
	}
	return string(out)
}

func TestABreakpointHoldsTheBuild(t *testing.T) {
	s := newSandbox(t)
	job := s.job("echo before; codebuild-breakpoint; echo after $?", "codebuild-breakpoint; echo on")
	job.Debug = true
	s.start()
	s.send(hello, job)
	awaitText(t, s, "before\n")
	awaitFrames(t, s, wire.KindPaused, 1)
	if res := s.spooled(); strings.Contains(res.log, "after 0") || !strings.Contains(res.log, "runner resume api#1\n") ||
		!strings.Contains(res.log, s.home+"/user/bin/codebuild-resume") || !strings.Contains(res.log, "time limit goes on counting") {
		t.Errorf("while it waits the log is\n%s", res.log)
	}
	if out := resumeTool(t, s); !strings.Contains(out, "the build goes on (1 ") {
		t.Errorf("codebuild-resume says %q", out)
	}
	awaitFrames(t, s, wire.KindPaused, 2)
	s.send(hello, wire.Resume{By: "ann, late", Pause: 1}, wire.Resume{By: "ann", Pause: 2}) // what was meant for the first ends no other
	if status := s.wait(); status != 0 {
		t.Fatalf("exit status %d: %s", status, &s.errs)
	}
	res := s.spooled()
	if strings.Contains(res.log, "late") || res.output() != "before\nafter 0\non\n" || res.done.Status != wire.StatusSucceeded || !strings.Contains(res.log, "resumed by ann") {
		t.Errorf("printed %q, ended %+v\n%s", res.output(), res.done, res.log)
	}
	kinds := slices.DeleteFunc(res.frames, func(f wire.Frame) bool { return f.Kind != wire.KindPaused && f.Kind != wire.KindResumed })
	for i, want := range []wire.Kind{wire.KindPaused, wire.KindResumed, wire.KindPaused, wire.KindResumed} {
		if i >= len(kinds) || kinds[i].Kind != want {
			t.Fatalf("frame %d of the breakpoints is not %s: %v", i, want, kinds)
		}
	}
}

func TestTwoBreakpointsAtOnceAreBothReleased(t *testing.T) {
	s := newSandbox(t)
	job := s.job("codebuild-breakpoint & codebuild-breakpoint & touch both; wait; echo on")
	job.Debug = true
	s.start()
	s.send(hello, job)
	awaitFrames(t, s, wire.KindPaused, 1)
	for released := 0; released < 2; time.Sleep(20 * time.Millisecond) {
		out := resumeTool(t, s)
		released += strings.Count(out, "(1 ") + 2*strings.Count(out, "(2 ")
	}
	if status := s.wait(); status != 0 || s.spooled().output() != "on\n" {
		t.Errorf("exit status %d, printed %q", status, s.spooled().output())
	}
}

func TestABreakpointThatIsKilledHoldsNothing(t *testing.T) {
	s := newSandbox(t)
	job := s.job("codebuild-breakpoint & pid=$!; until [ -e go ]; do sleep 0.01; done; kill $pid; wait $pid; echo $?; until [ -e on ]; do sleep 0.01; done")
	job.Debug = true
	s.start()
	s.send(hello, job)
	awaitFrames(t, s, wire.KindPaused, 1)
	touch := func(name string) {
		if err := syscall.Mkfifo(filepath.Join(s.src, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	touch("go")
	awaitFrames(t, s, wire.KindResumed, 1)
	if out := resumeTool(t, s); !strings.Contains(out, "nothing waits") {
		t.Errorf("codebuild-resume says %q", out)
	}
	touch("on")
	if status := s.wait(); status != 0 || !strings.HasSuffix(s.spooled().output(), "143\n") { // dash says "Terminated" first
		t.Errorf("exit status %d, printed %q", status, s.spooled().output())
	}
}

func TestAStopEndsABreakpoint(t *testing.T) {
	s := newSandbox(t)
	job := s.job("codebuild-breakpoint; echo on")
	job.Debug = true
	s.start()
	s.send(hello, job)
	awaitFrames(t, s, wire.KindPaused, 1)
	s.send(hello, wire.Stop{Status: wire.StatusStopped, Reason: "stopped", GraceMillis: 200})
	if status := s.wait(); status != 0 {
		t.Fatalf("exit status %d: %s", status, &s.errs)
	}
	if res := s.spooled(); res.done.Status != wire.StatusStopped || strings.Contains(res.output(), "on\n") {
		t.Errorf("ended %+v, printed %q", res.done, res.output())
	}
}

func TestWithoutASessionBreakpointsAreIgnored(t *testing.T) {
	s := newSandbox(t)
	res := s.run(s.job("codebuild-breakpoint && codebuild-resume && echo on"))
	if out := res.output(); strings.Count(out, "without a debug session") != 2 || !strings.HasSuffix(out, "on\n") || countKind(res, wire.KindPaused) != 0 {
		t.Errorf("printed %q", out)
	}
}

// TestBreakpointsBearCrowds connects more often than there are places: the build goes on all the same.
func TestBreakpointsBearCrowds(t *testing.T) {
	s := newSandbox(t)
	job := s.job("until [ -e go ]; do sleep 0.01; done; codebuild-breakpoint; echo on")
	job.Debug = true
	s.start()
	s.send(hello, job)
	awaitText(t, s, "Running command")
	var crowd []*os.File
	for range 2 * maxConnections {
		conn, err := dialUnix(filepath.Join(s.home, tempDir, breakpointFile))
		if err != nil {
			break // the queue of the socket is full
		}
		crowd = append(crowd, conn)
		_, _ = conn.WriteString(askPause + "\n")
	}
	awaitFrames(t, s, wire.KindPaused, 1)
	for _, conn := range crowd {
		conn.Close()
	}
	awaitFrames(t, s, wire.KindResumed, 1)
	if err := os.WriteFile(filepath.Join(s.src, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for out := ""; !strings.Contains(out, "goes on"); time.Sleep(20 * time.Millisecond) {
		out = resumeTool(t, s)
	}
	if status := s.wait(); status != 0 || s.spooled().output() != "on\n" {
		t.Errorf("exit status %d, printed %q", status, s.spooled().output())
	}
}
