//go:build linux

package agent

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

func TestPhaseTransitions(t *testing.T) {
	const (
		ok   = "SUCCEEDED"
		fail = "FAILED"
	)
	tests := []struct {
		name      string
		fails     string // the phase whose command fails
		onFailure string
		phases    string
	}{
		{"all well", "", "", "INSTALL SUCCEEDED, PRE_BUILD SUCCEEDED, BUILD SUCCEEDED, POST_BUILD SUCCEEDED, UPLOAD_ARTIFACTS SUCCEEDED"},
		{"INSTALL fails", "INSTALL", "", "INSTALL FAILED"},
		{"INSTALL fails, ABORT", "INSTALL", "ABORT", "INSTALL FAILED"},
		{"INSTALL fails, CONTINUE", "INSTALL", "CONTINUE", "INSTALL FAILED, PRE_BUILD SUCCEEDED, BUILD SUCCEEDED, POST_BUILD SUCCEEDED, UPLOAD_ARTIFACTS SUCCEEDED"},
		{"PRE_BUILD fails", "PRE_BUILD", "", "INSTALL SUCCEEDED, PRE_BUILD FAILED"},
		{"PRE_BUILD fails, CONTINUE", "PRE_BUILD", "CONTINUE", "INSTALL SUCCEEDED, PRE_BUILD FAILED, BUILD SUCCEEDED, POST_BUILD SUCCEEDED, UPLOAD_ARTIFACTS SUCCEEDED"},
		{"BUILD fails", "BUILD", "", "INSTALL SUCCEEDED, PRE_BUILD SUCCEEDED, BUILD FAILED, POST_BUILD SUCCEEDED, UPLOAD_ARTIFACTS SUCCEEDED"},
		{"BUILD fails, ABORT", "BUILD", "ABORT", "INSTALL SUCCEEDED, PRE_BUILD SUCCEEDED, BUILD FAILED"},
		{"POST_BUILD fails", "POST_BUILD", "", "INSTALL SUCCEEDED, PRE_BUILD SUCCEEDED, BUILD SUCCEEDED, POST_BUILD FAILED, UPLOAD_ARTIFACTS SUCCEEDED"},
		{"POST_BUILD fails, ABORT", "POST_BUILD", "ABORT", "INSTALL SUCCEEDED, PRE_BUILD SUCCEEDED, BUILD SUCCEEDED, POST_BUILD FAILED"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			job := s.job()
			job.Phases = nil
			for _, name := range []string{"INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD"} {
				phase := wire.Phase{Name: name, Commands: []string{`echo "succeeding $CODEBUILD_BUILD_SUCCEEDING"`}}
				if name == tt.fails {
					phase.Commands = append(phase.Commands, "exit 7", "echo never")
					phase.Finally = []string{`echo "finally $CODEBUILD_BUILD_SUCCEEDING"; false`, "echo all of finally"}
					phase.OnFailure = tt.onFailure
				}
				job.Phases = append(job.Phases, phase)
			}
			res := s.run(job)
			if res.summary() != tt.phases {
				t.Errorf("phases\n%s, want\n%s", res.summary(), tt.phases)
			}
			if tt.fails == "" {
				if res.done.Status != ok || strings.Contains(res.log, "succeeding 0") {
					t.Errorf("ended %+v", res.done)
				}
				return
			}
			if res.done.Status != fail || res.done.Exit != 7 || res.done.Phase != tt.fails || res.done.Reason != "command_failed" {
				t.Errorf("ended %+v", res.done)
			}
			_, after, _ := strings.Cut(res.output(), "finally 0\n")
			if !strings.HasPrefix(after, "all of finally\n") || strings.Contains(res.output(), "never") || strings.Contains(after, "succeeding 1") {
				t.Errorf("printed %q", res.output())
			}
		})
	}
}

func TestFinallyDecidesToo(t *testing.T) {
	s := newSandbox(t)
	job := s.job("echo fine")
	job.Phases[0].Finally = []string{"exit 4"}
	res := s.run(job)
	if res.done.Status != wire.StatusFailed || res.done.Exit != 4 {
		t.Errorf("ended %+v", res.done)
	}
}

