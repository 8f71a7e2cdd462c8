package quarantine

import (
	"strings"
	"testing"
	"time"
)

// TestHostileTextIsReadInTime: the file is anybody's, and the daemon waits for it.
func TestHostileTextIsReadInTime(t *testing.T) {
	for _, piece := range []string{"- a\n", "&a ", "- test: &a b\n", "? ", "? a\n", "- ", "-\n", "!a ", "'", "\"\\\n", "|\n", "- |\n  a\n\n", "a: b\n", "%a\n", "---\n", "#\n", "a,", "[],", "{a: ", "*a ", "\t", "\r", ": ", "- test: a\n  owner: b\n  until: 2026-12-01\n", "\u2028", "a\n\n", "a: a: ", "<<: a\n", "'' "} {
		text := strings.Repeat(piece, MaxBytes/len(piece))
		begin := time.Now()
		_, _ = Parse(File, []byte(text))
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%q again and again takes %s", piece, took)
		}
	}
}
