package e2e

import (
	"crypto/rand"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// failpointBinary builds the product as make build does, with failpoints. The agents are those that make build laid out.
func failpointBinary(t *testing.T) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "runner")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-tags", "embedagent,failpoints", "-o", to, "./cmd/runner")
	cmd.Dir, cmd.Env = filepath.Join("..", ".."), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building a binary with failpoints: %v\n%s", err, out)
	}
	return to
}

// awaitDeath waits until the daemon has ended by itself.
func (d *daemon) awaitDeath() {
	d.t.Helper()
	select {
	case <-d.gone:
	case <-time.After(2 * time.Minute):
		d.t.Fatal("the daemon does not come to its failpoint")
	}
}

// weir stands before a registry. Armed, it lets so many bytes through to it, and then nothing more until it is lifted.
type weir struct {
	addr  string
	left  atomic.Int64
	armed atomic.Bool
	full  chan struct{} // closed when the bytes are spent
}

func newWeir(t *testing.T, to string) *weir {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	w := &weir{addr: ln.Addr().String(), full: make(chan struct{})}
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			go w.pass(in, to)
		}
	}()
	return w
}

func (w *weir) pass(in net.Conn, to string) {
	defer in.Close()
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer out.Close()
	go func() { _, _ = io.Copy(out, io.TeeReader(in, w)); out.Close() }()
	_, _ = io.Copy(in, out)
}

// Write counts what goes to the registry, and holds it back once it is too much.
func (w *weir) Write(p []byte) (int, error) {
	if w.armed.Load() {
		if left := w.left.Add(-int64(len(p))); left < 0 {
			if left+int64(len(p)) >= 0 {
				close(w.full)
			}
			for w.armed.Load() {
				time.Sleep(10 * time.Millisecond)
			}
		}
	}
	return len(p), nil
}

// TestADaemonDiesAtEachStepOfAnImage has the daemon die at each place between two durable steps of an image, and in the middle of
// the upload of a layer: there is one image, built and pushed as if nothing had happened.
func TestADaemonDiesAtEachStepOfAnImage(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("builds a binary, and images in four builders: set RUNNER_SLOW=1 to run it")
	}
	t.Parallel()
	r := newRegistry(t)
	w := newWeir(t, r.addr)
	front := *r
	front.addr = w.addr
	git := newGitServer(t)
	repo, url, _ := git.repo("api", map[string]string{"buildspec.yml": imageSpec(&front, ""), "use.yml": useSpec, "app/Dockerfile": dockerfile})
	d := imageDaemon(t, &front, url, "")
	plain, marked := d.binary, failpointBinary(t)
	for _, tt := range []struct {
		point         string
		built, pushes int // how often the log tells of either
	}{
		{"6/image-exported", 1, 1}, {"6/image-pushed", 1, 2}, {"6/image-recorded", 1, 1}, {"", 1, 2},
	} {
		d.terminate()
		d.binary, d.env = marked, []string{"RUNNER_FAILPOINT=" + tt.point}
		d.start()
		noise := make([]byte, 4<<20) // a layer that the registry has is not sent again: this one is new
		_, _ = rand.Read(noise)
		if err := repo.Write("app/noise", string(noise)); err != nil {
			t.Fatal(err)
		}
		commit, err := repo.Commit(t.Context(), "next")
		if err != nil {
			t.Fatal(err)
		}
		w.left.Store(1 << 20)
		w.armed.Store(tt.point == "")
		id := d.push(url, commit)
		if tt.point == "" {
			<-w.full
			d.kill()
			w.armed.Store(false)
		}
		d.awaitDeath()
		d.binary, d.env = plain, nil
		d.start()
		b := d.ended(id, "SUCCEEDED")
		assertOneImage(t, r, d, b.ID, commit)
		log := d.jobLog(id, "make")
		if strings.Count(log, "Building image api") != tt.built || strings.Count(log, "Pushing image api") != tt.pushes || strings.Count(log, "Phase complete: IMAGES State: SUCCEEDED") != 1 {
			t.Errorf("%s: it is not built %d times and pushed %d times:\n%s", tt.point, tt.built, tt.pushes, log)
		}
		if used := d.jobLog(id, "use"); !strings.Contains(used, "it is "+b.Jobs[0].Images[0].Digest) {
			t.Errorf("%s: the job behind it was told no digest:\n%s", tt.point, used)
		}
	}
	// Each build has tags of its commit and its number; branch and latest are of all.
	if tags := r.tags("team/api"); len(tags) != 4*2+2 {
		t.Errorf("the registry has the tags %v", tags)
	}

	// On a machine whose engine has no layers any more, those of the last push are as good, and no digest tells of it.
	was := d.build("api#4").Jobs[0].Images[0]
	for _, v := range strings.Fields(docker(t, "volume", "ls", "-q", "--filter", "label=runner.instance="+d.instance)) {
		docker(t, "volume", "rm", v)
	}
	again := d.ended(d.retried("api#4", false), "SUCCEEDED")
	log := d.jobLog(again.ID, "make")
	if !strings.Contains(log, "was given those of the last push, "+was.Digest) || !strings.Contains(log, "CACHED") || again.Jobs[0].Images[0].Digest != was.Digest {
		t.Errorf("built on layers of the last push, %s is %s:\n%s", was.Digest, again.Jobs[0].Images[0].Digest, log)
	}
	assertBuildersLeft(t, d, 1)
	d.check()
}
