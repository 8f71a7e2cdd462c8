package scheduler

import (
	"math/rand/v2"
	"testing"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// TestTestsWeatherAStorm lets shards, containers and daemons die at random. As long as one shard is left, every test is
// counted once, and the state stays sound.
func TestTestsWeatherAStorm(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 4))
		path := statePath(t)
		s := open(t, path)
		const tests = 30
		b := queued(t, s, fanout(4, false))
		shards := startShards(t, s, 4)
		for _, sh := range shards {
			sh.join(wire.StrategyQueue, suite(tests))
		}
		over := make(map[*shard]bool)
		for steps := 0; len(over) < len(shards); steps++ {
			if steps > 5000 {
				t.Fatalf("seed %d: the tests do not come to an end", seed)
			}
			sh := shards[r.IntN(len(shards))]
			switch n := r.IntN(30); {
			case n == 0 && len(shards) > 1 && !over[sh]: // its container dies
				shards = deleteShard(shards, sh)
				sh.end(s, runner.Result{Status: wire.StatusFault, Reason: "sandbox_lost", Message: "gone"})
			case n == 1: // the daemon dies
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = open(t, path)
				if _, err := s.recover(); err != nil {
					t.Fatal(err)
				}
				for _, sh := range shards {
					sh.tests = s.testsOf(sh.lease)
				}
			case n == 2: // its transaction fails, as far as memory goes
				s.tests.drop(b.ID())
			case over[sh]:
			case sh.held.Token == 0:
				if sh.take().Over {
					over[sh] = true
				}
			default:
				sh.done()
				sh.held = wire.TestsAnswer{}
			}
		}
		eachOnce(t, shards[0].ran, tests)
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
		for _, sh := range shards {
			sh.end(s, green)
		}
		checkClean(t, s, path)
	}
}

func deleteShard(shards []*shard, gone *shard) (left []*shard) {
	for _, sh := range shards {
		if sh != gone {
			left = append(left, sh)
		}
	}
	return left
}