func TestTheEnvironmentOfCommands(t *testing.T) {
	s := newSandbox(t)
	job := s.job(
		`echo "$A|$B|$CODEBUILD_SRC_DIR|$PWD|$RUNNER_SHARD_INDEX/$RUNNER_SHARD_COUNT|$CODEBUILD_BUILD_SUCCEEDING"`,
		`command -v codebuild-tests-run; command -v codebuild-glob-search`,
	)
	job.Env = []wire.Var{{Name: "A", Value: "first"}, {Name: "B", Value: "$HOME literal\n2"}, {Name: "A", Value: "later wins"}, {Name: "bad=name", Value: "x"}}
	job.Shard = wire.Shard{Index: 2, Count: 4}
	res := s.run(job)
	want := "later wins|$HOME literal\n2|" + s.src + "|" + s.src + "|2/4|1\n" + s.home + "/user/bin/codebuild-tests-run\n" + s.home + "/user/bin/codebuild-glob-search\n"
	if res.output() != want {
		t.Errorf("printed %q, want %q", res.output(), want)
	}
}

func TestSecretsAreMaskedWhereverTheyShow(t *testing.T) {
	s := newSandbox(t)
	const secret = "hunter2-is-secret"
	job := s.job(
		"printf 'hunter2'; sleep 0.05; printf -- '-is-'; sleep 0.05; echo secret",
		`echo "$SECRET" | base64; echo hunter2-is-secret; echo "$KEY"`,
		"printf hunter2-is",
		"echo hunter2-is-secret; exit 1",
	)
	job.Secrets = []string{secret, "line one\nline two"}
	job.Env = []wire.Var{{Name: "SECRET", Value: secret}, {Name: "KEY", Value: "line one\nline two"}}
	res := s.run(job)
	if want := "***\n***\n***\n***\nhunter2-is\n***\n"; res.output() != want {
		t.Errorf("printed %q, want %q", res.output(), want)
	}
	spool, err := os.ReadFile(filepath.Join(s.spool, wire.SpoolFile))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(spool, []byte(secret)) || strings.Contains(res.log, secret) || strings.Contains(res.done.Message, secret) {
		t.Error("the secret is in the record")
	}
	err = filepath.WalkDir(s.home, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("the secret rests in %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

const stubborn = `trap '' TERM; (trap '' TERM; while :; do sleep 0.05; echo beat >>beats; done) & setsid sleep 60 & echo ready; while :; do sleep 1; done`

func TestStopEndsEveryProcess(t *testing.T) {
	for _, how := range []string{"stop", "SIGTERM", "time limit"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			job := s.job(stubborn)
			job.Phases[0].Finally = []string{"echo finally"}
			job.Phases = append(job.Phases, wire.Phase{Name: "POST_BUILD", Commands: []string{"echo post"}})
			want, reason := wire.StatusStopped, "stopped"
			if how == "time limit" {
				job.Limits.TimeoutMillis = 700
				want, reason = wire.StatusTimedOut, "timeout"
			}
			s.start()
			s.send(hello, job)
			awaitText(t, s, "ready\n")
			switch how {
			case "stop":
				reason = "superseded"
				s.send(wire.Stop{Status: wire.StatusStopped, Reason: reason, GraceMillis: 100})
			case "SIGTERM":
				want, reason = wire.StatusFault, "sandbox_lost" // nobody of ours stops a job like that
				if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
			}
			go io.Copy(io.Discard, s.out)
			if status := s.wait(); status != 0 {
				t.Fatalf("exit status %d: %s", status, &s.errs)
			}
			res := s.spooled()
			if res.done.Status != want || res.done.Reason != reason || res.done.Phase != "BUILD" {
				t.Errorf("ended %+v", res.done)
			}
			if strings.Contains(res.output(), "finally") || strings.Contains(res.output(), "post") {
				t.Errorf("printed %q", res.output())
			}
			nothingBeats(t, s)
		})
	}
}

// nothingBeats tells that the process which wrote to beats has ended.
func nothingBeats(t *testing.T, s *sandbox) {
	t.Helper()
	beats := filepath.Join(s.src, "beats")
	before, _ := os.ReadFile(beats)
	time.Sleep(150 * time.Millisecond)
	if after, _ := os.ReadFile(beats); len(before) == 0 || len(after) != len(before) {
		t.Errorf("a process of the job still runs, or never did: %d, then %d bytes", len(before), len(after))
	}
}

// awaitText waits until the spool's log holds text.
func awaitText(t *testing.T, s *sandbox, text string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(s.spool, wire.SpoolFile)); err == nil && strings.Contains(s.spooled().log, text) {
			return
		}
	}
	t.Fatalf("the log never held %q", text)
}

