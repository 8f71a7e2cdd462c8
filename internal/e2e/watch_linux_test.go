package e2e

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal makes a pseudo-terminal of 100 columns and 30 rows: what a person has in hand, and what a program sees.
func openTerminal(t *testing.T) (hand, program *os.File) {
	t.Helper()
	hand, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hand.Close() })
	if err := unix.IoctlSetPointerInt(int(hand.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(hand.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	if err := unix.IoctlSetWinsize(int(program.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 100}); err != nil {
		t.Fatal(err)
	}
	return hand, program
}

// watching is runner watch on a terminal.
type watching struct {
	t    *testing.T
	hand *os.File
	seen *syncBuffer // all that it wrote
	gone chan error
}

func (d *daemon) watch(t *testing.T, args ...string) *watching {
	t.Helper()
	hand, program := openTerminal(t)
	token, err := os.ReadFile(filepath.Join(d.data(), "token"))
	if err != nil {
		t.Fatal(err)
	}
	w := &watching{t: t, hand: hand, seen: new(syncBuffer), gone: make(chan error, 1)}
	cmd := exec.CommandContext(t.Context(), binary, append([]string{"watch"}, args...)...)
	cmd.Env = append(os.Environ(), "RUNNER_URL=http://"+d.address, "RUNNER_TOKEN="+strings.TrimSpace(string(token)), "TERM=xterm-256color")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go io.Copy(w.seen, hand)
	go func() { w.gone <- cmd.Wait() }()
	return w
}

// shows waits until the terminal was shown a text.
func (w *watching) shows(text string) {
	w.t.Helper()
	end := time.Now().Add(30 * time.Second)
	for !strings.Contains(w.seen.String(), text) {
		if time.Now().After(end) {
			w.t.Fatalf("the terminal was not shown %q:\n%q", text, w.seen)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (w *watching) press(keys string) {
	w.t.Helper()
	if _, err := io.WriteString(w.hand, keys); err != nil {
		w.t.Fatal(err)
	}
}

// exits waits until the watch has ended with a status.
func (w *watching) exits(status int) {
	w.t.Helper()
	var err error
	select {
	case err = <-w.gone:
	case <-time.After(30 * time.Second):
		w.t.Fatalf("the watch does not end:\n%q", w.seen)
	}
	var exit *exec.ExitError
	if got := 0; errors.As(err, &exit) {
		if got = exit.ExitCode(); got != status {
			w.t.Errorf("the watch ended with %d, want %d:\n%q", got, status, w.seen)
		}
	} else if err != nil || status != 0 {
		w.t.Errorf("the watch ended with %v, want status %d:\n%q", err, status, w.seen)
	}
}

// TestAWatchOutlivesTheDaemon: a person watches a build on a terminal, and another one all builds. The daemon dies and comes
// back; both go on, and the first ends with the build's status.
func TestAWatchOutlivesTheDaemon(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", map[string]string{
		"buildspec.yml": spec("echo before it", "sleep 3", "echo after it; exit 3"),
	})
	d := newDaemon(t, "", project("api", url))
	id := d.push(url, commit)
	d.awaitPhase(id, "BUILD")
	one, all := d.watch(t, id), d.watch(t)
	one.shows("before it")
	one.shows("█")
	all.shows("runs and waits")
	d.kill()
	d.start()
	one.shows("after it")
	one.exits(1)
	one.shows(id + " FAILED in ")
	all.shows("FAILED")
	all.press("o")
	all.shows("/projects/api/builds/1")
	all.press("q")
	all.exits(0)
	out, errs, exit := d.runCLI(t.TempDir(), "watch", id)
	if exit != 1 || !strings.Contains(out, id+" FAILED in ") {
		t.Errorf("of a build that has ended, the watch exited %d:\n%s%s", exit, out, errs)
	}
}
