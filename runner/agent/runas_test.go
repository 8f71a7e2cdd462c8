//go:build linux

package agent

import (
	"fmt"
	"os"
	accounts "os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// anybody returns a user of this machine that is not root, as whom a job's commands can run.
func anybody(t *testing.T) *accounts.User {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can run commands as somebody else")
	}
	nobody, err := accounts.Lookup("nobody")
	if err != nil {
		t.Skip(err)
	}
	return nobody
}

// openTo lets other users pass to the sandbox's directories, as those of a container do.
func openTo(t *testing.T, s *sandbox) {
	t.Helper()
	if err := os.Chmod(filepath.Dir(s.src), 0o711); err != nil {
		t.Fatal(err)
	}
}

func TestPhasesRunAsTheirUsers(t *testing.T) {
	nobody := anybody(t)
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
			{Name: wire.PhaseInstall, RunAs: "root", Commands: []string{"id -u; A='it''s'; export HOME=/root/changed; mkdir d shared; chmod 777 shared; cd shared; umask 027"}},
			{Name: wire.PhasePreBuild, RunAs: "nobody", Commands: []string{
				`id -u; id -g; echo "$A $HOME $USER $LOGNAME ${PWD##*/}"; umask; B=mine; echo out >/dev/stdout; touch f; exit 0`,
				`echo "$B"; HOME=/elsewhere; touch ../d/f || echo denied; ls "$(dirname "$0")" 2>/dev/null; echo again >/dev/stderr`,
			}},
			{Name: wire.PhaseBuild, RunAs: "65534:12", Commands: []string{`id -u; id -g; id -G; echo "$B $HOME"`}},
			{Name: wire.PhasePostBuild, Commands: []string{`id -u; echo "$B $HOME ${USER-none}"; stat -c %U f`}},
		}
		res := s.run(job)
		want := fmt.Sprintf("0\n%s\n%s\nits %s nobody nobody shared\n0027\nout\nmine\n*denied\nagain\n65534\n12\n12\nmine %s\n0\nmine /root/changed none\nnobody\n",
			nobody.Uid, nobody.Gid, nobody.HomeDir, nobody.HomeDir)
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
	nobody := anybody(t)
	s := newSandbox(t)
	openTo(t, s)
	job := s.job("id -u; echo $HOME; HOME=x", "echo $HOME $USER")
	job.Version, job.Phases[0].RunAs = "0.1", "nobody"
	job.Phases = append(job.Phases, wire.Phase{Name: wire.PhasePostBuild, Commands: []string{"id -u; echo $HOME"}})
	want := fmt.Sprintf("%s\n%s\n%s nobody\n0\n%s\n", nobody.Uid, nobody.HomeDir, nobody.HomeDir, s.home)
	if got := s.run(job).output(); got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

func TestTheJobsOwnHOMEStays(t *testing.T) {
	anybody(t)
	s := newSandbox(t)
	openTo(t, s)
	job := s.job("echo $HOME $USER")
	job.Phases[0].RunAs = "nobody"
	job.Env = []wire.Var{{Name: "HOME", Value: "/given"}}
	if got := s.run(job).output(); got != "/given nobody\n" {
		t.Errorf("printed %q", got)
	}
}

// TestWhoCannotRunFailsThePhase has users that are not there, or cannot reach what they need.
func TestWhoCannotRunFailsThePhase(t *testing.T) {
	anybody(t)
	for _, tt := range []struct {
		name, runAs string
		open        bool
		says        string
	}{
		{"no such user", "no-such-user", true, "no user no-such-user"},
		{"no such group", "nobody:no-such-group", true, "no group no-such-group"},
		{"a closed way", "nobody", false, "may not enter"},
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
	anybody(t)
	s := newSandbox(t)
	openTo(t, s)
	job := s.job("touch made 2>&1")
	job.Phases[0].RunAs = "nobody"
	if res := s.run(job); !strings.Contains(res.done.Message, "chown -R nobody") {
		t.Errorf("ended %+v", res.done)
	}
}

// TestWhereANewUserCannotGo tells of a directory that only the former user may enter.
func TestWhereANewUserCannotGo(t *testing.T) {
	anybody(t)
	s := newSandbox(t)
	openTo(t, s)
	job := s.job("mkdir -m 700 closed; cd closed")
	job.Phases = append(job.Phases, wire.Phase{Name: wire.PhasePostBuild, RunAs: "nobody", Commands: []string{"echo in ${PWD##*/}"}})
	if got := s.run(job).output(); !strings.Contains(got, "closed cannot be entered any more") || !strings.HasSuffix(got, "in src\n") {
		t.Errorf("printed %q", got)
	}
}

func TestStopEndsProcessesOfOtherUsers(t *testing.T) {
	anybody(t)
	s := newSandbox(t)
	openTo(t, s)
	job := s.job("chmod 777 .")
	job.Phases = append(job.Phases, wire.Phase{Name: wire.PhasePostBuild, RunAs: "nobody", Commands: []string{stubborn}})
	s.start()
	s.send(hello, job)
	awaitText(t, s, "ready\n")
	s.send(wire.Stop{Status: wire.StatusStopped, Reason: "stopped", GraceMillis: 100})
	if status := s.wait(); status != 0 {
		t.Fatalf("exit status %d: %s", status, &s.errs)
	}
	beats := filepath.Join(s.src, "beats")
	before, _ := os.ReadFile(beats)
	time.Sleep(150 * time.Millisecond)
	if after, _ := os.ReadFile(beats); len(before) == 0 || len(after) != len(before) {
		t.Errorf("a process of the job still runs: %d, then %d bytes", len(before), len(after))
	}
}
