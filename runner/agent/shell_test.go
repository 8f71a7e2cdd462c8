//go:build linux

package agent

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// shells returns the shells that jobs meet, under names that give each its mode.
func shells(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{}
	for name, program := range map[string]string{"dash": "dash", "bash": "bash", "sh": "bash", "ash": "busybox"} {
		path, err := exec.LookPath(program)
		if err != nil {
			t.Logf("%s is not here, its stories are not told", program)
			continue
		}
		all[name] = filepath.Join(dir, name)
		if err := os.Symlink(path, all[name]); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// shellStory is what a job's commands print and how they end.
type shellStory struct {
	name     string
	commands []string
	output   string
	exits    []int
	only     string // one shell
	renewed  bool   // a new shell takes over: bash as sh, whose rules are stricter, is told these stories only
}

var shellStories = []shellStory{
	{
		name:     "variables, directory and functions live on",
		commands: []string{"A='x  y'", "mkdir -p d && cd d", "f() { echo \"f $1 $A\"; }", "f 1; echo ${PWD##*/}"},
		output:   "f 1 x  y\nd\n", exits: []int{0, 0, 0, 0},
	}, {
		name:    "exit 0 ends the command, not the phase",
		renewed: true, commands: []string{"A=1; export B=2; cd /usr; exit 0; echo never", "echo $A $B $PWD; sh -c 'echo $A $B'"},
		output: "1 2 /usr\n2\n", exits: []int{0, 0},
	}, {
		name:     "exit says the status",
		commands: []string{"exit 42"}, exits: []int{42},
	}, {
		name:     "set -e ends the command where it fails",
		commands: []string{"set -e; A=kept; echo one; false; echo never"},
		output:   "one\n", exits: []int{1},
	}, {
		name:     "options are set back after each command",
		commands: []string{"set -euf", "false; echo $UNSET*; true", "PS4=; set -x; A=1", "echo plain"},
		output:   "*\nA=1\nplain\n", exits: []int{0, 0, 0, 0},
	}, {
		name:     "the last status counts",
		commands: []string{"false\ntrue", "true; false"}, exits: []int{0, 1},
	}, {
		name:    "a syntax error fails its command",
		renewed: true, commands: []string{"A=1", "exit 0", "echo \"$A\n"}, exits: []int{0, 0, 2},
	}, {
		name:    "unset and readonly survive a new shell",
		renewed: true, commands: []string{"unset HOME; readonly R=\"it's$(printf '\\nhere')\"; umask 027; exit 0", "echo ${HOME-none} \"$R\"; umask; touch f; ( R=2 ) 2>/dev/null || echo readonly"},
		output: "none it's\nhere\n0027\nreadonly\n", exits: []int{0, 0},
	}, {
		name:    "two new shells in a row",
		renewed: true, commands: []string{"A=1; exit 0", "B=2; exit 0", "C=3; exit 0", "echo $A$B$C"},
		output: "123\n", exits: []int{0, 0, 0, 0},
	}, {
		name:    "a shell that is replaced loses only that command's changes",
		renewed: true, commands: []string{"A=1", "A=2; exec true", "echo $A"},
		output: "1\n", exits: []int{0, 0, 0},
	}, {
		name:     "a shell that is killed",
		commands: []string{"kill -9 $$"}, exits: []int{137},
	}, {
		name:    "an EXIT trap runs when its command is over",
		renewed: true, commands: []string{"trap 'echo bye' EXIT; A=1; echo hi", "echo $A", "trap 'echo bye again' EXIT; exit 0", "echo on"},
		output: "hi\nbye\n1\nbye again\non\n", exits: []int{0, 0, 0, 0},
	}, {
		name:     "break and return do not end more than their command",
		commands: []string{"break; echo after", "return 3"},
		exits:    []int{0, 3}, output: "*after\n",
	}, {
		name:     "standard input is empty",
		commands: []string{"cat; read x || echo empty"}, output: "empty\n", exits: []int{0},
	}, {
		name:     "every descriptor is the command's own",
		commands: []string{"exec 3>f 4>&3 5>&3 6>&3 7>&3 8>&3 9>&3; echo x >&9", "echo y >&3; cat f"},
		output:   "x\ny\n", exits: []int{0, 0},
	}, {
		name:     "a background process does not hold its command up, and lives on",
		commands: []string{"(while :; do echo tick >>ticks; sleep 0.01; done) & echo started", "until [ -e ticks ]; do sleep 0.01; done; rm ticks; until [ -e ticks ]; do sleep 0.01; done; echo ticking"},
		output:   "started\nticking\n", exits: []int{0, 0},
	}, {
		name:     "nothing printed is lost when the command ends",
		commands: []string{"sleep 5 & for i in 1 2 3; do echo $i; done", "printf end"},
		output:   "1\n2\n3\nend\n", exits: []int{0, 0},
	}, {
		name:    "the shell's own files may go",
		renewed: true, commands: []string{"A=1; rm -rf \"$(dirname \"$0\")\"", "echo still $A"},
		output: "still", exits: []int{0, 0},
	}, {
		name:    "a large environment survives",
		renewed: true, commands: []string{"i=0; while [ $i -lt 300 ]; do i=$((i+1)); eval \"V$i='$(printf %01000d $i)'\"; done; exit 0", "echo ${#V300} ${#V1}; exit 0", "echo ${#V300}"},
		output: "1000 1000\n1000\n", exits: []int{0, 0, 0},
	}, {
		name:    "a variable may be longer than what is kept for a new shell",
		renewed: true, commands: []string{"A=1", "x=$(head -c 40000000 /dev/zero | tr '\\0' a); echo ${#x}", "exit 0", "echo $A"},
		output: "40000000\n1\n", exits: []int{0, 0, 0, 0},
	}, {
		name:    "a long variable survives",
		renewed: true, commands: []string{"A=1", "x=$(head -c 20000000 /dev/zero | tr '\\0' a); echo ${#x}; exit 0", "echo $A ${#x}"},
		output: "20000000\n1 20000000\n", exits: []int{0, 0, 0},
	}, {
		name:     "bash arrays, functions and shopt survive a new shell",
		only:     "bash",
		commands: []string{"a=(1 'two words' 3); declare -A m=([k]=v); shopt -s nullglob; f() { echo \"f ${a[1]}\"; }; export -f f; exit 0", "f; bash -c f; echo ${m[k]} ${#a[@]} nothing*"},
		output:   "f two words\nf \nv 3\n", exits: []int{0, 0},
	}, {
		name:     "pipefail is an option too",
		only:     "bash",
		commands: []string{"set -o pipefail; false | true", "false | true"}, exits: []int{1},
	},
}

func TestShellStories(t *testing.T) {
	for shell, path := range shells(t) {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			for _, tt := range shellStories {
				if tt.only != "" && tt.only != shell || shell == "sh" && !tt.renewed {
					continue
				}
				t.Run(tt.name, func(t *testing.T) { tt.check(t, path) })
			}
		})
	}
}

