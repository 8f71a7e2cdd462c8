package e2e

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/runner-ci/runner/internal/figures"
)

// unevenTests is how many tests the suite has that real shards divide.
const unevenTests = 400

// unevenSuite is tests of log-normal durations (a median of 0.1 s, σ = 1) on 4 shards, and what no division of them can
// beat, in seconds.
func unevenSuite() (files map[string]string, bound float64) {
	files = suiteFiles(unevenTests, "queue", 0, -1)
	rnd := rand.New(rand.NewPCG(1, 0))
	longest, sum := 0.0, 0.0
	for i := range unevenTests {
		seconds := math.Exp(rnd.NormFloat64()) / 10
		files[fmt.Sprintf("tests/t%02d.sh", i)] = fmt.Sprintf("sleep %.3f\n", seconds)
		longest, sum = max(longest, seconds), sum+seconds
	}
	return files, max(longest, sum/4)
}

// BenchmarkFigureRealShards runs one suite on four real sandboxes, by each strategy: the longest BUILD phase beside the
// lower bound. A cold queue comes first, and what it has learned is known to those after it.
func BenchmarkFigureRealShards(b *testing.B) {
	git := newGitServer(b)
	files, bound := unevenSuite()
	repo, url, commit := git.repo("uneven", files)
	build := func(d *daemon, strategy string) (seconds float64) {
		err := repo.Write("buildspec.yml", strings.Replace(files["buildspec.yml"], "sharding: queue", "sharding: "+strategy, 1))
		if err == nil {
			commit, err = repo.Commit(b.Context(), strategy)
		}
		if err != nil {
			b.Fatal(err)
		}
		ended := d.ended(d.push(url, commit), "SUCCEEDED")
		d.assertEachOnce(ended, unevenTests)
		return buildPhase(ended).Seconds()
	}
	var taught *daemon // by a build that knew nothing
	cold := func() float64 {
		taught = newDaemon(b, "slots: 4\n", project("uneven", url))
		return build(taught, "queue")
	}
	figures.Run(b, "real-shards-queue-cold", "s", func(*testing.B) (ours, theirs float64) { return cold(), bound })
	for _, f := range []struct{ name, strategy string }{
		{"real-shards-queue", "queue"},
		{"real-shards-timing", "timing"},
		{"real-shards-equal", "equal-distribution"},
	} {
		figures.Run(b, f.name, "s", func(*testing.B) (ours, theirs float64) {
			if taught == nil {
				cold()
			}
			return build(taught, f.strategy), bound
		})
	}
}
