//go:build linux

package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

func openTestSpool(t *testing.T) (*spool, string) {
	t.Helper()
	dir := t.TempDir()
	s, _, err := openSpool(dir, func() {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s, filepath.Join(dir, wire.SpoolFile)
}

// numbers reads the frame numbers that a tail hands out until it has no more.
func numbers(t *testing.T, tl *tail) string {
	t.Helper()
	var all []string
	for {
		lines, _ := tl.next()
		if len(lines) == 0 {
			return strings.Join(all, " ")
		}
		r := wire.NewReader(bytes.NewReader(lines))
		for {
			f, err := r.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprint(f.Seq))
		}
		if r.Dropped() > 0 {
			t.Fatal("a tail handed out garbage")
		}
	}
}

func TestTailSurvivesTampering(t *testing.T) {
	add := func(s *spool, n int) {
		for range n {
			s.addLog([]byte("some output\n"))
		}
	}
	forged := func(seq uint64) []byte { return wire.AppendLog(nil, seq, []byte("forged")) }
	tests := []struct {
		name   string
		tamper func(t *testing.T, s *spool, path string)
		want   string // of what follows frame 3
	}{
		{"nothing", func(_ *testing.T, s *spool, _ string) { add(s, 2) }, "4 5"},
		{"truncated", func(t *testing.T, s *spool, path string) { truncate(t, path, 0); add(s, 2) }, "4 5"},
		{"truncated in mid-line", func(t *testing.T, s *spool, path string) { truncate(t, path, 50); add(s, 2) }, "5"},
		{"truncated after more", func(t *testing.T, s *spool, path string) { add(s, 2); truncate(t, path, 0); add(s, 1) }, "6"},
		{"garbage", func(t *testing.T, s *spool, path string) { appendTo(t, path, []byte("\x00garbage\n")); add(s, 2) }, "4 5"},
		{"half a line of garbage", func(t *testing.T, s *spool, path string) { appendTo(t, path, []byte("garbage")); add(s, 2) }, "5"},
		{"a frame from the past", func(t *testing.T, s *spool, path string) { appendTo(t, path, forged(2)); add(s, 2) }, "4 5"},
		{"a frame from the future", func(t *testing.T, s *spool, path string) { appendTo(t, path, forged(1000)); add(s, 2) }, "4 5"},
		{"the file is gone", func(t *testing.T, s *spool, path string) { remove(t, path); add(s, 2) }, "4 5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, path := openTestSpool(t)
			add(s, 3)
			tl := newTail(s, 0)
			if got := numbers(t, tl); got != "1 2 3" {
				t.Fatalf("first %s", got)
			}
			tt.tamper(t, s, path)
			if got := numbers(t, tl); got != tt.want {
				t.Errorf("then %q, want %q", got, tt.want)
			}
		})
	}
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func appendTo(t *testing.T, path string, data []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
}

func TestALateTailReadsFromAMark(t *testing.T) {
	s, _ := openTestSpool(t)
	for range 200 {
		s.addLog(bytes.Repeat([]byte("x"), 30_000))
	}
	tl := newTail(s, 150)
	if tl.off == 0 {
		t.Error("it begins at the start of the file")
	}
	if got := numbers(t, tl); !strings.HasPrefix(got, "151 152 ") || !strings.HasSuffix(got, " 199 200") {
		t.Errorf("got %s", got)
	}
}

func TestTheLastFrameIsHeldBackUntilItIsDurable(t *testing.T) {
	s, _ := openTestSpool(t)
	s.addLog([]byte("x"))
	s.held = true
	s.add(wire.Done{Status: wire.StatusSucceeded})
	tl := newTail(s, 0)
	if got := numbers(t, tl); got != "1" {
		t.Errorf("before: %q", got)
	}
	if got := numbers(t, tl); got != "" {
		t.Errorf("asked again: %q", got)
	}
	s.held, s.inFile = false, s.seq
	if got := numbers(t, tl); got != "2" {
		t.Errorf("after: %q", got)
	}
}

func TestASpoolThatIsNoFileIsRefused(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"symbolic link": func(path string) error { return os.Symlink("/etc/passwd", path) },
		"FIFO":          func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"directory":     func(path string) error { return os.Mkdir(path, 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := make(filepath.Join(dir, wire.SpoolFile)); err != nil {
				t.Fatal(err)
			}
			if s, _, err := openSpool(dir, func() {}); err == nil {
				s.close()
				t.Error("it was opened")
			}
		})
	}
}

func TestAFullDiskEndsTheJobAsAFault(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a small file system can only be mounted by root")
	}
	s := newSandbox(t)
	if err := syscall.Mount("small", s.spool, "tmpfs", 0, "size=256k"); err != nil {
		t.Skip("no file system can be mounted here: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(s.spool, 0); err != nil {
			t.Error(err)
		}
	})
	s.start()
	s.send(hello, s.job("yes | head -c 1000000; sleep 60"))
	var res result
	r := wire.NewReader(s.out)
	for res.done.Status == "" {
		f, err := r.Read()
		if err != nil {
			t.Fatalf("the last word was not sent: %v", err)
		}
		res.add(t, f)
	}
	if res.done.Status != wire.StatusFault || !strings.Contains(res.done.Message, "no space left") {
		t.Errorf("ended %+v", res.done)
	}
	if status := s.wait(); status != 1 {
		t.Errorf("exit status %d", status)
	}
}

