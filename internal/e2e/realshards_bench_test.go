package e2e

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// unevenSuite is 40 tests of log-normal durations (a median of 0.5 s, σ = 1) on 4 shards, and what no division of them
// can beat, in seconds.
func unevenSuite(strategy string) (files map[string]string, bound float64) {
	files = suiteFiles(40, strategy, 0, -1)
	rnd := rand.New(rand.NewPCG(1, 0))
	longest, sum := 0.0, 0.0
	for i := range 40 {
		seconds := math.Exp(rnd.NormFloat64()) / 2
		files[fmt.Sprintf("tests/t%02d.sh", i)] = fmt.Sprintf("sleep %.2f\n", seconds)
		longest, sum = max(longest, seconds), sum+seconds
	}
	return files, max(longest, sum/4)
}

// BenchmarkRealShards runs one suite on four real sandboxes by equal-distribution, by a queue that knows nothing, and by
// one that knows the durations: the longest BUILD phase, in seconds and over the lower bound.
func BenchmarkRealShards(b *testing.B) {
	for _, bench := range []struct {
		name, strategy string
		before         int // builds that teach durations
	}{{"equal", "equal-distribution", 0}, {"queue-cold", "queue", 0}, {"queue-history", "queue", 1}} {
		b.Run(bench.name, func(b *testing.B) {
			git := newGitServer(b)
			files, bound := unevenSuite(bench.strategy)
			repo, url, commit := git.repo("uneven", files)
			d := newDaemon(b, "slots: 4\n", project("uneven", url))
			next := func() float64 {
				build := d.ended(d.push(url, commit), "SUCCEEDED")
				d.assertEachOnce(build, 40)
				var err error
				if commit, err = repo.Commit(b.Context(), "again"); err != nil {
					b.Fatal(err)
				}
				return buildPhase(build).Seconds()
			}
			for range bench.before {
				next()
			}
			total := 0.0
			for range b.N {
				total += next()
			}
			b.ReportMetric(total/float64(b.N), "makespan-s")
			b.ReportMetric(bound, "bound-s")
			b.ReportMetric(total/float64(b.N)/bound, "×bound")
		})
	}
}
