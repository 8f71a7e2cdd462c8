package runner

import (
	"bytes"
	"strings"
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
