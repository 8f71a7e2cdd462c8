//go:build linux

package agent

import (
	"strings"
	"testing"
)

func TestFailuresThatHaveAnAnswerAreGivenIt(t *testing.T) {
	for _, tt := range []struct{ command, says string }{
		{"exit 126", "chmod +x"},
		{"exit 124", "timeout"},
		{"kill -ABRT $$", "ABRT"},
		{"sh -c 'kill -9 $$'", "memory ran out"},
		{"no-such-program-here", "the shell is sh: for [["},
		{"echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock.' >&2; exit 1", "privileged-mode"},
	} {
		s := newSandbox(t)
		if res := s.run(s.job(tt.command)); !strings.Contains(res.done.Message, tt.says) {
			t.Errorf("%s: ended %+v, want %q", tt.command, res.done, tt.says)
		}
	}
}
