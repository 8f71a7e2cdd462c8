package e2e

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
)

// TestEveryEndIsNamed ends jobs in the ways that limits, people and machines end them, and reads the reason.
func TestEveryEndIsNamed(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	const small = "limits: {memory: 32MiB, pids: 64, timeout: 60s}"
	bomb := "for i in $(seq 120); do sleep 20 & done; wait"
	tests := []struct {
		name, settings string
		commands       []string
		during         func(t *testing.T, d *daemon, id string) // once a command runs
		status, reason string
		says           string
	}{
		{"oom-child", small, []string{"tail /dev/zero"}, nil, "FAILED", "oom", "limits.memory"},
		{"oom-hidden", small, []string{"sh -c 'tail /dev/zero; exit 3'"}, nil, "FAILED", "oom", "exit status 3"},
		{"oom-shell", small, []string{"a=0123456789abcdef; while :; do a=$a$a; done"}, nil, "FAILED", "oom", "limits.memory"},
		{"oom-forgiven", small, []string{"tail /dev/zero || true", "false"}, nil, "FAILED", "command_failed", "exit status 1"},
		{"pids", small, []string{bomb}, nil, "FAILED", "pids_limit", "limits.pids"},
		{"timeout", "limits: {timeout: 1s}", []string{"sleep 100"}, nil, "TIMED_OUT", "timeout", "limits.timeout"},
		{"stop", small, []string{"sleep 100"}, func(t *testing.T, d *daemon, id string) {
			if _, err := d.Stop(t.Context(), id); err != nil {
				t.Error(err)
			}
		}, "STOPPED", "stopped", "stopped by admin"},
		{"killed", small, []string{"sleep 100"}, func(t *testing.T, d *daemon, _ string) {
			for _, c := range d.containers() { // the others have ended
				if out, err := exec.Command("docker", "kill", c).CombinedOutput(); err != nil {
					t.Errorf("docker kill: %v %s", err, out)
				}
			}
		}, "FAULT", "agent_killed", "from outside"},
	}
	var projects []string
	urls, commits := make([]string, len(tests)), make([]string, len(tests))
	for i, tt := range tests {
		_, urls[i], commits[i] = git.repo(tt.name, map[string]string{"buildspec.yml": spec(tt.commands...)})
		projects = append(projects, project(tt.name, urls[i], tt.settings))
	}
	d := newDaemon(t, "slots: 2\n", projects...)
	ids := make([]string, len(tests))
	for i, tt := range tests {
		if tt.during == nil {
			ids[i] = d.push(urls[i], commits[i])
		}
	}
	for i, tt := range tests {
		if tt.during != nil {
			ids[i] = d.push(urls[i], commits[i])
			d.awaitPhase(ids[i], "BUILD")
			tt.during(t, d, ids[i])
		}
		b := d.build(ids[i])
		if b.Status != tt.status || b.Reason != tt.reason || !strings.Contains(b.Message, tt.says) {
			t.Errorf("%s ended %s (%s): %s; want %s (%s) and %q", tt.name, b.Status, b.Reason, b.Message, tt.status, tt.reason, tt.says)
		}
		if !slices.ContainsFunc(client.Reasons, func(r client.Reason) bool { return r.Word == b.Reason && r.Status == b.Status }) {
			t.Errorf("%s (%s) is not in the vocabulary", b.Status, b.Reason)
		}
	}
	assertNothingLeft(t, d)
}
