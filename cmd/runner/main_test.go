package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/runner-ci/runner/internal/enginetest"
	"github.com/runner-ci/runner/internal/leak"
)

// TestMain makes this test binary the runner command of the scripts: they run the real main.
func TestMain(m *testing.M) {
	if status, is := internalProcess(os.Args); is {
		os.Exit(status)
	}
	testscript.Main(leak.Tests{M: m}, map[string]func(){"runner": main})
}

// TestScripts runs testdata/*.txtar, which need no engine.
func TestScripts(t *testing.T) { testscript.Run(t, scripts("testdata")) }

// TestScriptsInDocker runs testdata/docker/*.txtar: real builds on a real engine, in $IMAGE. Their runner is built
// without shared libraries, as a release is (with its flags, to share the compiler's cache with make build): it is its
// own agent, and an image need not have what it links to.
func TestScriptsInDocker(t *testing.T) {
	image := enginetest.Busybox(t)
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	bin := filepath.Dir(staticRunner(t))
	p := scripts(filepath.Join("testdata", "docker"))
	setup := p.Setup
	p.Setup = func(env *testscript.Env) error {
		env.Setenv("IMAGE", image)
		env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
		return setup(env)
	}
	testscript.Run(t, p)
}

// staticRunner builds the command as a release is, and returns where it is.
func staticRunner(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "runner")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building runner: %v\n%s", err, out)
	}
	return binary
}

// scripts runs each script in a directory and with a home of its own. Beside the usual commands, scripts have:
//
//	status N command …     run a command that must end with exit status N
//	daemon start [flags]   start a real daemon; RUNNER_TEST_URL and RUNNER_TEST_TOKEN tell where
//	daemon stop            end it by SIGTERM, which must succeed
//	daemon kill            end it by SIGKILL
//	repository DIR         make DIR a git repository, with its files committed
func scripts(dir string) testscript.Params {
	return testscript.Params{
		Dir: dir,
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			for _, name := range []string{"RUNNER_URL", "RUNNER_TOKEN", "NO_COLOR"} {
				env.Setenv(name, "")
			}
			env.Setenv("HOME", home)
			env.Setenv("NEXT_WEEK", time.Now().UTC().AddDate(0, 0, 7).Format(time.DateOnly))
			env.Setenv("NEXT_YEAR", time.Now().UTC().AddDate(1, 0, 0).Format(time.DateOnly))
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(home, "config"))
			env.Setenv("XDG_CACHE_HOME", filepath.Join(home, "cache"))
			env.Setenv("XDG_STATE_HOME", filepath.Join(home, "state"))
			env.Setenv("DOCKER_HOST", os.Getenv("DOCKER_HOST"))
			return os.MkdirAll(home, 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"daemon": daemonCommand, "status": statusCommand, "repository": repositoryCommand,
		},
	}
}

// repositoryCommand makes a directory of the script a git repository.
func repositoryCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: repository DIR")
	}
	dir := ts.MkAbs(args[0])
	for _, command := range [][]string{
		{"init", "-q", "-b", "main"}, {"add", "-A"},
		{"-c", "user.name=Test", "-c", "user.email=test@example.com", "commit", "-q", "-m", "Begin"},
	} {
		ts.Check(ts.Exec("git", append([]string{"-C", dir}, command...)...))
	}
}

// statusCommand runs a command and holds its exit status against a number: "status 2 runner ls". The outputs are
// there for stdout and stderr afterwards, through a file each.
func statusCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status NUMBER COMMAND [args]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// daemons are the daemons of scripts (*exec.Cmd), by their working directory: a script has one at a time. Scripts run
// in parallel.
var daemons sync.Map

func daemonCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: daemon start [flags] | stop | kill")
	}
	work := ts.Getenv("WORK")
	switch args[0] {
	case "start":
		startDaemon(ts, work, args[1:])
	case "stop":
		endDaemon(ts, work, syscall.SIGTERM)
	case "kill":
		endDaemon(ts, work, syscall.SIGKILL)
	default:
		ts.Fatalf("usage: daemon start [flags] | stop | kill")
	}
}

var listening = regexp.MustCompile(`^listening (\S+)$`)

