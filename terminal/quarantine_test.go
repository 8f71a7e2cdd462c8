package terminal

import (
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

func TestAQuarantineIsListed(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	held := client.TestQuarantine{Test: "it's::x", Owner: "ann\x1b[2J", Until: "2026-12-01", Reason: "slow\nvery"}
	q := client.Quarantine{Build: "api#9", Commit: strings.Repeat("c", 40), Problem: "no quarantine is in force", Items: []client.QuarantineEntry{
		{TestQuarantine: held, State: "in_force", Tests: 1, Runs: 20, Failed: 2, Clean: 12, Ready: true, Last: &client.TestResult{Build: "api#9", Status: "SUCCEEDED", At: now.Add(-time.Hour)}},
		{TestQuarantine: client.TestQuarantine{Test: "b.py", Owner: "bob", Until: "2026-11-24"}, State: "expired", Tests: 3, Runs: 9, Failed: 9},
		{TestQuarantine: client.TestQuarantine{Test: "c", Owner: "cy", Until: "2028-11-24"}, State: "too_long"},
	}}
	var out strings.Builder
	Quarantine(New(&out), q, now)
	for _, want := range []string{
		"no quarantine is in force", "2 of 20", "in force", "9 of 9 (3 tests)", "expired", "never run", "not in force: ends too late",
		`it's::x has passed 12 times in turn: runner tests quarantine rm 'it'\''s::x'`, "as api#9 (cccccc",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the list lacks %q:\n%s", want, out.String())
		}
	}
	if strings.ContainsAny(out.String(), "\x1b") {
		t.Errorf("the list acts upon the terminal: %q", out.String())
	}
}

// TestQuarantinedFailuresComeLast, with who owns them.
func TestQuarantinedFailuresComeLast(t *testing.T) {
	held := &client.TestQuarantine{Test: "a.py", Owner: "ann", Until: "2026-12-01", Reason: "slow"}
	failed := []client.TestCase{{ID: "a.py::x", Status: "FAILED", Quarantine: held}, {ID: "b.py::x", Status: "FAILED"}}
	for name, show := range map[string]func(*Output){
		"failures": func(o *Output) { Failures(o, failed) },
		"show": func(o *Output) {
			Tests(o, client.Build{ID: "api#1", Tests: &client.BuildTests{Failed: 1, Quarantined: 1, Summary: "1 failed, 1 quarantined"}}, failed)
		},
	} {
		var out strings.Builder
		show(New(&out))
		text := out.String()
		if at := strings.Index(text, "~ a.py::x (quarantined)\n    does not count: a.py is quarantined by ann until 2026-12-01: slow\n"); at < strings.Index(text, "✗ b.py::x") || strings.Contains(text, "more:") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}
