package source

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// benchmarkRepo is 6,000 files in 51 MB that deflate like source code.
func benchmarkRepo(b *testing.B) (*repo, Remote) {
	r := newRepo(b)
	rng := rand.New(rand.NewPCG(3, 4))
	words := make([]string, 2000)
	for i := range words {
		words[i] = fmt.Sprintf("%c%x", 'a'+i%26, rng.Uint32()>>rng.IntN(28))
	}
	for i := range 6000 {
		var t strings.Builder
		for t.Len() < 8500 {
			t.WriteString(words[rng.IntN(len(words))])
			t.WriteString([]string{" ", " ", ".", "(", ")\n"}[rng.IntN(5)])
		}
		r.write(fmt.Sprintf("pkg%d/dir%d/file%d.go", i%20, i%60, i), t.String())
	}
	r.commit("all")
	r.git("repack", "-a", "-d", "-q")
	return r, Remote{URL: serve(b, filepath.Dir(r.dir)).url(r)}
}

// BenchmarkSnapshot measures a repository never seen before, from URL to tree, against git clone --depth 1 in turns.
func BenchmarkSnapshot(b *testing.B) {
	r, remote := benchmarkRepo(b)
	var git, fetch, layout time.Duration
	var gitCPU, ourCPU time.Duration // of children, the server's among them: they tell more on a busy machine
	for b.Loop() {
		clone := filepath.Join(b.TempDir(), "clone")
		began, spent := time.Now(), childCPU()
		gitIn(b, r.dir, 0, "", "clone", "-q", "--depth", "1", remote.URL, clone)
		git += time.Since(began)
		gitCPU += childCPU() - spent
		_ = os.RemoveAll(clone)

		s := open(b)
		began, spent = time.Now(), childCPU()
		got, err := s.Fetch(b.Context(), remote, Want{})
		if err != nil {
			b.Fatal(err)
		}
		fetch += time.Since(began)
		began = time.Now()
		snap, err := s.Snapshot(b.Context(), remote, got.Commit, SnapshotOptions{})
		if err != nil {
			b.Fatal(err)
		}
		layout += time.Since(began)
		ourCPU += childCPU() - spent
		snap.Release()
		_ = os.RemoveAll(s.opts.Dir)
	}
	n := time.Duration(b.N)
	b.ReportMetric(float64((git / n).Milliseconds()), "git-ms")
	b.ReportMetric(float64((fetch / n).Milliseconds()), "fetch-ms")
	b.ReportMetric(float64((layout / n).Milliseconds()), "layout-ms")
	b.ReportMetric(float64(fetch+layout)/float64(git), "ratio")
	b.ReportMetric(float64(ourCPU)/float64(gitCPU), "cpu-ratio")
}

func childCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
