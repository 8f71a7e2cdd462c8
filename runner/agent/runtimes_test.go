//go:build linux

package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// runtimeJob is a job with an INSTALL that asks for runtimes, on an image that has a table of them.
func runtimeJob(t *testing.T, s *sandbox) wire.Job {
	t.Helper()
	table := filepath.Join(t.TempDir(), "runtimes.yml")
	if err := os.WriteFile(table, []byte("version: 0.1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.env = append(s.env, testRuntimes+"="+table)
	job := s.job(`echo "build $JAVA_HOME ${VERSION-unset} ${OTHER-unset}"`)
	job.Phases = append([]wire.Phase{{Name: wire.PhaseInstall, Commands: []string{"echo install"}}}, job.Phases...)
	job.Runtimes = []wire.Var{{Name: "java", Value: "$JV"}, {Name: "golang", Value: "1.20"}}
	job.Env = []wire.Var{{Name: "JV", Value: "corretto8"}, {Name: "VERSION", Value: "the job's own"}}
	return job
}

func TestRuntimesAreInstalledInTheJobsShell(t *testing.T) {
	for shell, path := range shells(t) {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			job := runtimeJob(t, s)
			job.Shell = path
			k := s.talkTo(job)
			req := k.request()
			if r := req.Runtimes; r == nil || string(r.File) != "version: 0.1\n" || len(r.Want) != 2 || r.Want[0] != (wire.Var{Name: "java", Value: "corretto8"}) || r.Want[1].Value != "1.20" {
				t.Errorf("asked %+v", req.Runtimes)
			}
			s.send(wire.Answer{ID: req.ID, Runtimes: &wire.RuntimesAnswer{Selected: []wire.Runtime{
				{Name: "java", Version: "corretto8", Commands: []string{"export JAVA_HOME=/jdk8", "echo java"}},
				{Name: "golang", Version: "1.20", Commands: []string{`echo "go $VERSION $OTHER"`, "sh -c 'echo child $VERSION'"},
					Env: []wire.Var{{Name: "VERSION", Value: "it's 1.20"}, {Name: "OTHER", Value: "x"}, {Name: "no name", Value: "$(exit 1)"}}},
			}}})
			res := k.end()
			if want := "java\ngo it's 1.20 x\nchild it's 1.20\ninstall\nbuild /jdk8 the job's own unset\n"; res.output() != want || res.done.Status != wire.StatusSucceeded {
				t.Errorf("printed %q, want %q\n%s", res.output(), want, res.log)
			}
			for _, text := range []string{"Selecting 'java' runtime version 'corretto8' based on manual selections...\n", "Running command export JAVA_HOME=/jdk8\n"} {
				if !strings.Contains(res.log, text) {
					t.Errorf("the log lacks %q\n%s", text, res.log)
				}
			}
		})
	}
}

func TestRuntimesThatCannotBe(t *testing.T) {
	tests := []struct {
		name   string
		change func(*sandbox, *wire.Job)
		answer *wire.Answer
		code   string // of INSTALL; "" when it succeeds
		text   string // its message, or in the log
	}{
		{"no table", func(s *sandbox, _ *wire.Job) { s.env = append(s.env, testRuntimes+"=/nowhere") }, nil, "", "Skipping install of runtimes. Runtime version selection is not supported by this build image\n"},
		{"a table that a mount hides", func(s *sandbox, _ *wire.Job) {
			s.env = append(s.env, testRuntimes+"=/nowhere")
			write(s.t, s.spool, wire.RuntimesCopy, "version: 0.1")
		}, &wire.Answer{Error: "as read"}, "YAML_FILE_ERROR", "as read"},
		{"a table that is too long", func(s *sandbox, _ *wire.Job) {
			s.env = append(s.env, testRuntimes+"=/nowhere")
			write(s.t, s.spool, wire.RuntimesCopy, strings.Repeat("x", wire.MaxRuntimesFile+1))
		}, nil, "", "has more than 65536 bytes"},
		{"refused", func(*sandbox, *wire.Job) {}, &wire.Answer{Error: "Unknown runtime version named '99' of java"}, "YAML_FILE_ERROR", "Unknown runtime version named '99' of java"},
		{"a command fails", func(*sandbox, *wire.Job) {}, &wire.Answer{Runtimes: &wire.RuntimesAnswer{Selected: []wire.Runtime{{Name: "java", Version: "8", Commands: []string{"exit 4", "echo never"}}}}},
			"COMMAND_EXECUTION_ERROR", "Error while executing command: exit 4. Reason: exit status 4"},
		{"a variable that is not set", func(_ *sandbox, j *wire.Job) { j.Runtimes[0].Value = "$NOT" }, nil, "YAML_FILE_ERROR", `java is "$NOT", which is "" after variables were expanded`},
		{"nobody answers", func(s *sandbox, _ *wire.Job) { s.env = append(s.env, testPatience+"=30ms") }, nil, "", "no daemon answered for 30ms"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			job := runtimeJob(t, s)
			tt.change(s, &job)
			k := s.talkTo(job)
			if tt.answer != nil {
				tt.answer.ID = k.request().ID
				s.send(*tt.answer)
			}
			res := k.end()
			install := res.phases[0]
			if install.Code != tt.code || (tt.code == "") != (res.done.Status == wire.StatusSucceeded) {
				t.Errorf("INSTALL ended %+v, the job %+v\n%s", install, res.done, res.log)
			}
			if !strings.Contains(install.Message+res.log, tt.text) {
				t.Errorf("nothing says %q\n%s", tt.text, res.log)
			}
			if tt.code != "" && strings.Contains(res.output(), "install") {
				t.Errorf("the phase's commands ran all the same\n%s", res.log)
			}
		})
	}
}

func TestRuntimesWhereEachCommandHasAShell(t *testing.T) {
	s := newSandbox(t)
	job := runtimeJob(t, s)
	job.Version = "0.1"
	k := s.talkTo(job)
	s.send(wire.Answer{ID: k.request().ID, Runtimes: &wire.RuntimesAnswer{Selected: []wire.Runtime{
		{Name: "golang", Version: "1.20", Commands: []string{`echo "one $VERSION"`, `echo "two $VERSION"`}, Env: []wire.Var{{Name: "VERSION", Value: "1.20"}}},
	}}})
	res := k.end()
	if want := "one 1.20\ntwo 1.20\ninstall\nbuild  the job's own unset\n"; res.output() != want {
		t.Errorf("printed %q, want %q\n%s", res.output(), want, res.log)
	}
}
