package statuses

import (
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/forge"
)

func TestWhatIsSaidOfABuild(t *testing.T) {
	began := time.Now()
	lint := client.Job{
		ID: "lint", Name: "lint", Status: "FAILED", Reason: "command_failed", Exit: 2, Command: "make `lint`\nmore",
		Phases: []client.Phase{{Name: "INSTALL", Status: "SUCCEEDED"}, {Name: "BUILD", Status: "FAILED"}, {Name: "POST_BUILD", Status: "SUCCEEDED"}},
	}
	for _, c := range []struct {
		name  string
		b     client.Build
		state forge.State
		text  string
	}{
		{"planning", client.Build{Status: "IN_PROGRESS"}, forge.StatePending, "its source is fetched, and its buildspec read"},
		{"queued", client.Build{Status: "IN_PROGRESS", Jobs: make([]client.Job, 1)}, forge.StatePending, "waits to run"},
		{"runs", client.Build{Status: "IN_PROGRESS", Started: began, Jobs: make([]client.Job, 3)}, forge.StateRunning, "runs, 3 jobs"},
		{"passed", client.Build{Status: "SUCCEEDED", Seconds: 41}, forge.StateSuccess, "passed in 41 s"},
		{"passed with tests", client.Build{Status: "SUCCEEDED", Seconds: 0.44, Tests: &client.BuildTests{Total: 812, Flaky: 2, Quarantined: 1}}, forge.StateSuccess,
			"passed in 0.4 s, 812 tests, 2 flaky, 1 failed in quarantine"},
		{"tests failed", client.Build{Status: "FAILED", Tests: &client.BuildTests{Total: 812, Failed: 2, Error: 1, Failures: []client.TestFailure{{Name: "TestParse"}, {Name: "Test\nTwo"}}}},
			forge.StateFailure, "3 of 812 tests failed: TestParse, Test"},
		{"a command failed", client.Build{Status: "FAILED", Jobs: []client.Job{lint}}, forge.StateFailure, "exit status 2 of `make 'lint'` in BUILD"},
		{"a command of one of two jobs", client.Build{Status: "FAILED", Jobs: []client.Job{{Status: "SUCCEEDED"}, lint}}, forge.StateFailure, "lint: exit status 2 of `make 'lint'` in BUILD"},
		{"the plan is wrong", client.Build{Status: "FAILED", Reason: "buildspec", Message: "\n buildspec.yml:3:1: no\nhint"}, forge.StateFailure, "buildspec.yml:3:1: no"},
		{"time is over", client.Build{Status: "TIMED_OUT", Message: "took longer than 1h"}, forge.StateFailure, "took longer than 1h"},
		{"stopped", client.Build{Status: "STOPPED", Message: "stopped by ada"}, forge.StateCanceled, "stopped by ada"},
		{"fault", client.Build{Status: "FAULT", Reason: "sandbox_lost"}, forge.StateError, "sandbox_lost"},
		{"nothing is known", client.Build{Status: "FAULT"}, forge.StateError, "fault"},
	} {
		if state, text := ofBuild(&c.b); state != c.state || text != c.text {
			t.Errorf("%s: %s %q, want %s %q", c.name, state, text, c.state, c.text)
		}
	}
}

func TestSpans(t *testing.T) {
	for seconds, want := range map[float64]string{-1: "0.0 s", 9.94: "9.9 s", 119.4: "119 s", 600: "10 min", 2*3600 + 90: "2 h 2 min"} {
		if got := span(seconds); got != want {
			t.Errorf("%v s: %q, want %q", seconds, got, want)
		}
	}
}

func TestALineIsOneLineThatPrints(t *testing.T) {
	got := line("\x1b[31m\n\u202e \n red\x00\u202e" + strings.Repeat("é", 500) + "\nnext")
	if !strings.HasPrefix(got, "[31m") {
		t.Errorf("line %q", got)
	}
	if got = line("red\x00\u202e" + strings.Repeat("é", 500)); len(got) > maxWords || !strings.HasPrefix(got, "redéé") || !strings.HasSuffix(got, "é…") {
		t.Errorf("line %q", got)
	}
}
