//go:build linux

package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// stranger is a user whom no file of this machine names. Users with names are told of in TestParseUser, and met in
// TestTheAgentInAContainer.
const stranger = "54321:54322"

// onlyRoot skips a test where nobody can become somebody else.
func onlyRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can run commands as somebody else")
	}
}

// openTo lets other users pass to the sandbox's directories, as those of a container do.
func openTo(t *testing.T, s *sandbox) {
	t.Helper()
	if err := os.Chmod(filepath.Dir(s.src), 0o711); err != nil {
		t.Fatal(err)
	}
}

func TestPhasesRunAsTheirUsers(t *testing.T) {
	onlyRoot(t)
	inEveryShell(t, func(t *testing.T, s *sandbox, shell string) {
		openTo(t, s)
		for dir := filepath.Dir(shell); dir != os.TempDir(); dir = filepath.Dir(dir) {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		s.home = filepath.Join(s.home, "made") // by the agent
		job := s.job()
		job.Shell = shell
		job.Exported = []string{"B"}
		job.Phases = []wire.Phase{
			{Name: wire.PhaseInstall, RunAs: "root", Commands: []string{"/usr/bin/id -u; A='it''s'; export HOME=/root/changed; mkdir d shared; chmod 777 shared; cd shared; umask 027"}},
			{Name: wire.PhasePreBuild, RunAs: stranger, Commands: []string{
				`/usr/bin/id -u; /usr/bin/id -g; echo "$A $HOME $USER $LOGNAME ${PWD##*/}"; umask; B=mine; echo out >/dev/stdout; touch f; exit 0`,
				`echo "$B"; HOME=/elsewhere; touch ../d/f || echo denied; ls "$(dirname "$0")" 2>/dev/null; echo again >/dev/stderr`,
			}},
			{Name: wire.PhaseBuild, RunAs: "12345:12", Commands: []string{`/usr/bin/id -u; /usr/bin/id -g; /usr/bin/id -G; echo "$B $HOME"`}},
			{Name: wire.PhasePostBuild, Commands: []string{`/usr/bin/id -u; echo "$B $HOME ${USER-none}"; stat -c %u f`}},
		}
		res := s.run(job)
		const want = "0\n54321\n54322\nits / 54321 54321 shared\n0027\nout\nmine\n*denied\nagain\n12345\n12\n12\nmine /\n0\nmine /root/changed none\n54321\n"
		before, after, _ := strings.Cut(want, "*")
		if got := res.output(); !strings.HasPrefix(got, before) || !strings.HasSuffix(got, after) {
			t.Errorf("printed\n%s\nwant\n%s", got, want)
		}
		if res.done.Status != wire.StatusSucceeded || len(res.done.Exported) != 1 {
			t.Errorf("ended %+v\n%s", res.done, res.log)
		}
	})
}

func TestRunAsInVersion01(t *testing.T) {
	onlyRoot(t)
	s := newSandbox(t)
	openTo(t, s)
	job := s.job("/usr/bin/id -u; echo $HOME; HOME=x", "echo $HOME $USER")
	job.Version, job.Phases[0].RunAs = "0.1", stranger
	job.Phases = append(job.Phases, wire.Phase{Name: wire.PhasePostBuild, Commands: []string{"/usr/bin/id -u; echo $HOME"}})
	want := fmt.Sprintf("54321\n/\n/ 54321\n0\n%s\n", s.home)
	if got := s.run(job).output(); got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

// TestAQuestionDoesNotLendItsShell asks something before the first command, as caches do: the shell that answers is not
// the one of the user who comes next.
func TestAQuestionDoesNotLendItsShell(t *testing.T) {
	onlyRoot(t)
	for _, fresh := range []bool{true, false} {
		dir := fastDir(t)
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		out, err := os.OpenFile(filepath.Join(dir, "out"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		s := newShell("/bin/sh", "sh", filepath.Join(dir, "shell"), dir, os.Environ(), int(out.Fd()), ownReaper(t))
		t.Cleanup(s.sweep)
		s.fresh = fresh
		if answers, err := s.ask(t.Context(), "printf 'Aone\\000'"); err != nil || len(answers) != 1 {
			t.Fatalf("answers %q, %v", answers, err)
		}
		u, err := findUser(stranger)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.become(t.Context(), u, false); err != nil {
			t.Fatal(err)
		}
		if exit, err := s.run(t.Context(), "/usr/bin/id -u", true); err != nil || exit != 0 {
			t.Fatalf("exit status %d, %v", exit, err)
		}
		s.end()
		if text, err := os.ReadFile(out.Name()); err != nil || string(text) != "54321\n" {
			t.Errorf("version 0.1: %v; the command ran as %q, %v", fresh, text, err)
		}
	}
}

func TestTheJobsOwnHOMEStays(t *testing.T) {
	onlyRoot(t)
	s := newSandbox(t)
	openTo(t, s)
	job := s.job("echo $HOME $USER")
	job.Phases[0].RunAs = stranger
	job.Env = []wire.Var{{Name: "HOME", Value: "/given"}}
	if got := s.run(job).output(); got != "/given 54321\n" {
		t.Errorf("printed %q", got)
	}
}

// TestWhoCannotRunFailsThePhase has users that are not there, or cannot reach what they need.
func TestWhoCannotRunFailsThePhase(t *testing.T) {
	onlyRoot(t)
	for _, tt := range []struct {
		name, runAs string
		open        bool
		says        string
	}{
		{"no such user", "no-such-user", true, "no user no-such-user"},
		{"no such group", "54321:no-such-group", true, "no group no-such-group"},
		{"a closed way", stranger, false, "may not enter"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSandbox(t)
			if tt.open {
				openTo(t, s)
			}
			job := s.job("echo ran")
			job.Phases[0].RunAs = tt.runAs
			job.Phases[0].Finally = []string{"echo ran too"}
			job.Phases[0].OnFailure, job.Phases[0].Retry = "RETRY", &wire.Retry{Count: 3, Pattern: ".*"}
			job.Phases = append(job.Phases, wire.Phase{Name: wire.PhasePostBuild, Commands: []string{"echo post $CODEBUILD_BUILD_SUCCEEDING"}})
			res := s.run(job)
			if res.done.Status != wire.StatusFailed || res.done.Reason != "run_as" || res.done.Retry || !strings.Contains(res.done.Message, tt.says) || res.output() != "post 0\n" {
				t.Errorf("ended %+v, printed %q", res.done, res.output())
			}
			if res.phases[0].Status != wire.StatusFailed || res.phases[0].Code != "CLIENT_ERROR" {
				t.Errorf("the phase ended %+v", res.phases[0])
			}
		})
	}
}

func TestAUserWhoIsDeniedIsTold(t *testing.T) {
	onlyRoot(t)
	s := newSandbox(t)
	openTo(t, s)
	job := s.job("touch made 2>&1")
	job.Phases[0].RunAs = stranger
	if res := s.run(job); !strings.Contains(res.done.Message, "chown -R 54321:54322") {
		t.Errorf("ended %+v", res.done)
	}
}

// TestWhereANewUserCannotGo tells of a directory that only the former user may enter.
func TestWhereANewUserCannotGo(t *testing.T) {
	onlyRoot(t)
	s := newSandbox(t)
	openTo(t, s)
	job := s.job("mkdir -m 700 closed; cd closed")
	job.Phases = append(job.Phases, wire.Phase{Name: wire.PhasePostBuild, RunAs: stranger, Commands: []string{"echo in ${PWD##*/}"}})
	if got := s.run(job).output(); !strings.Contains(got, "closed cannot be entered any more") || !strings.HasSuffix(got, "in src\n") {
		t.Errorf("printed %q", got)
	}
}

func TestStopEndsProcessesOfOtherUsers(t *testing.T) {
	onlyRoot(t)
	s := newSandbox(t)
	openTo(t, s)
	job := s.job("chmod 777 .")
	job.Phases = append(job.Phases, wire.Phase{Name: wire.PhasePostBuild, RunAs: stranger, Commands: []string{stubborn}})
	s.start()
	s.send(hello, job)
	awaitText(t, s, "ready\n")
	s.send(wire.Stop{Status: wire.StatusStopped, Reason: "stopped", GraceMillis: 100})
	if status := s.wait(); status != 0 {
		t.Fatalf("exit status %d: %s", status, &s.errs)
	}
	nothingBeats(t, s)
}
