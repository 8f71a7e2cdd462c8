//go:build linux

package agent

import (
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// inEveryShell tells one story to dash, bash and busybox ash.
func inEveryShell(t *testing.T, tell func(t *testing.T, s *sandbox, shell string)) {
	for name, path := range shells(t) {
		if name == "sh" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tell(t, newSandbox(t), path)
		})
	}
}

func TestVersion01GivesEachCommandAShellOfItsOwn(t *testing.T) {
	inEveryShell(t, func(t *testing.T, s *sandbox, shell string) {
		job := s.job(
			"A=1; export B=2; C=changed; cd /; f() { echo f; }; trap 'echo bye' EXIT",
			"(until [ -e stop ]; do echo tick >tick; sleep 0.01; done) &",
			`echo "${A-no} ${B-no} $C ${PWD##*/} $CODEBUILD_BUILD_SUCCEEDING $CODEBUILD_LAST_EXIT"; f 2>/dev/null || echo no f`,
			"rm -f tick; until [ -e tick ]; do sleep 0.01; done; echo ticking; touch stop",
			"exit 3",
		)
		job.Version, job.Shell = "0.1", shell
		job.Env = []wire.Var{{Name: "C", Value: "literal"}}
		job.Phases[0].Finally = []string{"echo $CODEBUILD_BUILD_SUCCEEDING $CODEBUILD_LAST_EXIT"}
		job.Exported = []string{"C"}
		res := s.run(job)
		if want := "bye\nno no literal src 1 0\nno f\nticking\n0 3\n"; res.output() != want {
			t.Errorf("printed %q, want %q\n%s", res.output(), want, res.log)
		}
		if res.done.Exit != 3 || len(res.done.Exported) != 1 || res.done.Exported[0].Value != "literal" {
			t.Errorf("ended %+v", res.done)
		}
	})
}

func TestTheLastExitStatusIsToldToLaterCommands(t *testing.T) {
	inEveryShell(t, func(t *testing.T, s *sandbox, shell string) {
		job := s.job("echo $CODEBUILD_LAST_EXIT", "(exit 7)")
		job.Shell = shell
		job.Phases[0].Finally = []string{"sh -c 'echo $CODEBUILD_LAST_EXIT'; exit 9", "echo $CODEBUILD_LAST_EXIT"}
		job.Phases = append(job.Phases, wire.Phase{Name: wire.PhasePostBuild, Commands: []string{"echo $CODEBUILD_LAST_EXIT"}})
		if got := s.run(job).output(); got != "0\n7\n9\n0\n" {
			t.Errorf("printed %q", got)
		}
	})
}

func TestExportedVariables(t *testing.T) {
	inEveryShell(t, func(t *testing.T, s *sandbox, shell string) {
		job := s.job("A=first; export M='two\nlines'; EMPTY=; export AWS_KEY=1; S=\"x$TOKEN\"; BIN=$(printf 'a\\377')", "LONG=$(head -c 50000 /dev/zero | tr '\\0' a); UNSET=1")
		job.Shell = shell
		job.Env = []wire.Var{{Name: "TOKEN", Value: "hunter2-is-secret"}, {Name: "PIN", Value: "12"}}
		job.Secrets = []string{"hunter2-is-secret", "12"}
		job.Exported = []string{"A", "M", "EMPTY", "AWS_KEY", "S", "TOKEN", "PIN", "LONG", "UNSET", "A", "not a name", "BIN", "LATE"}
		job.Phases = append(job.Phases, wire.Phase{Name: wire.PhasePostBuild, Commands: []string{"A=last; unset UNSET; LATE=1; exit 0"}})
		res := s.run(job)
		var got []string
		for _, v := range res.done.Exported {
			got = append(got, v.Name+"="+v.Value)
		}
		if want := "A=last|M=two\nlines|EMPTY=|LATE=1"; strings.Join(got, "|") != want {
			t.Errorf("exported %q, want %q", got, want)
		}
		for _, name := range []string{"AWS_KEY", "S", "TOKEN", "PIN", "LONG", "UNSET", `"not a name"`, "BIN"} {
			if !strings.Contains(res.log, "The variable "+name+" is not exported: ") {
				t.Errorf("nothing is said of %s", name)
			}
		}
	})
}

