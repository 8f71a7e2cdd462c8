//go:build linux

package runner_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/internal/figures"
	"github.com/runner-ci/runner/runner/wire"
)

const (
	cacheFiles     = 20_000
	cacheFileBytes = 50_000
)

// BenchmarkFigureCache has jobs restore and save a cache of 1 GB in 20,000 files, of which each changes a hundredth, against
// tar doing so with the same files. Ours is what stands between two lines of the job's log: what the agent says before
// it asks for the cache and after it has it, or when the last command has ended and when the cache is stored.
func BenchmarkFigureCache(b *testing.B) {
	y := newCacheYard(b)
	tree, packed := seedCache(b, y), filepath.Join(b.TempDir(), "theirs.tar")
	command(b, "tar", "-cf", packed, "-C", tree, ".")
	spec := wire.CacheSpec{Paths: []string{"vendor/**/*"}}
	change := fmt.Sprintf("cd vendor; for f in */*00.o; do echo changed >>$f; done; test $(ls */* | wc -l) -ge %d", cacheFiles)
	figures.Run(b, "cache-restore", "s", func(b *testing.B) (ours, theirs float64) {
		log := y.play(b, y.cached(spec, change))
		into := b.TempDir()
		defer os.RemoveAll(into) // before the next one
		return between(b, log, "Expanding cache path", "Restored cache: mounted"), timed(b, "tar", "-xf", packed, "-C", into)
	})
	figures.Run(b, "cache-save", "s", func(b *testing.B) (ours, theirs float64) {
		log := y.play(b, y.cached(spec, change))
		to := filepath.Join(b.TempDir(), "again.tar")
		defer os.Remove(to)
		return between(b, log, "Phase complete: BUILD", "Stored the cache"), timed(b, "tar", "-cf", to, "-C", tree, ".")
	})
}

// seedCache stores the cache as a sandbox that made it all would have left it, and returns its tree.
func seedCache(b *testing.B, y *yard) (tree string) {
	b.Helper()
	upper := filepath.Join(y.Sandboxes, "seed", "upper")
	tree = filepath.Join(b.TempDir(), "vendor")
	content := make([]byte, cacheFileBytes)
	for _, root := range []string{filepath.Join(upper, "vendor"), tree} {
		rng := rand.NewChaCha8([32]byte{1})
		for i := range cacheFiles {
			dir := filepath.Join(root, fmt.Sprint("d", i%200))
			if i < 200 {
				must(b, os.MkdirAll(dir, 0o755))
			}
			_, _ = rng.Read(content)
			must(b, os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%05d.o", i)), content, 0o644))
		}
	}
	_, err := y.Artifacts.HoldLayers(b.Context(), "seed", "", []string{"source/vendor"})
	must(b, err)
	meta := artifacts.CacheMeta{Scope: "api/protected", Paths: pathsDigest("source/vendor/**/*")}
	_, _, err = y.Artifacts.TakeLayer(b.Context(), "seed", meta, []artifacts.LayerPart{{Root: "source", Upper: upper, Path: "vendor"}}, 0)
	must(b, err)
	must(b, y.Artifacts.ReleaseLayers(b.Context(), "seed"))
	return tree
}

// pathsDigest names the cache of a path, kept as layers, as agent and runner do.
func pathsDigest(path string) string {
	sum := sha256.Sum256([]byte(path + "\n"))
	return hex.EncodeToString(sum[:]) + "+layers"
}

func command(b *testing.B, name string, args ...string) {
	b.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		b.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

func timed(b *testing.B, name string, args ...string) float64 {
	b.Helper()
	began := time.Now()
	command(b, name, args...)
	return time.Since(began).Seconds()
}

// between tells how many seconds lie between the lines of a log that hold two texts.
func between(b *testing.B, log, from, to string) float64 {
	b.Helper()
	at := func(text string) time.Time {
		found := regexp.MustCompile(`(?m)^\[Container\] (\S+ \S+) ` + text).FindStringSubmatch(log)
		if found == nil {
			b.Fatalf("no line with %q:\n%s", text, log)
		}
		t, err := time.Parse("2006/01/02 15:04:05.999999", found[1])
		must(b, err)
		return t
	}
	return at(to).Sub(at(from)).Seconds()
}
