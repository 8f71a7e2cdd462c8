package scheduler

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/scheduler/testqueue"
)

// remember stores durations as build number build would have taught them.
func remember(t *testing.T, s *Scheduler, build int, took map[string]time.Duration) {
	t.Helper()
	var samples []testSample
	for name, d := range took {
		samples = append(samples, testSample{name, d, 1})
	}
	if err := s.db.Update(func(tx *bbolt.Tx) error { return learnTimes(tx, "api", build, samples) }); err != nil {
		t.Fatal(err)
	}
}

func (sh *shard) split(names []string) []int {
	sh.t.Helper()
	a, err := sh.tests.Split(sh.t.Context(), firstCall, wire.StrategyQueue, names)
	if err != nil || a.Refused != "" {
		sh.t.Fatalf("%s was answered %+v, %v", sh.tests.worker, a, err)
	}
	return a.Split
}

// TestAllShardsSplitTheSameFiles: what is decided for the first holds for others, after a restart and whatever is learned
// meanwhile, and for a retry of the build.
func TestAllShardsSplitTheSameFiles(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	remember(t, s, 1, map[string]time.Duration{"a": time.Second, "slow": 20 * time.Second, "z": time.Second})
	queued(t, s, fanout(2, false))
	names := []string{"a", "slow", "z"}
	shards := startShards(t, s, 2)
	if got := shards[0].split(names); !slices.Equal(got, []int{1}) {
		t.Fatalf("split are %v, want the slow one", got)
	}
	remember(t, s, 2, map[string]time.Duration{"slow": time.Millisecond, "slow#TestA": time.Millisecond, "z": time.Hour})
	s.tests.drop(shards[0].lease.build.ID()) // as a restart does
	if got := shards[1].split(names); !slices.Equal(got, []int{1}) {
		t.Errorf("split are %v for the second shard, want the slow one", got)
	}
	finer := []string{"a", "slow#TestA", "slow#TestB", "z"}
	shards[1].fails = func(i int) bool { return i == shards[1].held.Items[0] }
	for _, sh := range shards {
		if a := sh.join(wire.StrategyQueue, finer); a.Refused != "" {
			t.Fatalf("%+v", a)
		}
	}
	work(t, shards)
	eachOnce(t, shards[0].ran, len(finer))
}

func TestWhatIsWorthSplitting(t *testing.T) {
	items := func(seconds ...float64) (all []testqueue.Item) {
		for i, n := range seconds {
			all = append(all, testqueue.Item{Name: fmt.Sprint(i), Took: time.Duration(n * float64(time.Second)), Known: true})
		}
		return all
	}
	unknown := items(60, 1)
	unknown[0].Known = false
	for _, tt := range []struct {
		what   string
		items  []testqueue.Item
		shards int
		want   []string
	}{
		{"more than a part", items(1, 6, 1), 4, []string{"1"}},
		{"a suite of no length", items(0.1, 1.9, 0.1), 4, nil},
		{"one shard", items(1, 60), 1, nil},
		{"half of a part, but long", items(41, 30, 30, 30, 30), 2, []string{"0"}},
		{"half of a part, and not long", items(25, 20, 20, 20), 2, nil},
		{"all alike", items(10, 10, 10, 10), 4, nil},
		{"nobody knows", unknown, 4, nil},
	} {
		if got := worthSplitting(tt.items, tt.shards); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.what, got, tt.want)
		}
	}
}

// TestAFileThatIsSplitStaysAsSlowAsItIs: its tests stand for it as long as they are what was seen last.
func TestAFileThatIsSplitStaysAsSlowAsItIs(t *testing.T) {
	s := open(t, statePath(t))
	want := func(whole time.Duration, suite ...string) {
		t.Helper()
		_ = s.db.View(func(tx *bbolt.Tx) error {
			if got := wholeTimes(tx, "api")["slow"]; got != whole {
				t.Errorf("it takes %s, want %s", got, whole)
			}
			if _, got := suiteOf(tx, "api"); !slices.Equal(got, suite) {
				t.Errorf("the suite is %q, want %q", got, suite)
			}
			return nil
		})
	}
	remember(t, s, 1, map[string]time.Duration{"a": time.Second, "slow": 20 * time.Second})
	want(20*time.Second, "a", "slow")
	remember(t, s, 2, map[string]time.Duration{"slow#TestA": 4 * time.Second, "slow#TestB": 5 * time.Second})
	want(9*time.Second, "a", "slow#TestA", "slow#TestB")
	remember(t, s, 12, map[string]time.Duration{"a": time.Second, "slow#TestA": 4 * time.Second})
	want(4*time.Second, "a", "slow#TestA")
	remember(t, s, 13, map[string]time.Duration{"slow": 20 * time.Second})
	if _, got := suiteOfBuild(s); !slices.Equal(got, []string{"a", "slow"}) {
		t.Errorf("the suite is %q once the file ran whole", got)
	}
}

func suiteOfBuild(s *Scheduler) (known testqueue.History, names []string) {
	_ = s.db.View(func(tx *bbolt.Tx) error {
		known, names = suiteOf(tx, "api")
		return nil
	})
	return known, names
}

// TestARetryOfASplitCall gives a shard the tests that it had, by both strategies, though the file would be split no more.
func TestARetryOfASplitCall(t *testing.T) {
	for _, strategy := range []string{wire.StrategyQueue, wire.StrategyTiming} {
		t.Run(strategy, func(t *testing.T) {
			s := open(t, statePath(t))
			remember(t, s, 1, map[string]time.Duration{"a": time.Second, "slow": 20 * time.Second})
			plan := fanout(2, false)
			plan.Jobs[0].Image, plan.Jobs[1].Image = "a", "a"
			b := queuedIn(t, s, plan, map[string]runner.Image{"a": {Ref: "a", ID: "a"}})
			shards := startShards(t, s, 2)
			finer := []string{"a", "slow#TestA", "slow#TestB", "slow#TestC"}
			for _, sh := range shards {
				if got := sh.split([]string{"a", "slow"}); !slices.Equal(got, []int{1}) {
					t.Fatalf("split are %v, want the slow one", got)
				}
				if a := sh.join(strategy, finer); a.Refused != "" {
					t.Fatalf("%+v", a)
				}
			}
			var had []int
			shards[1].fails = func(i int) bool { had = append(had, i); return true }
			work(t, shards)
			eachOnce(t, shards[0].ran, len(finer))
			shards[0].end(s, green)
			shards[1].end(s, red)
			remember(t, s, 2, map[string]time.Duration{"slow": time.Millisecond, "slow#TestA": time.Millisecond, "slow#TestB": time.Millisecond})
			retried(t, s, b.ID())
			again := startShards(t, s, 1)
			if got := again[0].split([]string{"a", "slow"}); !slices.Equal(got, []int{1}) {
				t.Fatalf("split are %v in the retry, want the slow one", got)
			}
			if a := again[0].join(strategy, finer); a.Refused != "" {
				t.Fatalf("%+v", a)
			}
			var got []int
			again[0].fails = func(i int) bool { got = append(got, i); return false }
			if last := work(t, again); last[0].Fails || len(had) == 0 || !slices.Equal(got, had) {
				t.Errorf("the retry ran %v and ended %+v, want %v and passed", got, last, had)
			}
		})
	}
}
