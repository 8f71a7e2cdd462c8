//go:build linux

package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/internal/leak"
	"github.com/runner-ci/runner/runner/wire"
)

// asAgent makes the test binary the agent, so that a test talks to a real process.
const asAgent = "RUNNER_TEST_AS_AGENT"

func TestMain(m *testing.M) {
	if IsTool(os.Args[0]) || os.Getenv(asAgent) == "1" {
		beAsTold()
		os.Exit(Main(os.Args))
	}
	if how := os.Getenv(fakeEngine); how != "" {
		os.Exit(actAsEngine(how))
	}
	leak.Main(m)
}

// patience bounds every wait, so that a broken agent does not hang the tests.
const patience = 30 * time.Second

// sandbox is a running agent and the directories it was given.
type sandbox struct {
	t                *testing.T
	spool, home, src string
	cmd              *exec.Cmd
	in               io.WriteCloser
	out              io.ReadCloser
	errs             bytes.Buffer
	env              []string // more of it for the agent
	exited           chan error
}

func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	dir := fastDir(t)
	s := &sandbox{t: t, spool: filepath.Join(dir, "spool"), home: filepath.Join(dir, "home"), src: filepath.Join(dir, "src")}
	for _, d := range []string{s.spool, s.home, s.src} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// fastDir returns a directory in memory where there is one: the record is synced at the end of each job, and a
// busy disk would make the tests wait for it.
func fastDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "agent-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// start starts an agent on the sandbox, again after a former one ended.
func (s *sandbox) start() *sandbox {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd = exec.Command(self, "-spool", s.spool, "-home", s.home)
	s.cmd.Env = []string{asAgent + "=1", raceExit, "PATH=" + os.Getenv("PATH"), "HOME=" + s.home, "TMPDIR=" + s.home}
	s.cmd.Env = append(s.cmd.Env, s.env...)
	s.cmd.Stderr = &s.errs
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	out, write, err := os.Pipe() // not StdoutPipe, which Wait would close under the reader
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd.Stdout = write
	s.in, s.out = stdin, out
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	write.Close()
	s.exited = make(chan error, 1)
	go func() { s.exited <- s.cmd.Wait() }()
	s.t.Cleanup(func() {
		s.in.Close()
		_ = s.cmd.Process.Kill()
		out.Close()
	})
	return s
}

func (s *sandbox) send(bodies ...wire.Body) {
	s.t.Helper()
	w := wire.NewWriter(s.in)
	if err := w.Begin(); err != nil {
		s.t.Fatal(err)
	}
	for i, body := range bodies {
		if err := w.Send(uint64(i+1), body); err != nil {
			s.t.Fatal(err)
		}
	}
}

// wait waits for the agent's exit status.
func (s *sandbox) wait() int {
	s.t.Helper()
	select {
	case err := <-s.exited:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			s.t.Fatal(err)
		}
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		s.t.Fatal("the agent does not end")
		return -1
	}
}

var hello = wire.Hello{Protocol: wire.Protocol, Epoch: 1}

// result is all that a job told.
type result struct {
	frames   []wire.Frame
	log      string
	commands []wire.CommandEnded
	phases   []wire.PhaseEnded
	done     wire.Done
}

// run runs a job to its end and checks that the stream and the spool tell the same.
func (s *sandbox) run(job wire.Job) result {
	s.t.Helper()
	s.start()
	s.send(hello, job)
	streamed := s.readAll(s.out)
	if status := s.wait(); status != 0 {
		s.t.Fatalf("the agent ended with exit status %d: %s", status, &s.errs)
	}
	if spooled := s.spooled(); !equalFrames(streamed.frames, spooled.frames) {
		s.t.Errorf("%d frames were sent, %d spooled", len(streamed.frames), len(spooled.frames))
	}
	return streamed
}

func equalFrames(a, b []wire.Frame) bool {
	return slices.EqualFunc(a, b, func(x, y wire.Frame) bool { return x.Seq == y.Seq && bytes.Equal(x.Body, y.Body) })
}

func (s *sandbox) spooled() result {
	s.t.Helper()
	f, err := os.Open(filepath.Join(s.spool, wire.SpoolFile))
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	return s.readAll(f)
}

// readAll reads frames to the end of a stream. They must be numbered without gaps.
func (s *sandbox) readAll(from io.Reader) result {
	s.t.Helper()
	var res result
	r := wire.NewReader(from)
	for last := uint64(0); ; {
		f, err := r.Read()
		if errors.Is(err, io.EOF) {
			return res
		}
		if err != nil {
			s.t.Fatal(err)
		}
		if f.Seq == 0 {
			continue
		}
		if f.Seq != last+1 {
			s.t.Fatalf("frame %d follows frame %d", f.Seq, last)
		}
		last = f.Seq
		res.add(s.t, f)
	}
}

func (res *result) add(t *testing.T, f wire.Frame) {
	t.Helper()
	res.frames = append(res.frames, f)
	var err error
	switch f.Kind {
	case wire.KindLog:
		var l wire.Log
		err = wire.Decode(f, &l)
		res.log += string(l.Data)
	case wire.KindCommandEnded:
		var c wire.CommandEnded
		err = wire.Decode(f, &c)
		res.commands = append(res.commands, c)
	case wire.KindPhaseEnded:
		var p wire.PhaseEnded
		err = wire.Decode(f, &p)
		res.phases = append(res.phases, p)
	case wire.KindDone:
		err = wire.Decode(f, &res.done)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// output is the log without the agent's own lines.
func (res result) output() string {
	var b strings.Builder
	for line := range strings.Lines(res.log) {
		if !strings.HasPrefix(line, "[Container] ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// summary is the phases in short: "INSTALL SUCCEEDED, BUILD FAILED".
func (res result) summary() string {
	var all []string
	for _, p := range res.phases {
		all = append(all, fmt.Sprintf("%s %s", p.Phase, p.Status))
	}
	return strings.Join(all, ", ")
}

func (s *sandbox) job(commands ...string) wire.Job {
	return wire.Job{
		Attempt: "api#1/build@1", Dir: s.src,
		Phases: []wire.Phase{{Name: wire.PhaseBuild, Commands: commands}},
		Limits: wire.Limits{TimeoutMillis: patience.Milliseconds(), GraceMillis: 200},
	}
}
