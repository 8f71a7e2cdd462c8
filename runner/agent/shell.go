//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// shell is the one shell of a job. When a command ends it, the next command gets a new one in the same state.
type shell struct {
	path   string   // of the program
	name   string   // argv[0]
	env    []string // of the first shell
	dir    string   // where the first command starts
	home   string   // a directory of ours for its files
	stdout int
	reaper *reaper
	fresh  bool // each command gets a shell of its own, in which nothing is carried over

	fileBytes int64 // what its processes may make one file; 0 is no limit

	user       user              // whose shells they are
	identities map[string]string // by user: lines that set HOME and the like
	identity   string            // those that the next shell runs first

	script   *os.File // what it reads; nil while there is no shell
	pid      int
	ended    <-chan syscall.WaitStatus // nil once it was read
	status   *os.File
	messages chan message
	heard    chan struct{}  // closed when nothing reads status any more
	unsaid   <-chan message // the end of the process, when the FIFO did not take it

	state, functions []byte // of the last shell that told
	commands         int
	last             int      // exit status of the last command
	unread           []string // files that a shell may not have read when it was to end
}

// errShell is what a shell that cannot be used comes to.
var errShell = errors.New("the shell does not work")

// errEnded is what a question comes to whose shell ended instead of answering.
var errEnded = errors.New("the shell ended")

// newShell prepares a shell; the process starts with the first command. home must be a fresh directory.
func newShell(path, name, home, dir string, env []string, stdout int, r *reaper) *shell {
	return &shell{
		path: path, name: name, env: env, dir: dir, home: home, stdout: stdout, reaper: r,
		identities: map[string]string{"": identityFrom(env)},
	}
}

// run runs one command and returns its exit status. It fails with the cause of ctx when that ends first, and
// with errShell when the shell cannot run at all.
func (s *shell) run(ctx context.Context, text string, succeeding bool) (int, error) {
	if s.fresh {
		defer s.forget()
	}
	if err := s.start(); err != nil {
		return 0, err
	}
	file, err := s.write(text)
	if err != nil {
		return 0, err
	}
	defer s.remove(ctx, file, s.keptPath())
	s.tell(source(file, succeeding, s.last))
	status, traps, err := s.wait(ctx)
	if err == nil && s.script != nil && userTrap(traps) {
		// The command set an EXIT trap. It means the end of the command, as where each command is a script of its own.
		s.tell(fmt.Sprintf("exit %d\n", status))
		status, _, err = s.wait(ctx)
	}
	s.last = status
	return status, err
}

// forget ends the shell with all that it knew. What it left in the background lives on.
func (s *shell) forget() {
	s.end()
	s.state, s.functions = nil, nil
}

// write puts a command into a file of its own.
func (s *shell) write(text string) (string, error) {
	s.commands++
	file := filepath.Join(s.home, fmt.Sprintf("command%d.sh", s.commands))
	if err := s.writeFor(file, text+"\n"); err != nil {
		return "", fmt.Errorf("%w: writing a command's file: %w", errShell, err)
	}
	return file, nil
}

// remove removes files that a shell was told to read. One that is about to be ended with all other processes may not
// have come to that, and would say so in the log: what it has is removed by sweep.
func (s *shell) remove(ctx context.Context, files ...string) {
	if ctx.Err() != nil {
		s.unread = append(s.unread, files...)
		return
	}
	for _, file := range files {
		_ = os.Remove(file)
	}
}

// sweep removes what was left when all shells had to end.
func (s *shell) sweep() {
	if s != nil {
		s.closeFiles()
		s.remove(context.Background(), s.unread...)
	}
}

// ask runs lines that print messages of kind A, and returns their texts.
func (s *shell) ask(ctx context.Context, lines string) ([]string, error) {
	if err := s.start(); err != nil {
		return nil, err
	}
	file, err := s.write(lines)
	if err != nil {
		return nil, err
	}
	defer s.remove(ctx, file, s.keptPath())
	var answers []string
	dying := false // a shell that ends tells its state, too, which is not the end of an answer
	s.tell(answer(file, s.statusPath()))
	for {
		m, err := s.next(ctx)
		switch {
		case err != nil:
			return nil, err
		case m.kind == 'A' && !m.cut:
			answers = append(answers, string(m.text))
		case m.kind == 'X':
			dying = true
		case m.kind == 'V' && !dying:
			return answers, nil
		case m.kind == endOfShell:
			return nil, fmt.Errorf("%w with exit status %s", errEnded, m.text)
		}
	}
}

// endOfShell is the kind of the message that we send ourselves when the process has ended.
const endOfShell = 'E'

// wait reads messages until the command is over. Without a state from the shell, the last one stays.
func (s *shell) wait(ctx context.Context) (status int, traps []byte, err error) {
	for {
		m, err := s.next(ctx)
		if err != nil {
			return 0, nil, err
		}
		switch m.kind {
		case 'S', 'X':
			status = number(m.text)
		case 'T':
			traps = m.text
		case 'V':
			if state, ok := whole(m.text); ok {
				s.state = state
			}
			if traps != nil { // otherwise the shell is about to end
				return status, traps, nil
			}
		case 'F':
			if functions, ok := whole(m.text); ok {
				s.functions = functions
			}
		case endOfShell:
			return number(m.text), nil, nil
		}
	}
}

