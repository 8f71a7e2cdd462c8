package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/tests/history"
)

// A new binary takes over in the same process, so that who supervises it sees nothing:
//
//  1. the new binary is rehearsed: as a process of its own it reads the configuration, and says whether it knows the formats
//     of the databases. Where it does not, or crashes, nothing changes;
//  2. requests under way are answered, the running builds are let go of, the databases are closed. The listening socket
//     stays open: the kernel queues who connects meanwhile;
//  3. the process becomes the new binary, which finds the socket, and the former binary, among its descriptors;
//  4. where it cannot serve after all, the process becomes the former binary again, on the same socket.
const (
	envRehearsal = "RUNNER_REHEARSAL"       // the formats that the new binary must know
	envListener  = "RUNNER_LISTENER_FD"     // the socket
	envFormer    = "RUNNER_FORMER_FD"       // the former binary, until the new one serves
	envArgs      = "RUNNER_FORMER_ARGS"     // its arguments: what lies in its place may be a script that changes them
	envFailed    = "RUNNER_UPGRADE_FAILURE" // why the new one did not
)

const (
	// rehearsalWait bounds a rehearsal. A cold disk reads a binary in seconds.
	rehearsalWait = 20 * time.Second
	// rehearsalEnd is how long its output is waited for when it was ended: what it left behind may hold that for ever.
	rehearsalEnd = time.Second
	// upgradeWait bounds how long requests under way are waited for; their clients wait for the new binary otherwise.
	upgradeWait = 3 * time.Second
)

// formats are the newest formats that this binary writes, as Rehearsed reads them.
func formats() string {
	return fmt.Sprintf("state=%d artifacts=%d tests=%d access=%d", scheduler.Format, artifacts.Format, history.Format, access.Format)
}

// Rehearsal tells whether this process is a rehearsal, and then whether this binary could take over: it knows every format
// that the running one writes. The configuration was read before.
func Rehearsal() (is bool, err error) {
	asked := os.Getenv(envRehearsal)
	if asked == "" {
		return false, nil
	}
	known := make(map[string]int)
	for word := range strings.FieldsSeq(formats()) {
		name, n, _ := strings.Cut(word, "=")
		known[name], _ = strconv.Atoi(n)
	}
	for word := range strings.FieldsSeq(asked) {
		name, text, _ := strings.Cut(word, "=")
		if n, err := strconv.Atoi(text); err != nil || n > known[name] {
			return true, fmt.Errorf("%s has format %s, and this binary knows %d: it is older than the one that runs; install a newer one", name, text, known[name])
		}
	}
	return true, nil
}

// rehearse runs the new binary once, to see whether it could take over.
func rehearse(ctx context.Context, binary string, args []string) error {
	ctx, cancel := context.WithTimeout(ctx, rehearsalWait)
	defer cancel()
	var said bytes.Buffer
	run := func() error {
		cmd := exec.CommandContext(ctx, binary, args...)
		cmd.Env = append(os.Environ(), envRehearsal+"="+formats())
		cmd.Stdout, cmd.Stderr = &said, &said
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what lies there may be a script, whose child hangs
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.WaitDelay = rehearsalEnd
		return cmd.Run()
	}
	err := run()
	for errors.Is(err, syscall.ETXTBSY) && ctx.Err() == nil { // whoever wrote it has a child that has not let go of it yet
		time.Sleep(20 * time.Millisecond)
		err = run()
	}
	if err == nil && !strings.Contains(said.String(), rehearsed) {
		err = errors.New("it did not say that it can take over")
	}
	if err != nil {
		return fmt.Errorf("%s cannot take over: %w: %s", binary, err, strings.TrimSpace(said.String()))
	}
	return nil
}

// rehearsed is the last line of a rehearsal that went well.
const rehearsed = "rehearsal: this binary can take over"

// RehearsalDone is what a rehearsal prints that went well.
func RehearsalDone() string { return rehearsed }

// inherited is what this process was given by the one before: by a former binary, or by systemd.
type inherited struct {
	listener net.Listener // nil: it makes its own
	former   *os.File     // nil: there is none to go back to
	args     []string     // of former
}

// inherit takes over what is there, and hides it from the processes that this one starts.
func inherit(log *slog.Logger) (in inherited, err error) {
	defer func() {
		for _, name := range []string{envListener, envFormer, envArgs, envFailed, "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
			os.Unsetenv(name)
		}
	}()
	if why := os.Getenv(envFailed); why != "" {
		log.Error("the upgrade failed; the former binary serves on", "error", why)
	}
	if f := descriptor(os.Getenv(envFormer), "former binary"); f != nil {
		in.former = f
		if err := json.Unmarshal([]byte(os.Getenv(envArgs)), &in.args); err != nil {
			return in, fmt.Errorf("reading the arguments of the former binary: %w", err)
		}
	}
	socket := descriptor(os.Getenv(envListener), "listener")
	if os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) {
		if n := os.Getenv("LISTEN_FDS"); n != "1" {
			return in, fmt.Errorf("systemd passes %s sockets, and one is listened on; leave one ListenStream= in the socket unit", n)
		}
		socket = descriptor("3", "socket of systemd")
	}
	if socket == nil {
		return in, nil
	}
	defer socket.Close()
	if in.listener, err = net.FileListener(socket); err != nil {
		return in, fmt.Errorf("listening on the socket that was handed over: %w", err)
	}
	return in, nil
}

func descriptor(number, name string) *os.File {
	fd, err := strconv.Atoi(number)
	if err != nil || fd < 3 {
		return nil
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), name)
}

// keepSocket returns the listener's socket as a file, which stays open when the listener is closed.
func keepSocket(ln net.Listener) (*os.File, error) {
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("a socket of %s cannot be handed over", ln.Addr().Network())
	}
	return tcp.File()
}

// upgradeTo makes this process the new binary, or, where the kernel does not run it, this one again.
func upgradeTo(binary string, socket *os.File) error {
	former, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	args, err := json.Marshal(os.Args)
	if err != nil {
		return err
	}
	err = become(binary, os.Args, map[string]*os.File{envListener: socket, envFormer: former}, envArgs+"="+string(args))
	return errors.Join(err, goBack(inherited{former: former, args: os.Args}, socket, err))
}

// goBack makes this process the former binary.
func goBack(in inherited, socket *os.File, why error) error {
	path := fmt.Sprintf("/proc/self/fd/%d", in.former.Fd())
	failure := envFailed + "=" + strings.ReplaceAll(why.Error(), "\x00", "")
	return become(path, in.args, map[string]*os.File{envListener: socket}, failure)
}

// become makes this process another binary, which finds descriptors and a word of ours in its environment. It returns only with
// an error.
func become(binary string, args []string, give map[string]*os.File, word string) error {
	env := append(os.Environ(), word)
	for name, f := range give {
		fd := f.Fd()
		if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_SETFD, 0); errno != 0 {
			return fmt.Errorf("handing over a descriptor: %w", errno)
		}
		env = append(env, fmt.Sprintf("%s=%d", name, fd))
	}
	if err := syscall.Exec(binary, args, env); err != nil {
		return fmt.Errorf("becoming %s: %w", binary, err)
	}
	return nil
}
