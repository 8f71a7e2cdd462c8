package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runner-ci/runner/internal/figures"
)

// warmBench is a daemon whose pool is kept full for one image.
type warmBench struct {
	*daemon
	b           testing.TB
	url, commit string
	tree        string // a working tree of it
	full        int    // sandboxes that wait when nothing is to do
}

func newWarmBench(b *testing.B, slots string, full int, commands ...string) *warmBench {
	b.Helper()
	git := newGitServer(b)
	repo, url, commit := git.repo("bench", map[string]string{"buildspec.yml": spec(commands...)})
	d := newDaemon(b, "slots: "+slots+"\nwarm: auto\n", project("bench", url))
	w := &warmBench{daemon: d, b: b, url: url, commit: commit, tree: repo.Dir, full: full}
	w.burst(max(full, 1)) // mirror, snapshot, agent volume, network and demand are there from now on
	return w
}

// burst delivers n pushes at once and waits for all results.
func (w *warmBench) burst(n int) {
	w.b.Helper()
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if got := w.build(w.push(w.url, w.commit)); got.Status != "SUCCEEDED" {
				w.b.Errorf("the build ended %s: %s", got.Status, got.Message)
			}
		})
	}
	all.Wait()
}

// rest waits until the pool is full, and nothing is left of what ran.
func (w *warmBench) rest() {
	w.b.Helper()
	w.waiting(w.full)
	time.Sleep(300 * time.Millisecond) // the engine has more to do than it says
}

// mustWarm fails where a build had to wait for its container.
func (w *warmBench) mustWarm(id string) {
	w.b.Helper()
	if got := w.build(id); got.Status != "SUCCEEDED" || !got.Jobs[0].Warm {
		w.b.Fatalf("build %s ended %s (%s), warm is %t", id, got.Status, got.Message, got.Jobs[0].Warm)
	}
}

// submit is what a person waits for who edits a file and runs `runner submit` onto a full pool: the process from its start
// to its end, the working tree read and sent, the log followed and the result told.
func (w *warmBench) submit() time.Duration {
	w.b.Helper()
	w.rest()
	if err := os.WriteFile(filepath.Join(w.tree, "edited"), []byte(time.Now().String()), 0o644); err != nil {
		w.b.Fatal(err)
	}
	began := time.Now()
	out, errs, exit := w.runCLI(w.tree, "submit")
	took := time.Since(began)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	id, _, _ := strings.Cut(lines[len(lines)-1], " ") // bench#1 SUCCEEDED in …
	if exit != 0 {
		w.b.Fatalf("runner submit exited %d:\n%s%s", exit, out, errs)
	}
	w.mustWarm(id)
	w.rest()
	return took
}

// echoes are the build that the peers run, too.
var echoes = []string{"echo one", "echo two", "echo three"}

// BenchmarkFigureWarm is what builds take whose sandboxes wait for them.
func BenchmarkFigureWarm(b *testing.B) {
	one := newWarmBench(b, "4", 1, echoes...)
	figures.Run(b, "start-warm", "ms", func(b *testing.B) (ours, theirs float64) {
		one.rest()
		began := time.Now()
		id := one.push(one.url, one.commit)
		waitForOutput(b, one.daemon, id, "one\n")
		took := time.Since(began)
		one.mustWarm(id)
		one.rest()
		first, _ := dockerRun(b, echoes...)
		return ms(took), ms(first)
	})
	figures.Run(b, "build-warm", "ms", func(b *testing.B) (ours, theirs float64) {
		took := one.submit()
		_, all := dockerRun(b, echoes...)
		return ms(took), ms(all)
	})
	figures.Run(b, "build-warm-webhook", "ms", func(b *testing.B) (ours, theirs float64) {
		one.rest()
		began := time.Now()
		id := one.push(one.url, one.commit)
		one.build(id)
		took := time.Since(began)
		one.mustWarm(id)
		one.rest()
		_, all := dockerRun(b, echoes...)
		return ms(took), ms(all)
	})
}

// BenchmarkFigureWarmAct is the same build on a warm sandbox against act.
func BenchmarkFigureWarmAct(b *testing.B) {
	const name = "build-warm-act"
	peer, why := newAct(b, echoes...)
	if why != nil {
		figures.LeaveOut(b, name, why)
		return
	}
	one := newWarmBench(b, "4", 1, echoes...)
	figures.Run(b, name, "ms", func(b *testing.B) (ours, theirs float64) { return ms(one.submit()), ms(peer.run()) })
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }

// dockerRuns runs n containers by workers that each take the next one.
func dockerRuns(b *testing.B, n, workers int, commands ...string) time.Duration {
	b.Helper()
	began := time.Now()
	next := make(chan struct{}, n)
	for range n {
		next <- struct{}{}
	}
	close(next)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for range next {
				if out, err := exec.Command("docker", "run", "--rm", image, "sh", "-c", strings.Join(commands, "; ")).CombinedOutput(); err != nil {
					b.Errorf("docker run: %v\n%s", err, out)
				}
			}
		})
	}
	all.Wait()
	return time.Since(began)
}

// BenchmarkFigureBurst is four builds at once onto a full pool, to the last result.
func BenchmarkFigureBurst(b *testing.B) {
	w := newWarmBench(b, "4", 4, "echo one")
	figures.Run(b, "burst-4", "ms", func(b *testing.B) (ours, theirs float64) {
		w.rest()
		began := time.Now()
		w.burst(4)
		took := time.Since(began)
		w.rest()
		return ms(took), ms(dockerRuns(b, 4, 4, "echo one"))
	})
}

// BenchmarkFigureJobs is a hundred builds through four slots onto an empty pool, until all their containers are gone.
func BenchmarkFigureJobs(b *testing.B) {
	w := newWarmBench(b, "4", 1, "echo one")
	figures.Run(b, "jobs-100", "ms", func(b *testing.B) (ours, theirs float64) {
		w.reconfigure("slots: 4\nwarm: off\n")
		w.reconfigure("slots: 4\nwarm: auto\n") // the pool is empty, and knows of no demand
		began := time.Now()
		w.burst(100)
		w.onlyWarm()
		took := time.Since(began)
		w.reconfigure("slots: 4\nwarm: off\n")
		return ms(took), ms(dockerRuns(b, 100, 4, "echo one"))
	})
}

// onlyWarm waits until the containers of all jobs are gone: those that are there wait for further ones.
func (w *warmBench) onlyWarm() {
	for {
		info, err := w.Daemon(w.b.Context())
		if err != nil {
			w.b.Fatal(err)
		}
		if len(w.containers("-a")) == info.Warm {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// reconfigure starts the daemon anew with other settings, and waits until nothing of the former one is left.
func (w *warmBench) reconfigure(settings string) {
	w.b.Helper()
	w.terminate()
	w.extra = settings
	w.configure(project("bench", w.url))
	w.start()
	w.waiting(0)
}