// next returns the next message. The end of the process is the last one.
func (s *shell) next(ctx context.Context) (message, error) {
	for {
		select {
		case m := <-s.messages:
			if m.kind == endOfShell {
				s.discard()
			}
			return m, nil
		case status := <-s.ended:
			s.ended, s.unsaid = nil, sayEnd(s.status, exitStatus(status))
		case m := <-s.unsaid:
			s.discard()
			return m, nil
		case <-ctx.Done():
			return message{}, context.Cause(ctx)
		}
	}
}

func number(text []byte) int {
	n := 0
	for _, c := range text {
		if c >= '0' && c <= '9' && n < 1000 {
			n = n*10 + int(c-'0')
		}
	}
	return n
}

func (s *shell) statusPath() string { return filepath.Join(s.home, "status") }

func (s *shell) keptPath() string { return filepath.Join(s.home, "state.sh") }

// keep writes the state for a new shell, which reads a file at once: bash reads its script, a FIFO, byte by byte.
// Whoever starts a shell removes the file when a command is over, because there are secrets in it.
func (s *shell) keep() error {
	if s.state == nil {
		return nil
	}
	return s.writeFor(s.keptPath(), restore(s.functions, s.state, s.dir))
}

// start starts the process unless there is one, and makes sure that its files are there.
func (s *shell) start() error {
	if err := s.makeFiles(); err != nil {
		return fmt.Errorf("%w: making its files: %w", errShell, err)
	}
	if s.script != nil {
		return nil
	}
	path := filepath.Join(s.home, "script.sh")
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", errShell, err)
	}
	script, err := s.makeFIFO(path)
	if err != nil {
		return fmt.Errorf("%w: %w", errShell, err)
	}
	env, initial := s.env, s.state == nil
	if !initial {
		env = nil // the state brings all that is exported, and lacks what was unset
	}
	if err := s.keep(); err != nil {
		return fmt.Errorf("%w: writing the state of the last one: %w", errShell, errors.Join(err, script.Close()))
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		script.Close()
		return fmt.Errorf("%w: %w", errShell, err)
	}
	defer null.Close()
	s.pid, s.ended, err = s.reaper.start(s.path, []string{s.name, path}, &syscall.ProcAttr{
		Dir: s.dir, Env: env,
		Files: []uintptr{null.Fd(), uintptr(s.stdout), null.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true, Credential: s.user.credential()},
	})
	if err != nil {
		script.Close()
		return fmt.Errorf("%w: %w", errShell, err)
	}
	s.script = script
	goFirst(s.pid)
	s.tell(limitFiles(s.pid, s.fileBytes) + prologueFor(s.statusPath()))
	if !initial {
		s.tell(". " + quote(s.keptPath()) + "\n")
	}
	s.tell(s.identity + unmute)
	if !initial {
		s.tell(lost)
	}
	if !s.fresh {
		s.identity = "" // from here on the state brings it
	}
	return nil
}

// makeFiles makes the directory and the status FIFO, again if a command removed them.
func (s *shell) makeFiles() error {
	if s.status != nil {
		ours, err := s.status.Stat()
		if named, err2 := os.Lstat(s.statusPath()); err == nil && err2 == nil && os.SameFile(ours, named) {
			return nil
		}
		s.closeFiles()
		_ = os.Remove(s.statusPath())
		if s.script != nil && s.ended == nil {
			s.discard() // the message of its end went with the file
		}
	}
	if err := os.MkdirAll(s.home, 0o700); err != nil {
		return err
	}
	if err := s.open(); err != nil {
		return err
	}
	status, err := s.makeFIFO(s.statusPath())
	if err != nil {
		return err
	}
	s.status, s.messages, s.heard = status, make(chan message, 8), make(chan struct{})
	go readMessages(status, s.messages, s.heard)
	return nil
}

// closeFiles closes the status FIFO, and waits until its reader, which may have messages that nobody wants, has ended.
func (s *shell) closeFiles() {
	if s.status == nil {
		return
	}
	s.status.Close()
	for s.status != nil {
		select {
		case <-s.messages:
		case <-s.heard:
			s.status = nil
		}
	}
}

// tell writes lines to the shell. A state may be more than a FIFO holds, so writing waits for the shell to read;
// if the shell has died, it is given up after a while, and next tells of the death.
func (s *shell) tell(lines string) {
	_ = s.script.SetWriteDeadline(time.Now().Add(tellLimit))
	_, _ = io.WriteString(s.script, lines)
}

const tellLimit = 10 * time.Second

// end ends the process when no command runs in it.
func (s *shell) end() {
	if s == nil || s.script == nil {
		return
	}
	if s.ended != nil {
		_ = syscall.Kill(s.pid, syscall.SIGKILL)
		select {
		case <-s.ended:
		case <-time.After(unkillable): // a process that traces it has to wait for it before we can
		}
	}
	s.discard()
}

// discard forgets a shell that has ended.
func (s *shell) discard() {
	s.script.Close()
	s.script, s.ended, s.unsaid = nil, nil, nil
}