func TestAnAgentStartedAgainSaysWhatBecameOfTheJob(t *testing.T) {
	s := newSandbox(t).start()
	s.send(hello, s.job("echo ready; sleep 60"))
	awaitText(t, s, "ready\n")
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	s.wait()
	s.start()
	s.send(wire.Hello{Protocol: wire.Protocol, Epoch: 2, LastFrame: 0})
	res := s.readAll(s.out)
	if res.done.Status != wire.StatusFault || res.done.Reason != "agent_restarted" || !strings.Contains(res.log, "ready\n") {
		t.Errorf("ended %+v with the log %q", res.done, res.log)
	}
	if status := s.wait(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	// A third one only tells it again.
	s.start()
	s.send(wire.Hello{Protocol: wire.Protocol, Epoch: 3, LastFrame: 0})
	if again := s.readAll(s.out); !equalFrames(again.frames, res.frames) {
		t.Errorf("told %d frames, then %d", len(res.frames), len(again.frames))
	}
	s.wait()
}

func TestAReaderThatIsGoneDoesNotEndTheJob(t *testing.T) {
	s := newSandbox(t).start()
	s.send(hello, s.job("echo ready", "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i 0123456789012345678901234567890123456789; done"))
	awaitText(t, s, "ready\n")
	s.out.Close()
	s.in.Close()
	if status := s.wait(); status != 0 {
		t.Fatalf("exit status %d: %s", status, &s.errs)
	}
	if res := s.spooled(); res.done.Status != wire.StatusSucceeded || !strings.Contains(res.log, "\n3000 ") {
		t.Errorf("ended %+v", res.done)
	}
}

func TestANewHelloCutsAStalledReaderShort(t *testing.T) {
	s := newSandbox(t).start()
	s.send(hello, s.job("i=0; while [ $i -lt 9000 ]; do i=$((i+1)); echo $i 0123456789012345678901234567890123456789; done", "echo waiting; sleep 0.5"))
	awaitText(t, s, "\nwaiting\n") // by now the pipe is full and nobody reads
	s.send(wire.Hello{Protocol: wire.Protocol, Epoch: 2, LastFrame: 0})
	r := wire.NewReader(s.out)
	var res result
	for greeted := false; res.done.Status == ""; {
		f, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		var w wire.Welcome
		if f.Kind == wire.KindWelcome && wire.Decode(f, &w) == nil && w.Epoch == 2 {
			greeted = true
			continue
		}
		if greeted && f.Seq > 0 {
			if want := uint64(len(res.frames) + 1); f.Seq != want {
				t.Fatalf("frame %d where %d belongs", f.Seq, want)
			}
			res.add(t, f)
		}
	}
	if !strings.Contains(res.log, "\n9000 ") {
		t.Error("the log is not whole")
	}
	s.wait()
}

func TestWithoutAJobThereIsNothingToDo(t *testing.T) {
	t.Run("the way in closes", func(t *testing.T) {
		s := newSandbox(t).start()
		s.in.Close()
		if status := s.wait(); status != 1 || !strings.Contains(s.errs.String(), "before a job came") {
			t.Errorf("exit status %d: %s", status, &s.errs)
		}
	})
	t.Run("stop", func(t *testing.T) {
		s := newSandbox(t).start()
		s.send(hello, wire.Stop{Status: wire.StatusStopped, Reason: "superseded"})
		res := s.readAll(s.out)
		if s.wait() != 0 || res.done.Status != wire.StatusStopped || res.done.Reason != "superseded" {
			t.Errorf("ended %+v", res.done)
		}
	})
	t.Run("SIGTERM", func(t *testing.T) {
		s := newSandbox(t).start()
		s.send(hello)
		if _, err := wire.NewReader(s.out).Read(); err != nil {
			t.Fatal(err)
		}
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if status := s.wait(); status != 1 {
			t.Errorf("exit status %d", status)
		}
	})
}

func TestGarbageOnTheWayInIsPassedOver(t *testing.T) {
	s := newSandbox(t).start()
	if _, err := io.WriteString(s.in, "garbage\n\x00\xff\nr1 1 job 00000000 {}\nr1 2 he"); err != nil {
		t.Fatal(err)
	}
	s.send(hello, s.job("echo fine"))
	done := make(chan result, 1)
	go func() { done <- s.readAll(s.out) }()
	select {
	case res := <-done:
		if res.done.Status != wire.StatusSucceeded {
			t.Errorf("ended %+v", res.done)
		}
	case <-time.After(patience):
		t.Fatal("no answer")
	}
}