func TestLogLimit(t *testing.T) {
	s := newSandbox(t)
	job := s.job("yes 0123456789 | head -c 3000000", "echo more", "echo $CODEBUILD_BUILD_SUCCEEDING >flag")
	job.Limits.LogBytes = 1 << 20
	res := s.run(job)
	if res.done.Status != wire.StatusSucceeded || res.done.Reason != "" {
		t.Errorf("ended %+v", res.done)
	}
	if n := strings.Count(res.log, "Log limit of 1048576 bytes reached"); n != 1 {
		t.Errorf("the limit is told %d times", n)
	}
	if n := len(res.output()); n < 1<<20-4096 || n > 1<<20 {
		t.Errorf("%d bytes of output were kept, of a limit of %d", n, 1<<20)
	}
	info, err := os.Stat(filepath.Join(s.spool, wire.SpoolFile))
	if err != nil || info.Size() > (1<<20+logReserve)*4/3+64<<10 {
		t.Errorf("the spool has %d bytes, %v", info.Size(), err)
	}
	if flag, err := os.ReadFile(filepath.Join(s.src, "flag")); err != nil || string(flag) != "1\n" {
		t.Errorf("the job did not go on: %q, %v", flag, err)
	}
}

func TestManySmallWritesKeepTheSpoolWithinItsLimit(t *testing.T) {
	s := newSandbox(t)
	job := s.job("i=0; while [ $i -lt 400 ]; do i=$((i+1)); printf x; sleep 0; done; :", "printf 'a'", "printf 'b'")
	job.Limits.LogBytes = 4 << 10
	s.run(job)
	info, err := os.Stat(filepath.Join(s.spool, wire.SpoolFile))
	if err != nil || info.Size() > (4<<10+logReserve)*4/3+64<<10 {
		t.Errorf("the spool has %d bytes, %v", info.Size(), err)
	}
}

func TestOneLineOf20Megabytes(t *testing.T) {
	s := newSandbox(t)
	res := s.run(s.job("head -c 20000000 /dev/zero | tr '\\0' x"))
	if n := strings.Count(res.log, "x"); res.done.Status != wire.StatusSucceeded || n < 20_000_000 {
		t.Errorf("%d of 20000000 bytes arrived, ended %+v", n, res.done)
	}
}

func TestAJobThatMakesNoSenseIsAFault(t *testing.T) {
	s := newSandbox(t)
	for name, change := range map[string]func(*wire.Job){
		"unknown phase": func(j *wire.Job) { j.Phases[0].Name = "DEPLOY" },
		"out of order":  func(j *wire.Job) { j.Phases = append(j.Phases, wire.Phase{Name: "INSTALL"}) },
		"twice":         func(j *wire.Job) { j.Phases = append(j.Phases, j.Phases[0]) },
		"on-failure":    func(j *wire.Job) { j.Phases[0].OnFailure = "PANIC" },
		"no retry":      func(j *wire.Job) { j.Phases[0].OnFailure = "RETRY" },
		"bad pattern": func(j *wire.Job) {
			j.Phases[0].OnFailure, j.Phases[0].Retry = "RETRY", &wire.Retry{Count: 1, Pattern: "(?=x)"}
		},
		"relative":    func(j *wire.Job) { j.Dir = "src" },
		"no such dir": func(j *wire.Job) { j.Dir = "/no/such/directory" },
	} {
		t.Run(name, func(t *testing.T) {
			s = newSandbox(t)
			job := s.job("echo ran")
			change(&job)
			res := s.run(job)
			if res.done.Status != wire.StatusFault || res.done.Reason != "agent_error" || res.done.Message == "" || strings.Contains(res.output(), "ran") {
				t.Errorf("ended %+v", res.done)
			}
		})
	}
}