func (story shellStory) check(t *testing.T, shell string) {
	s := newSandbox(t)
	job := s.job(story.commands...)
	job.Shell = shell
	res := s.run(job)
	got := res.output()
	if rest, some := strings.CutPrefix(story.output, "*"); some && !strings.HasSuffix(got, rest) || !some && !strings.HasPrefix(got, story.output) {
		t.Errorf("printed %q, want %q", got, story.output)
	}
	var exits []int
	for _, c := range res.commands {
		exits = append(exits, c.Exit)
	}
	if !slices.Equal(exits, story.exits) {
		t.Errorf("exit statuses %v, want %v\n%s", exits, story.exits, res.log)
	}
	if left, _ := filepath.Glob(filepath.Join(s.home, "output/tmp/shell*/*.sh")); slices.ContainsFunc(left, isState) {
		t.Errorf("a state, with its secrets, is left in %q", left)
	}
}

func isState(path string) bool { return filepath.Base(path) == "state.sh" }

func TestAMissingShellIsTheImagesFault(t *testing.T) {
	s := newSandbox(t)
	job := s.job("echo hi")
	job.Shell = "no-such-shell"
	res := s.run(job)
	if res.done.Status != wire.StatusFailed || res.done.Reason != "shell_missing" || !strings.Contains(res.done.Message, "env.shell") {
		t.Errorf("ended %+v", res.done)
	}
}

// ownReaper waits for the processes that it started and for no others, which belong to the test binary.
func ownReaper(t *testing.T) *reaper {
	r := &reaper{waiting: make(map[int]chan syscall.WaitStatus)}
	go func() {
		for t.Context().Err() == nil {
			time.Sleep(time.Millisecond)
			r.mu.Lock()
			for pid, ended := range r.waiting {
				var status syscall.WaitStatus
				if got, _ := syscall.Wait4(pid, &status, syscall.WNOHANG, nil); got == pid {
					delete(r.waiting, pid)
					ended <- status
				}
			}
			r.mu.Unlock()
		}
	}()
	return r
}