func startDaemon(ts *testscript.TestScript, work string, flags []string) {
	data := filepath.Join(work, "data")
	args := append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0"}, flags...)
	program, err := lookPath(ts.Getenv("PATH"), "runner")
	ts.Check(err)
	cmd := exec.Command(program, args...)
	cmd.Dir = work
	for _, name := range []string{"PATH", "HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "DOCKER_HOST", "TMPDIR"} {
		if v := ts.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	log, err := os.Create(filepath.Join(work, "daemon.log"))
	ts.Check(err)
	defer log.Close()
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	daemons.Store(work, cmd)
	instance := ""
	ts.Defer(func() {
		if daemons.CompareAndDelete(work, cmd) {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		if instance != "" {
			sweep(instance)
		}
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			token, err := os.ReadFile(filepath.Join(data, "token"))
			ts.Check(err)
			if d, err := connect(m[1], strings.TrimSpace(string(token))).Daemon(context.Background()); err == nil {
				instance = d.Instance
			}
			ts.Setenv("RUNNER_TEST_URL", m[1])
			ts.Setenv("RUNNER_TEST_TOKEN", strings.TrimSpace(string(token)))
			go func() {
				for lines.Scan() { // so that the daemon never waits for us
				}
			}()
			return
		}
	}
	text, _ := os.ReadFile(filepath.Join(work, "daemon.log"))
	ts.Fatalf("the daemon ended before it listened:\n%s", text)
}

func lookPath(path, name string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		if file := filepath.Join(dir, name); exec.Command("test", "-x", file).Run() == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("%s is not in %s", name, path)
}

// endWait bounds how long a daemon may take to end: twice what it promises.
const endWait = 10 * time.Second

func endDaemon(ts *testscript.TestScript, work string, signal syscall.Signal) {
	running, ok := daemons.LoadAndDelete(work)
	if !ok {
		ts.Fatalf("no daemon runs")
	}
	cmd := running.(*exec.Cmd)
	ts.Check(cmd.Process.Signal(signal))
	late := time.AfterFunc(endWait, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	err := cmd.Wait()
	if signal == syscall.SIGTERM && err != nil {
		text, _ := os.ReadFile(filepath.Join(work, "daemon.log"))
		ts.Fatalf("the daemon did not end well: %v\n%s", err, text)
	}
}

// commands lists every command that people see.
func commands(cmd *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, sub := range cmd.Commands() {
		if !sub.Hidden && sub.Name() != "help" {
			all = append(all, sub)
			all = append(all, commands(sub)...)
		}
	}
	return all
}

func TestEveryCommandExplainsItself(t *testing.T) {
	for _, cmd := range commands(newRoot(&app{})) {
		if cmd.Example == "" || !strings.HasPrefix(strings.TrimSpace(cmd.Example), "runner ") && !strings.Contains(cmd.Example, cmd.CommandPath()) {
			t.Errorf("%s has no example that runs", cmd.CommandPath())
		}
		if cmd.Annotations["exit"] == "" {
			t.Errorf("%s does not say what its exit statuses mean", cmd.CommandPath())
		}
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: the short help is one line without a full stop: %q", cmd.CommandPath(), cmd.Short)
		}
	}
}

// sections splits docs/cli.md at its headings.
func sections(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for _, part := range regexp.MustCompile(`(?m)^#+ `).Split(string(text), -1) {
		heading, body, _ := strings.Cut(part, "\n")
		parts[strings.Trim(heading, "` ")] = body
	}
	return parts
}

var documentedFlag = regexp.MustCompile("(?m)^\\| (?:`-[a-z]`, )?`--([a-z-]+)")

func TestEveryFlagIsDocumented(t *testing.T) {
	docs := sections(t)
	for _, cmd := range commands(newRoot(&app{})) {
		body, ok := docs[cmd.CommandPath()]
		if !ok {
			t.Errorf("docs/cli.md has no section %q", cmd.CommandPath())
			continue
		}
		var documented, real []string
		for _, m := range documentedFlag.FindAllStringSubmatch(body, -1) {
			documented = append(documented, m[1])
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" {
				real = append(real, f.Name)
			}
		})
		for _, name := range real {
			if !slices.Contains(documented, name) {
				t.Errorf("docs/cli.md does not describe --%s of %s", name, cmd.CommandPath())
			}
		}
		for _, name := range documented {
			if !slices.Contains(real, name) {
				t.Errorf("docs/cli.md describes --%s of %s, which does not exist", name, cmd.CommandPath())
			}
		}
	}
}
