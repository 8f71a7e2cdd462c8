package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/runner-ci/runner/internal/enginetest"
	"github.com/runner-ci/runner/internal/failpoint"
)

const (
	// image is the smallest image with a shell; scripts/images makes it.
	image = "runner-test/busybox:latest"
	// engineSocket is where the engine is. The daemon knows it by a cable of ours alone.
	engineSocket = "/var/run/docker.sock"
	// logName is the file that has what all lives of the daemon said.
	logName = "daemon.log"
	// diskSize is the size of the daemon's disk; the file that it lies in takes only what is used.
	diskSize = 3 << 30
	// One more than users, so that sandboxes wait for jobs.
	slots = 4
)

// world is the daemon with everything around it.
type world struct {
	options
	dir    string
	out    sync.Mutex
	began  time.Time
	chance *chance

	git      *remote
	engine   *cable
	registry *cable // nil: there is none

	stopRegistry func()
	disk         *disk  // nil: there is none of its own
	clock        *clock // nil: it does not jump
	witness      *witness
	collector    *collector
	forge        *forge
	daemon       *daemon
	points       *points
	kinds        []*kind
	users        *users
	judge        *judge
	undo         []func() // in reverse
}

// newWorld sets everything up and starts the daemon for the first time. What was set up before an error is the caller's
// to close.
func newWorld(ctx context.Context, o options, dir string) (w *world, err error) {
	w = &world{options: o, dir: dir, began: time.Now(), chance: newChance(o.seed), points: newPoints(failpoint.Points)}
	w.judge = newJudge(w)
	if conn, err := net.DialTimeout("unix", engineSocket, time.Second); err != nil {
		return w, fmt.Errorf("no Docker engine answers: %w; scripts/engine starts one", err)
	} else {
		conn.Close()
	}
	if o.binary == "" {
		w.say("building", "a binary with failpoints and a clock that can jump")
		if w.binary, err = buildBinary(ctx, dir, true); err != nil {
			return w, err
		}
		w.options.clock = true
	}
	if o.binary != "" {
		// A copy of its own tells its processes from all others.
		w.binary = filepath.Join(dir, "runner")
		if err := copyFile(w.binary, o.binary); err != nil {
			return w, err
		}
	}
	for _, step := range []func(context.Context) error{w.setDisk, w.setClock, w.setGit, w.setEngine, w.setRegistry, w.setWitness, w.setCollector, w.setForge, w.setKinds} {
		if err := step(ctx); err != nil {
			return w, err
		}
	}
	w.daemon = newDaemon(w)
	w.users = newUsers(w)
	w.undo = append(w.undo, w.daemon.kill)
	w.began = time.Now() // the building took its time
	return w, w.daemon.start("", true)
}

func (w *world) setDisk(context.Context) error {
	if os.Geteuid() != 0 {
		w.say("left out", "a full disk: mounting one needs root")
		return nil
	}
	d, err := newDisk(w.dir, diskSize)
	if err != nil {
		w.say("left out", "a full disk: %v", err)
		return nil
	}
	w.disk = d
	w.undo = append(w.undo, d.close)
	return nil
}

func (w *world) setClock(context.Context) (err error) {
	if !w.options.clock {
		w.say("left out", "clock jumps: the binary was not built for them here")
		return nil
	}
	w.clock, err = newClock(w.dir)
	return err
}

func (w *world) setGit(context.Context) (err error) {
	w.git, err = newRemote(filepath.Join(w.dir, "git"))
	if err == nil {
		w.undo = append(w.undo, w.git.close)
	}
	return err
}

func (w *world) setEngine(context.Context) (err error) {
	w.engine, err = newCable("unix", filepath.Join(w.dir, "engine.sock"), "unix", engineSocket)
	if err == nil {
		w.undo = append(w.undo, w.engine.close)
	}
	return err
}

// setRegistry starts a registry behind a cable and puts our image there.
func (w *world) setRegistry(ctx context.Context) error {
	dir := filepath.Join(w.dir, "registry")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	addr, stop, err := enginetest.StartRegistry(dir, "", "")
	if errors.Is(err, exec.ErrNotFound) {
		w.say("left out", "the registry: %v; install Debian's docker-registry", err)
		return nil
	}
	if err != nil {
		return err
	}
	w.stopRegistry = stop
	w.undo = append(w.undo, stop)
	if w.registry, err = newCable("tcp", "127.0.0.1:0", "tcp", addr); err != nil {
		return err
	}
	w.undo = append(w.undo, w.registry.close)
	ref := w.registryImage()
	if err := docker(ctx, "tag", image, ref); err != nil {
		return err
	}
	w.undo = append(w.undo, func() { _ = docker(context.Background(), "rmi", ref) })
	return docker(ctx, "push", "-q", ref)
}

func (w *world) registryImage() string { return w.registry.address() + "/chaos:latest" }

func (w *world) setWitness(context.Context) (err error) {
	w.witness, err = newWitness()
	if err == nil {
		w.undo = append(w.undo, w.witness.close)
	}
	return err
}

// close takes everything down, and the traces on the engine, too.
func (w *world) close() {
	for i := len(w.undo) - 1; i >= 0; i-- {
		w.undo[i]()
	}
	if w.daemon != nil {
		w.daemon.removeTraces()
	}
}

// hangUp ends what runs and leaves what lies there, on the engine, too.
func (w *world) hangUp() {
	w.daemon.kill()
	w.engine.close()
	w.git.close()
	if w.registry != nil {
		_ = docker(context.Background(), "rmi", w.registryImage())
		w.registry.close()
		w.stopRegistry()
	}
}

// say prints one line: when, a word, and what happened.
func (w *world) say(word, format string, args ...any) {
	w.out.Lock()
	defer w.out.Unlock()
	fmt.Fprintf(w.options.out, "%7.1fs  %-11s %s\n", time.Since(w.began).Seconds(), word, fmt.Sprintf(format, args...))
}

// docker runs the engine's own client, beside the cable.
func docker(ctx context.Context, args ...string) error {
	_, err := dockerSays(ctx, args...)
	return err
}

func dockerSays(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("docker %v: %w: %s", args, err, out)
	}
	return string(out), nil
}

func copyFile(to, from string) error {
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o755)
	}
	return err
}