// TestAStopLeavesACommandItsFile stops before the shell has read what it was told: it still finds its file, which is gone
// when all is over.
func TestAStopLeavesACommandItsFile(t *testing.T) {
	path, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	home := t.TempDir()
	s := newShell(path, "sh", home, t.TempDir(), os.Environ(), int(out.Fd()), ownReaper(t))
	t.Cleanup(s.sweep)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	_, _ = s.run(stopped, "echo on", true)
	s.tell("exit 0\n")
	select {
	case <-s.ended:
	case <-time.After(patience):
		t.Fatal("the shell does not end")
	}
	if said, err := os.ReadFile(out.Name()); string(said) != "on\n" {
		t.Errorf("the shell said %q, %v", said, err)
	}
	s.sweep()
	if left, err := filepath.Glob(filepath.Join(home, "command*")); len(left) > 0 || err != nil {
		t.Errorf("%q lie about, %v", left, err)
	}
}

// TestAShellThatDiedIsNotWaitedForTwice reads what a shell said last after its death is known: by chance, the death
// is taken note of before or after that, so the story is told often.
func TestAShellThatDiedIsNotWaitedForTwice(t *testing.T) {
	path, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	r := ownReaper(t)
	for range 30 {
		s := newShell(path, "sh", t.TempDir(), t.TempDir(), os.Environ(), int(os.Stdout.Fd()), r)
		t.Cleanup(s.sweep)
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
		s.tell("{ printf 'V:\\n\\000' >" + quote(s.statusPath()) + "; exit 3; }\n")
		for len(s.ended) == 0 {
			time.Sleep(time.Millisecond)
		}
		if _, err := s.next(t.Context()); err != nil {
			t.Fatal(err)
		}
		over := make(chan struct{})
		go func() { s.end(); close(over) }()
		select {
		case <-over:
		case <-time.After(30 * time.Second):
			t.Fatal("ending a shell that had died never came to an end")
		}
	}
}

// TestAQuestionToADyingShell asks what ends the shell: the state it leaves behind is no answer.
func TestAQuestionToADyingShell(t *testing.T) {
	r := ownReaper(t)
	for name, path := range shells(t) {
		s := newShell(path, name, t.TempDir(), t.TempDir(), os.Environ(), int(os.Stdout.Fd()), r)
		t.Cleanup(s.sweep)
		answers, err := s.ask(t.Context(), "printf 'Aone\\000'; exit 7")
		if !errors.Is(err, errEnded) || !strings.Contains(err.Error(), "exit status 7") {
			t.Errorf("%s: answers %q, error %v; want that the shell ended with exit status 7", name, answers, err)
		}
		if answers, err := s.ask(t.Context(), "printf 'Atwo\\000'"); err != nil || !slices.Equal(answers, []string{"two"}) {
			t.Errorf("%s: afterwards it answers %q (%v), want two", name, answers, err)
		}
		s.end()
	}
}

// TestTheEndOfAShellComesThroughAFullFIFO has more messages waiting than the FIFO and the agent hold: they are read on
// while the end is written behind them.
func TestTheEndOfAShellComesThroughAFullFIFO(t *testing.T) {
	path, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	s := newShell(path, "sh", t.TempDir(), t.TempDir(), os.Environ(), int(os.Stdout.Fd()), ownReaper(t))
	t.Cleanup(s.sweep)
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	for err = error(nil); err == nil; { // until neither the reader nor the FIFO takes more
		_ = s.status.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, err = s.status.WriteString(strings.Repeat("Q\x00", 512))
	}
	_ = s.status.SetWriteDeadline(time.Time{})
	s.tell("exit 3\n")
	for len(s.ended) == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience/2)
	defer cancel()
	over := make(chan error, 1)
	go func() {
		for {
			m, err := s.next(ctx)
			if err != nil || m.kind == endOfShell {
				over <- err
				return
			}
		}
	}()
	select {
	case err := <-over:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("the end of the shell is not told, and the time limit is not kept")
	}
}

// TestAShellThatCannotBeWaitedForIsGivenUp tells of a shell that a process of the job traces and does not wait for: the
// kernel tells nobody else of its end.
func TestAShellThatCannotBeWaitedForIsGivenUp(t *testing.T) {
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	script, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := &shell{script: script, pid: cmd.Process.Pid, ended: make(chan syscall.WaitStatus)}
		began := time.Now()
		s.end()
		if took := time.Since(began); took != unkillable || s.script != nil {
			t.Errorf("given up after %s, want %s; its script is %v", took, unkillable, s.script)
		}
	})
}