// TestExportedVariablesFitALine has a value whose JSON is six times as long as itself: the result must arrive.
func TestExportedVariablesFitALine(t *testing.T) {
	s := newSandbox(t)
	job := s.job("A=$(head -c 40000 /dev/zero | tr '\\0' '\\001')", "B=1")
	job.Exported = []string{"A", "B"}
	res := s.run(job)
	if res.done.Status != wire.StatusSucceeded || len(res.done.Exported) != 1 || res.done.Exported[0].Name != "B" {
		t.Errorf("ended %s, exported %d", res.done.Status, len(res.done.Exported))
	}
}

func TestVariablesAreExportedFromBuildsThatFail(t *testing.T) {
	s := newSandbox(t)
	job := s.job("A=1; exit 2")
	job.Phases[0].OnFailure = "ABORT"
	job.Exported = []string{"A"}
	if res := s.run(job); res.done.Status != wire.StatusFailed || len(res.done.Exported) != 1 {
		t.Errorf("ended %+v", res.done)
	}
}

func TestOnFailureRetry(t *testing.T) {
	const command = "echo connection reset by peer; exit 5"
	tests := []struct {
		name    string
		retry   wire.Retry
		retries int
		command string
		again   bool
	}{
		{"any failure", wire.Retry{Count: 3, Pattern: ".*"}, 0, command, true},
		{"a failure that printed nothing", wire.Retry{Count: 3, Pattern: ".*"}, 0, "exit 1", true},
		{"the message", wire.Retry{Count: 1, Pattern: `Reason: exit status 5$`}, 0, command, true},
		{"the output", wire.Retry{Count: 3, Pattern: `(?i)CONNECTION reset`}, 2, command, true},
		{"another output", wire.Retry{Count: 3, Pattern: `out of memory`}, 0, command, false},
		{"often enough", wire.Retry{Count: 3, Pattern: ".*"}, 3, command, false},
		{"never", wire.Retry{Count: 0, Pattern: ".*"}, 0, command, false},
		{"the output of a command before", wire.Retry{Count: 3, Pattern: "^early"}, 0, "exit 5", false},
		{"past 16 KiB", wire.Retry{Count: 3, Pattern: "early"}, 0, "echo ear''ly; head -c 20000 /dev/zero | tr '\\0' x; exit 5", false},
		{"within 16 KiB", wire.Retry{Count: 3, Pattern: "early"}, 0, "echo ear''ly; head -c 9000 /dev/zero | tr '\\0' x; exit 5", true},
		{"success", wire.Retry{Count: 3, Pattern: ".*"}, 0, "echo fine", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			job := s.job("echo early", tt.command)
			job.Retries = tt.retries
			job.Artifacts = &wire.ArtifactSpec{Files: []string{"**/*"}}
			job.Phases[0].OnFailure, job.Phases[0].Retry = "RETRY", &tt.retry
			job.Phases[0].Finally = []string{"echo finally"}
			job.Phases = append(job.Phases, wire.Phase{Name: wire.PhasePostBuild, Commands: []string{"echo post; touch f"}})
			res := s.run(job)
			if res.done.Retry != tt.again || !strings.Contains(res.output(), "finally") {
				t.Fatalf("ended %+v", res.done)
			}
			if posted := strings.Contains(res.output(), "post"); posted == tt.again {
				t.Errorf("POST_BUILD ran: %v; the built-in transition holds where nothing is tried again", posted)
			}
			if tt.again && (res.done.Status != wire.StatusFailed || res.done.Reason != "command_failed" || len(res.phases) != 1 ||
				!strings.Contains(res.done.Message, "tried again") || !strings.Contains(res.log, "RETRY: the build is tried again")) {
				t.Errorf("ended %+v after %s", res.done, res.summary())
			}
		})
	}
}
