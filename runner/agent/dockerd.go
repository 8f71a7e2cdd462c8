//go:build linux

package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// engine is a Docker engine of the job's own: the image's dockerd, which the agent starts for a privileged job.
type engine struct {
	program string
	args    []string
	env     []string
	socket  string
	logFile string
	limit   time.Duration // to wait for an answer
	reaper  *reaper
	say     func(format string, args ...any)
}

// dockerSocket is where programs look for an engine.
const dockerSocket = "/var/run/docker.sock"

// engineLimit is how long CodeBuild's images wait for their dockerd.
const engineLimit = 60 * time.Second

// newEngine is the engine that a privileged job gets whose image has dockerd, unless one answers already; nil
// otherwise. On the host itself no engine is started, because that would not be the job's.
func (p *phases) newEngine(d dirs, env map[string]string) *engine {
	if !p.job.Privileged || os.Getpid() != 1 {
		return nil
	}
	if ping(dockerSocket) == nil {
		return nil
	}
	program, err := lookup("dockerd", env["PATH"])
	if err != nil {
		p.log.say("The job is privileged, but its image has no dockerd: commands that need a Docker engine have to start one")
		return nil
	}
	return &engine{
		program: program, args: engineArgs(env["PATH"]), env: engineEnv(env), socket: dockerSocket,
		logFile: filepath.Join(d.temp, "dockerd.log"), limit: engineLimit, reaper: p.shell.reaper, say: p.log.say,
	}
}

// startEngine starts it. A build whose engine does not start goes on: which of its commands need one is not known. An
// error means that the job was ended meanwhile.
func (p *phases) startEngine(ctx context.Context) error {
	if p.engine == nil {
		return nil
	}
	p.engine.start(ctx)
	return context.Cause(ctx)
}

// engineArgs are those of CodeBuild's images. Without --tls=false dockerd waits 15 s to warn of the TCP port, which
// is on the job's own loopback.
func engineArgs(path string) []string {
	args := []string{"dockerd", "--host=unix://" + dockerSocket, "--host=tcp://127.0.0.1:2375", "--tls=false"}
	if _, err := lookup("iptables", path); err != nil {
		args = append(args, "--iptables=false", "--ip6tables=false")
	}
	return args
}

// engineEnv is the image's environment with the job's proxies: an engine needs no secrets.
func engineEnv(job map[string]string) []string {
	proxies := []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "PATH"}
	env := slices.DeleteFunc(os.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(proxies, name)
	})
	for _, name := range proxies {
		if value, set := job[name]; set {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// start starts the engine and waits until it answers.
func (e *engine) start(ctx context.Context) {
	began := time.Now()
	e.say("Starting the Docker engine of the image: %s", strings.Join(e.args, " "))
	err := e.launch(ctx)
	if err == nil {
		e.say("The Docker engine answers on %s after %.1fs", e.socket, time.Since(began).Seconds())
		return
	}
	if ctx.Err() != nil {
		return
	}
	e.say("The Docker engine of the image cannot be used: %v; the build goes on without it", err)
	for line := range bytes.Lines(e.tail()) {
		e.say("dockerd: %s", bytes.TrimRight(line, "\r\n"))
	}
}

func (e *engine) launch(ctx context.Context) error {
	log, err := os.OpenFile(e.logFile, os.O_CREATE|os.O_WRONLY|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("making the file for its log: %w", err)
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	_, ended, err := e.reaper.start(e.program, e.args, &syscall.ProcAttr{
		Dir: "/", Env: e.env, Files: []uintptr{null.Fd(), log.Fd(), log.Fd()},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	return e.await(ctx, ended)
}

// await waits for the first answer, the end of the process, or the limit.
func (e *engine) await(ctx context.Context, ended <-chan syscall.WaitStatus) error {
	limit := time.After(e.limit)
	for {
		err := ping(e.socket)
		if err == nil {
			return nil
		}
		select {
		case status := <-ended:
			return fmt.Errorf("it ended with exit status %d", exitStatus(status))
		case <-limit:
			return fmt.Errorf("it does not answer after %s: %w", e.limit, err)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// maxEngineTail is how much of the log of an engine that does not start is shown.
const maxEngineTail = 4 << 10

func (e *engine) tail() []byte {
	text, err := readTail(e.logFile, maxEngineTail)
	if err != nil {
		return fmt.Appendf(nil, "its log cannot be read: %v", err)
	}
	return text
}

// readTail reads the last lines of a file, n bytes at most.
func readTail(path string, n int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	from := max(0, info.Size()-n)
	text := make([]byte, info.Size()-from)
	got, err := f.ReadAt(text, from)
	if text = text[:got]; from > 0 {
		_, text, _ = bytes.Cut(text, []byte{'\n'})
	}
	if got > 0 {
		err = nil
	}
	return text, err
}

// pingLimit is what an engine has for one answer.
const pingLimit = 2 * time.Second

// errNoEngine is what a socket comes to that answers, but not as an engine does.
var errNoEngine = errors.New("what answers there is no Docker engine that is ready")

// ping asks whether an engine answers.
func ping(socket string) error {
	conn, err := dialUnix(socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(pingLimit))
	if _, err := conn.WriteString("GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n"); err != nil {
		return err
	}
	if answer := readLine(conn); !strings.HasPrefix(answer, "HTTP/1.") || !strings.Contains(answer, " 200") {
		return errNoEngine
	}
	return nil
}
