package e2e

import (
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// gate stands before a registry, and lets nothing through while it is shut.
type gate struct {
	addr string
	mu   sync.Mutex
	open *sync.Cond
	shut bool
}

func newGate(t *testing.T, to string) *gate {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	g := &gate{addr: ln.Addr().String()}
	g.open = sync.NewCond(&g.mu)
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			go g.pass(in, to)
		}
	}()
	return g
}

func (g *gate) pass(in net.Conn, to string) {
	defer in.Close()
	g.mu.Lock()
	for g.shut {
		g.open.Wait()
	}
	g.mu.Unlock()
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer out.Close()
	go func() { _, _ = io.Copy(out, in); out.Close() }()
	_, _ = io.Copy(in, out)
}

func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	g.open.Broadcast()
}

// TestKillNineLosesAndDoublesNoImage kills the daemon while an image is built, and between its export and the end of its push.
func TestKillNineLosesAndDoublesNoImage(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("builds images in five builders: set RUNNER_SLOW=1 to run it")
	}
	t.Parallel()
	r := newRegistry(t)
	g := newGate(t, r.addr)
	front := *r
	front.addr = g.addr
	git := newGitServer(t)
	slow := strings.Replace(dockerfile, "ARG GREETING", "RUN busybox sleep 4\nARG GREETING", 1)
	repo, url, commit := git.repo("api", map[string]string{"buildspec.yml": imageSpec(&front, ""), "use.yml": useSpec, "app/Dockerfile": slow})
	d := imageDaemon(t, &front, url, "")

	first := d.push(url, commit)
	d.awaitSays(first, "Building image api")
	d.kill()
	d.start()
	b := d.ended(first, "SUCCEEDED")
	assertOneImage(t, r, d, b.ID, commit)
	if log := d.jobLog(first, "make"); strings.Count(log, "Building image api") != 2 || strings.Count(log, "Phase complete: IMAGES State: SUCCEEDED") != 1 {
		t.Errorf("what was under way was not built anew once:\n%s", log)
	}

	if err := repo.Write("app/b", "b"); err != nil {
		t.Fatal(err)
	}
	commit, err := repo.Commit(t.Context(), "next")
	if err != nil {
		t.Fatal(err)
	}
	g.set(true)
	second := d.push(url, commit)
	d.awaitSays(second, "Pushing image api")
	d.kill()
	g.set(false)
	d.start()
	d.ended(second, "SUCCEEDED")
	assertOneImage(t, r, d, second, commit)
	if log := d.jobLog(second, "make"); strings.Count(log, "Building image api") != 1 || strings.Count(log, "Pushing image api") != 2 {
		t.Errorf("what was built was built again:\n%s", log)
	}

	g.set(true)
	third := d.retried(second, false)
	d.awaitSays(third, "Pushing image api")
	if _, errs, exit := d.runCLI(d.dir, "stop", third); exit != 0 {
		t.Fatal(errs)
	}
	d.ended(third, "STOPPED")
	g.set(false)

	// Nobody trusts another branch: its image is built, and stays here.
	before := r.tags("team/api")
	if _, err := repo.Git(t.Context(), "push", "-q", "origin", commit+":refs/heads/feature"); err != nil {
		t.Fatal(err)
	}
	fourth := d.ended(d.pushTo(url, "refs/heads/feature", commit), "SUCCEEDED")
	if images := fourth.Jobs[0].Images; len(images) != 1 || images[0].Pushed || images[0].Digest == "" {
		t.Errorf("an untrusted build came to %+v", images)
	}
	if log := d.jobLog(fourth.ID, "make"); !strings.Contains(log, "it is not pushed: this build is not trusted") || strings.Contains(log, "CACHED") {
		t.Errorf("the log of an untrusted build says\n%s", log)
	}
	if after := r.tags("team/api"); !slices.Equal(before, after) {
		t.Errorf("an untrusted build pushed: the tags were %v and are %v", before, after)
	}
	assertBuildersLeft(t, d, 2)
	d.check()
}

// assertOneImage looks that a build has one image, which the registry has under the commit's tag.
func assertOneImage(t *testing.T, r *registry, d *daemon, build, commit string) {
	t.Helper()
	images := d.build(build).Jobs[0].Images
	if len(images) != 1 || !images[0].Pushed {
		t.Fatalf("the build has the images %+v", images)
	}
	pushed, err := r.image("team/api", commit[:12])
	if err != nil {
		t.Fatal(err)
	}
	if digest, err := pushed.Digest(); err != nil || digest.String() != images[0].Digest {
		t.Errorf("the registry has %s, %v; the build tells of %s", digest, err, images[0].Digest)
	}
}

// awaitSays waits for a text in the log of the job that makes the image.
func (d *daemon) awaitSays(id, text string) {
	d.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if b, err := d.Build(d.t.Context(), id); err == nil && b.Phase == "IMAGES" && strings.Contains(d.jobLog(id, "make"), text) {
			return
		}
	}
	d.t.Fatalf("the log of %s does not come to %q:\n%s", id, text, d.jobLog(id, "make"))
}
