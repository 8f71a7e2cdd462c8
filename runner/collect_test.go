package runner

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// without is a spool that lacks the lines numbered from and up to to.
func without(spool []byte, from, to int) []byte {
	lines := bytes.SplitAfter(spool, []byte("\n"))
	return bytes.Join(append(lines[:from-1:from-1], lines[to:]...), nil)
}

// A full disk takes no more frames, and is no fault of the job's.
func TestOnlyAJobsOwnResultIsDoubtedForGaps(t *testing.T) {
	tests := []struct {
		done    wire.Done
		status  wire.Status
		reason  string
		message string
	}{
		{wire.Done{Status: wire.StatusSucceeded}, wire.StatusFailed, "spool_damaged", "2 pieces of the job's record are missing: something in the job"},
		{wire.Done{Status: wire.StatusFailed, Reason: "command_failed"}, wire.StatusFailed, "spool_damaged", "2 pieces of the job's record are missing: something in the job"},
		{wire.Done{Status: wire.StatusFault, Reason: "agent_error", Message: "the disk is full"}, wire.StatusFault, "agent_error", "the disk is full; 2 pieces of the job's record are missing"},
		{wire.Done{Status: wire.StatusTimedOut, Reason: "timeout", Message: "too long"}, wire.StatusTimedOut, "timeout", "too long; 2 pieces"},
		{wire.Done{Status: wire.StatusStopped, Reason: "stopped"}, wire.StatusStopped, "stopped", "2 pieces"},
	}
	for _, tt := range tests {
		t.Run(string(tt.status)+" "+tt.reason, func(t *testing.T) {
			spool := spoolOf(t, wire.Log{Data: []byte("one\n")}, wire.Log{Data: []byte("two\n")}, wire.Log{Data: []byte("three\n")}, tt.done)
			adopt(t, &box{spool: file(without(spool, 2, 3))}, nil, func(res Result, _ time.Duration, _ string) {
				wantResult(t, res, tt.status, tt.reason)
				if !strings.HasPrefix(res.Message, tt.message) {
					t.Errorf("the message is %q, want it to begin with %q", res.Message, tt.message)
				}
			})
		})
	}
}

// packed is a tar of one file.
func packed(t *testing.T, name string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: 4, Typeflag: tar.TypeReg})
	if err == nil {
		_, err = w.Write([]byte("text"))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestArtifactsThatCannotBeTakenIn(t *testing.T) {
	good := packed(t, "a.txt")
	succeeded := wire.Done{Status: wire.StatusSucceeded, Artifacts: &wire.Artifacts{File: wire.ArtifactsFile, Files: 1}}
	failed := succeeded
	failed.Status, failed.Reason, failed.Message = wire.StatusFailed, "command_failed", "make failed"
	tests := []struct {
		name    string
		done    wire.Done
		tar     opener
		set     string // id of a set that the store refuses
		stop    bool
		status  wire.Status
		reason  string
		message string
	}{
		{"good", succeeded, file(good), "", false, wire.StatusSucceeded, "", ""},
		{"the engine comes back", succeeded, after(fails(errDown), fails(errDown), broken(good[:100], io.ErrUnexpectedEOF), file(good)), "", false, wire.StatusSucceeded, "", ""},
		{"the engine is down for good", succeeded, fails(errDown), "", false, wire.StatusFault, "engine_unavailable", "start the engine"},
		{"stopped while the engine is down", succeeded, fails(errDown), "", true, wire.StatusFault, "engine_unavailable", "start the engine"},
		{"the disk fails for good", succeeded, broken(good[:100], syscall.EIO), "", false, wire.StatusFault, "spool_unreadable", "input/output error"},
		{"the sandbox is gone", succeeded, fails(ErrNoSandbox), "", false, wire.StatusFault, "sandbox_lost", "no such sandbox"},
		{"the store refuses", succeeded, file(good), strings.Repeat("x", 1<<12), false, wire.StatusFault, "store", "could not store"},
		{"none", succeeded, nil, "", false, wire.StatusFailed, "artifacts", "announced 1 files and left none"},
		{"a symbolic link", succeeded, fails(errors.New("it is a symbolic link")), "", false, wire.StatusFailed, "artifacts", "it is a symbolic link"},
		{"a bad name", succeeded, file(packed(t, "../../etc/passwd")), "", false, wire.StatusFailed, "artifacts", "refused"},
		{"half", succeeded, file(good[:514]), "", false, wire.StatusFailed, "artifacts", "ends in the middle"},
		{"of a failed job", failed, file(good), "", false, wire.StatusFailed, "command_failed", "make failed"},
		{"a bad name in a failed job's", failed, file(packed(t, "../../etc/passwd")), "", false, wire.StatusFailed, "command_failed", "make failed; the artifacts could not be taken in: "},
		{"the store refuses a failed job's", failed, file(good), strings.Repeat("x", 1<<12), false, wire.StatusFailed, "command_failed", "make failed; the artifacts could not be taken in: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stop := stopAfter(tt.stop, 10*time.Second)
			change := func(a *Attempt, ev *told) {
				a.Set += tt.set
				if stop != nil {
					stop(a, ev)
				}
			}
			adopt(t, &box{spool: file(spoolOf(t, tt.done)), tar: tt.tar}, change, func(res Result, took time.Duration, log string) {
				wantResult(t, res, tt.status, tt.reason)
				if !strings.Contains(res.Message, tt.message) {
					t.Errorf("the message is %q, want %q in it", res.Message, tt.message)
				}
				refused := strings.Contains(res.Message, "could not be taken in")
				if refused != strings.Contains(log, "the artifacts could not be taken in") {
					t.Errorf("the message is %q, the log %q", res.Message, log)
				}
				if (res.Set != "") != (tt.message == "" || tt.message == "make failed") {
					t.Errorf("the set is %q", res.Set)
				}
				if want := leftPatience; took > want || tt.stop && took > 15*time.Second {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}
