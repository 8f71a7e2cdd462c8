//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// Shells of other users read our files and write to our FIFO. Each file belongs to the user of the moment and is for
// nobody else; the directory stays ours, so that nobody can put a link where the agent is about to write.

// open lets the shell's user reach its files.
func (s *shell) open() error {
	if !s.user.other() {
		return nil
	}
	return os.Chmod(s.home, 0o711)
}

// give makes a file its user's.
func (s *shell) give(f *os.File) error {
	if !s.user.other() {
		return nil
	}
	return f.Chown(int(s.user.uid), int(s.user.gid))
}

// writeFor writes a file that the shell's user reads.
func (s *shell) writeFor(path, text string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, s.give(f), f.Close())
}

// makeFIFO makes a FIFO for the shell's user and opens it for both directions, so that neither end ever waits for the
// other.
func (s *shell) makeFIFO(path string) (*os.File, error) {
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return nil, &fs.PathError{Op: "mkfifo", Path: path, Err: err}
	}
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := s.give(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// credential is what a process of the user's starts with, nil for the agent's own.
func (u user) credential() *syscall.Credential {
	if !u.other() {
		return nil
	}
	return &syscall.Credential{Uid: u.uid, Gid: u.gid, Groups: u.groups}
}

// become lets the next command run as another user, in the state that the last one left. HOME stays as it is where
// the job itself set it.
func (s *shell) become(ctx context.Context, u user, homeFixed bool) error {
	if u.name == s.user.name {
		return nil
	}
	if err := s.leave(ctx); err != nil {
		return err
	}
	s.user = u
	if err := errors.Join(s.makeFiles(), s.open(), s.handOver()); err != nil {
		return fmt.Errorf("%w: giving its files to %s: %w", errShell, u.name, err)
	}
	lines, known := s.identities[u.name]
	if !known {
		lines = setVar("USER", u.login) + setVar("LOGNAME", u.login)
		if !homeFixed {
			lines += setVar("HOME", u.home)
		}
	}
	s.identity = lines
	return nil
}

// handOver gives what outlives shells to the next user: the FIFO, and the pipe of all output, which programs open
// again as /dev/stdout.
func (s *shell) handOver() error {
	uid, gid := os.Geteuid(), os.Getegid()
	if s.user.other() {
		uid, gid = int(s.user.uid), int(s.user.gid)
	}
	if s.status != nil {
		if err := s.status.Chown(uid, gid); err != nil {
			return err
		}
	}
	return syscall.Fchown(s.stdout, uid, gid)
}

// identityVars are the variables that tell programs whose they are.
var identityVars = []string{"HOME", "USER", "LOGNAME"}

// leave ends the shell of a user and remembers what its commands made of HOME and the like.
func (s *shell) leave(ctx context.Context) error {
	if s.fresh {
		s.forget() // what a question has left
		return nil
	}
	if s.script == nil && s.state == nil {
		return nil
	}
	var lines strings.Builder
	for _, name := range identityVars {
		fmt.Fprintf(&lines, "printf 'A%%s\\000' \"%s=${%s+x$%s}\"\n", name, name, name)
	}
	answers, err := s.ask(ctx, lines.String())
	switch {
	case errors.Is(err, errEnded):
		return nil // what it said first is still known
	case err != nil:
		return err
	}
	values := map[string]string{}
	for _, a := range answers {
		if name, value, _ := strings.Cut(a, "="); value != "" {
			values[name] = value[1:]
		}
	}
	s.identities[s.user.name] = identity(values)
	if s.script == nil {
		return nil
	}
	s.tell("exit 0\n")
	_, _, err = s.wait(ctx)
	return err
}

func identityFrom(env []string) string {
	values := map[string]string{}
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	return identity(values)
}

// identity returns lines that set the variables as values has them, and unset the others.
func identity(values map[string]string) string {
	var b strings.Builder
	for _, name := range identityVars {
		if value, set := values[name]; set {
			b.WriteString(setVar(name, value))
		} else {
			fmt.Fprintf(&b, "(unset %s) && unset %s\n", name, name)
		}
	}
	return b.String()
}

// setVar exports a variable, unless a command has made it readonly: that would end a shell.
func setVar(name, value string) string {
	return fmt.Sprintf("(export %s=) && export %s=%s\n", name, name, quote(value))
}
