package quarantine

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestHostileTextIsReadInTime: the file is anybody's, and the daemon waits for it.
func TestHostileTextIsReadInTime(t *testing.T) {
	for _, piece := range []string{"- a\n", "&a ", "- test: &a b\n", "? ", "? a\n", "- ", "-\n", "!a ", "'", "\"\\\n", "|\n", "- |\n  a\n\n", "a: b\n", "%a\n", "---\n", "#\n", "a,", "[],", "{a: ", "*a ", "\t", "\r", ": ", "- test: a\n  owner: b\n  until: 2026-12-01\n", "\u2028", "a\n\n", "a: a: ", "<<: a\n", "'' "} {
		text := strings.Repeat(piece, MaxBytes/len(piece))
		begin := spent(t)
		_, _ = Parse(File, []byte(text))
		if took := spent(t) - begin; took > 5*time.Second {
			t.Errorf("%q again and again takes %s", piece, took)
		}
	}
}

// spent is the processor time of this process: how long a busy machine takes says nothing of the parser.
func spent(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
