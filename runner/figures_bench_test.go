//go:build linux

package runner_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runner-ci/runner/internal/enginetest"
	"github.com/runner-ci/runner/internal/figures"
	"github.com/runner-ci/runner/internal/githost"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/source"
)

// newYard is a yard with a repository of 6,000 files in 51 MB, whose snapshot is there.
func newYard(b *testing.B) *yard {
	b.Helper()
	y := openYard(b, b.TempDir(), fmt.Sprintf("bench-%x", rand.Uint64()), 1)
	y.source = largeRepo(b)
	got, err := y.Source.Fetch(b.Context(), y.source.Remote, source.Want{})
	must(b, err)
	y.source.Commit, y.source.Ref = got.Commit, "refs/heads/main"
	y.run(b, y.attempt(), forgetful{}) // snapshot, agent volume and network are there from now on
	return y
}

// largeRepo has files that deflate like source code.
func largeRepo(b *testing.B) runner.Checkout {
	b.Helper()
	root := b.TempDir()
	repo, err := githost.Create(b.Context(), root, "large")
	must(b, err)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 6000 {
		var t strings.Builder
		for t.Len() < 8500 {
			fmt.Fprintf(&t, "%c%x ", 'a'+i%26, rng.Uint32()>>rng.IntN(28))
		}
		must(b, repo.Write(fmt.Sprintf("pkg%d/dir%d/file%d.go", i%20, i%60, i), t.String()))
	}
	_, err = repo.Commit(b.Context(), "all")
	must(b, err)
	handler, err := githost.Handler(root)
	must(b, err)
	server := httptest.NewServer(handler)
	b.Cleanup(server.Close)
	return runner.Checkout{Remote: source.Remote{URL: server.URL + "/large.git"}, Depth: 1}
}

// sentAt notes when the job could be handed over.
type sentAt struct {
	forgetful
	at time.Time
}

func (s *sentAt) Sent(context.Context) error { s.at = time.Now(); return nil }

// ahead is the same with its sandbox made.
func (y *yard) ahead(b *testing.B) runner.Attempt {
	b.Helper()
	a := y.attempt()
	a.Warm = true
	must(b, y.Warm(b.Context(), yardEngine, runner.WarmSandbox{ID: a.Sandbox, Image: a.Image}))
	return a
}

func (y *yard) run(b *testing.B, a runner.Attempt, ev runner.Events) {
	res, err := y.Run(b.Context(), yardEngine, a, ev)
	if err != nil || res.Status != wire.StatusSucceeded {
		b.Errorf("%+v, %v", res, err)
	}
	if err := y.Destroy(b.Context(), yardEngine, a.Sandbox); err != nil {
		b.Error(err)
	}
}

// dockerRun tells when the first output of the same came.
func dockerRun(b *testing.B) (first float64) {
	began := time.Now()
	cmd := exec.Command("docker", "run", "--rm", enginetest.BusyboxRef, "echo", "hello")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Error(err)
		return 0
	}
	_, err = bufio.NewReader(out).ReadByte()
	first = time.Since(began).Seconds()
	_, _ = io.Copy(io.Discard, out)
	if werr := cmd.Wait(); err != nil || werr != nil {
		b.Error(err, werr)
	}
	return first
}

// BenchmarkFigureSandbox measures a job's way into its sandbox, and out.
//
//   - workspace: one more shard of a build gets its files, .git included; beside cp -a of the snapshot.
//   - hand-over: from the lease of a job whose sandbox is warm until the agent is sent the job; beside docker run to its
//     first output.
//   - sandboxes-100: a hundred jobs by four workers, each in a sandbox made and removed for it; beside docker run --rm.
func BenchmarkFigureSandbox(b *testing.B) {
	y := newYard(b)
	warmer := y.Executors[yardEngine].(runner.Warmer)
	figures.Run(b, "workspace", "ms", func(b *testing.B) (ours, theirs float64) {
		a := y.ahead(b)
		dir, dst := filepath.Join(y.Sandboxes, a.Sandbox), filepath.Join(b.TempDir(), "copy")
		began := time.Now()
		snap, err := y.Source.Snapshot(b.Context(), a.Source.Remote, a.Source.Commit, source.SnapshotOptions{})
		must(b, err)
		must(b, y.Source.GitDir(b.Context(), snap, filepath.Join(dir, "upper"), source.GitDirOptions{
			Ref: a.Source.Ref, Depth: a.Source.Depth, RemoteURL: a.Source.Remote.URL,
			ObjectsPath: y.Executors[yardEngine].Paths(a.Sandbox).Objects, HostObjectsDir: filepath.Join(dir, "objects"),
		}))
		must(b, warmer.Fill(b.Context(), runner.SandboxSpec{ID: a.Sandbox, Image: a.Image, Dir: dir, Tree: snap.Dir}))
		ours = millis(began)
		began = time.Now()
		out, err := exec.Command("cp", "-a", snap.Dir, dst).CombinedOutput()
		if theirs = millis(began); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		snap.Release()
		must(b, os.RemoveAll(dst))
		must(b, y.Destroy(b.Context(), yardEngine, a.Sandbox))
		return ours, theirs
	})
	figures.Run(b, "hand-over", "ms", func(b *testing.B) (ours, theirs float64) {
		a, ev := y.ahead(b), &sentAt{}
		began := time.Now()
		y.run(b, a, ev)
		return float64(ev.at.Sub(began)) / float64(time.Millisecond), 1000 * dockerRun(b)
	})
	figures.Run(b, "sandboxes-100", "s", func(b *testing.B) (ours, theirs float64) {
		return byFour(100, func() { y.run(b, y.attempt(), forgetful{}) }), byFour(100, func() { dockerRun(b) })
	})
}

func millis(began time.Time) float64 { return float64(time.Since(began)) / float64(time.Millisecond) }

// byFour has four workers do something n times, and tells how many seconds that took.
func byFour(n int, do func()) (seconds float64) {
	began := time.Now()
	work := make(chan struct{}, n)
	for range n {
		work <- struct{}{}
	}
	close(work)
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for range work {
				do()
			}
		})
	}
	workers.Wait()
	return time.Since(began).Seconds()
}
