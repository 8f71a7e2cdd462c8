package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/runner-ci/runner/client"
)

const (
	// hookSecret is the webhook secret of all projects.
	hookSecret = "a secret between the forge and us"
	// riseWait is how long a daemon may take to answer. On a disk that was just full, beside others, it takes seconds.
	riseWait = 60 * time.Second
)

// daemon is one `runner serve` after the other on one data directory. Only the goroutine of the storm starts and ends it.
type daemon struct {
	w       *world
	base    string // URL
	address string
	data    string
	config  string
	log     *os.File

	cmd      *exec.Cmd
	gone     chan struct{} // closed when it has ended
	point    string        // at which it is to die by itself
	killed   bool          // by us
	lives    int
	api      *client.Client
	instance string
}

func newDaemon(w *world) *daemon {
	d := &daemon{w: w, data: filepath.Join(w.dir, "data"), config: filepath.Join(w.dir, "runner.yml")}
	if w.disk != nil {
		d.data = filepath.Join(w.disk.dir, "data")
	}
	if ln, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		d.address = ln.Addr().String()
		ln.Close()
	}
	d.base = "http://" + d.address
	return d
}

// configure writes runner.yml; warm is "auto" or "off", and off keeps no sandbox of a failed job either.
func (d *daemon) configure(warm string) error {
	var projects strings.Builder
	for _, k := range d.w.kinds {
		fmt.Fprintf(&projects, "  - name: %s\n    url: %s\n    branch: main\n    webhook-secret: env:HOOK_SECRET\n    forge: github\n    forge-url: %s\n    forge-token: env:FORGE_TOKEN\n", k.name, k.url, d.w.forge.url)
		for _, line := range k.settings {
			fmt.Fprintf(&projects, "    %s\n", line)
		}
	}
	keep := "4h"
	if warm == "off" {
		keep = "off"
	}
	text := fmt.Sprintf("listen: %s\ndata: %s\nslots: %d\nwarm: %s\nkeep-failed: %s\nengines:\n  - id: main\n    type: docker\n    host: unix://%s\ntelemetry:\n  otlp:\n    endpoint: %s\n    protocol: http/protobuf\nprojects:\n%s",
		d.address, d.data, slots, warm, keep, d.w.engine.address(), d.w.collector.url, projects.String())
	return os.WriteFile(d.config, []byte(text), 0o600)
}

// start starts the daemon, to die at a point of its own if one is named, and waits until it answers or has ended.
func (d *daemon) start(point string, first bool) error {
	if first {
		if err := d.configure("auto"); err != nil {
			return err
		}
		var err error
		if d.log, err = os.Create(filepath.Join(d.w.dir, logName)); err != nil {
			return err
		}
	}
	d.lives++
	fmt.Fprintf(d.log, "--- life %d, %.1f s after the beginning, failpoint %q ---\n", d.lives, time.Since(d.w.began).Seconds(), point)
	cmd := exec.Command(d.w.binary, "serve", "--config", d.config, "--key-file", filepath.Join(d.w.dir, "key"))
	cmd.Env = append(os.Environ(), "HOOK_SECRET="+hookSecret, "FORGE_TOKEN="+forgeToken, "RUNNER_FAILPOINT="+point)
	if d.w.clock != nil {
		cmd.Env = append(cmd.Env, d.w.clock.env())
	}
	cmd.Stdout, cmd.Stderr = d.log, d.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is ours to handle
	if err := cmd.Start(); err != nil {
		return err
	}
	d.cmd, d.point, d.killed, d.gone = cmd, point, false, make(chan struct{})
	gone := d.gone
	go func() { _ = cmd.Wait(); close(gone) }()
	return d.answers(first)
}

// answers waits until the daemon answers, or has ended.
func (d *daemon) answers(first bool) error {
	for deadline := time.Now().Add(riseWait); time.Now().Before(deadline); {
		if d.ended() {
			return nil
		}
		if res, err := http.Get(d.base + "/healthz"); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				if first {
					return d.meet()
				}
				return nil
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return fmt.Errorf("the daemon does not answer within %s of its start", riseWait)
}

// meet learns how to speak to the daemon.
func (d *daemon) meet() error {
	token, err := os.ReadFile(filepath.Join(d.data, "token"))
	if err != nil {
		return err
	}
	d.api = client.New(d.base, strings.TrimSpace(string(token)))
	info, err := d.api.Daemon(context.Background())
	d.instance = info.Instance
	return err
}

func (d *daemon) ended() bool {
	select {
	case <-d.gone:
		return true
	default:
		return false
	}
}

// kill ends the daemon as a power failure would: no handler runs.
func (d *daemon) kill() {
	if d.cmd == nil || d.cmd.Process == nil {
		return
	}
	d.killed = true
	_ = d.cmd.Process.Kill()
	<-d.gone
}

// atPoint tells whether the daemon, which has ended, did so at its point.
func (d *daemon) atPoint() bool {
	ws, ok := d.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && d.point != "" && !d.killed && ws.Signaled() && ws.Signal() == syscall.SIGKILL
}

// leave asks the daemon to end, and returns how long it took.
func (d *daemon) leave() (time.Duration, error) {
	began := time.Now()
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.gone:
		return time.Since(began), nil
	case <-time.After(30 * time.Second):
		return 0, fmt.Errorf("the daemon did not leave within 30 s of SIGTERM")
	}
}

// cli runs a command of the product's against the daemon.
func (d *daemon) cli(ctx context.Context, dir string, args ...string) (string, error) {
	token, _ := os.ReadFile(filepath.Join(d.data, "token"))
	cmd := exec.CommandContext(ctx, d.w.binary, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "RUNNER_URL="+d.base, "RUNNER_TOKEN="+strings.TrimSpace(string(token)), "RUNNER_FAILPOINT=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("runner %s: %w: %s", args[0], err, out)
	}
	return string(out), nil
}

// onEngine lists what the engine has of this daemon: "container", "network" or "volume".
func (d *daemon) onEngine(ctx context.Context, what string) ([]string, error) {
	args := map[string][]string{"container": {"ps", "-aq"}, "network": {"network", "ls", "-q"}, "volume": {"volume", "ls", "-q"}}[what]
	out, err := dockerSays(ctx, append(args, "--filter", "label=runner.instance="+d.instance)...)
	return strings.Fields(out), err
}

// removeTraces takes off the engine what a run that failed left there.
func (d *daemon) removeTraces() {
	if d.instance == "" {
		return
	}
	ctx := context.Background()
	for _, c := range []struct {
		what   string
		remove []string
	}{{"container", []string{"rm", "-f", "-v"}}, {"volume", []string{"volume", "rm", "-f"}}, {"network", []string{"network", "rm"}}} {
		ids, _ := d.onEngine(ctx, c.what)
		for _, id := range ids {
			_ = docker(ctx, append(c.remove, id)...)
		}
	}
}
