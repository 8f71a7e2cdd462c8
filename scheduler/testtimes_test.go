package scheduler

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/scheduler/testqueue"
)

func TestTimesAreLearned(t *testing.T) {
	s := open(t, statePath(t))
	queued(t, s, fanout(2, false))
	shards := startShards(t, s, 2)
	for _, sh := range shards {
		sh.join(wire.StrategyQueue, suite(20))
	}
	work(t, shards)
	for _, sh := range shards {
		sh.end(s, green)
	}
	s.sweepTests(time.Now())
	if n := len(s.tests.all()); n != 0 {
		t.Errorf("%d builds' queues stay in memory", n)
	}
	_ = s.db.View(func(tx *bbolt.Tx) error {
		known := timesOf(tx, "api", suite(20))
		if len(known) != 20 || known["test/004.sh"] != 50*time.Millisecond {
			t.Errorf("known are %v", known)
		}
		return nil
	})
	queued(t, s, fanout(2, false))
	first := startShards(t, s, 1)[0]
	first.join(wire.StrategyTiming, suite(20))
	if got := first.take(); got.Items[0] != 19 {
		t.Errorf("the longest test does not go first: %v", got.Items)
	}
}

func TestAStrangersBuildTeachesNothing(t *testing.T) {
	s := open(t, statePath(t))
	queued(t, s, fanout(2, false))
	shards := startShards(t, s, 2)
	for _, sh := range shards {
		sh.lease.build.Fork = true
		sh.join(wire.StrategyQueue, suite(4))
	}
	work(t, shards)
	_ = s.db.View(func(tx *bbolt.Tx) error {
		if known := timesOf(tx, "api", suite(4)); len(known) != 0 {
			t.Errorf("known are %v", known)
		}
		return nil
	})
}

func TestTimesAreBounded(t *testing.T) {
	for _, c := range []struct {
		what        string
		most, bytes int
		want        []string
	}{
		{"by number", 2, 1000, []string{"always", "of build 3"}},
		{"by bytes", 1000, len("always") + 2*len("of build 3"), []string{"always", "of build 2", "of build 3"}},
		{"by fewer bytes", 1000, len("always") + 2*len("of build 3") - 1, []string{"always", "of build 3"}},
		{"not at all", 4, 1000, []string{"always", "of build 1", "of build 2", "of build 3"}},
	} {
		s := open(t, statePath(t))
		err := s.db.Update(func(tx *bbolt.Tx) error {
			for build := 1; build <= 3; build++ {
				name := fmt.Sprintf("of build %d", build)
				if err := learnTimes(tx, "api", build, []testSample{{name, time.Second, 1}, {"always", time.Second, 1}}); err != nil {
					return err
				}
			}
			if err := learnTimes(tx, "apis", 1, []testSample{{"other", time.Second, 1}}); err != nil {
				return err
			}
			return trimTimes(tx, "api", c.most, c.bytes)
		})
		if err != nil {
			t.Fatal(err)
		}
		_ = s.db.View(func(tx *bbolt.Tx) error {
			known, _ := suiteOf(tx, "api")
			if got := slices.Sorted(maps.Keys(known)); !slices.Equal(got, c.want) {
				t.Errorf("%s: kept are %q, want %q", c.what, got, c.want)
			}
			if known, _ := suiteOf(tx, "apis"); len(known) != 1 {
				t.Error("another project lost what it knew")
			}
			return nil
		})
	}
}

func TestAnAverageFollowsAChange(t *testing.T) {
	var at testTime
	for range 20 {
		at = at.with(testSample{"a", time.Second, 1}, 1)
	}
	for range 5 {
		at = at.with(testSample{"a", 3 * time.Second, 1}, 2)
	}
	if got := at.took(); got < 2500*time.Millisecond || got > 3*time.Second {
		t.Errorf("after five builds of 3 s the average is %s", got)
	}
	before := at.took()
	if at = at.with(testSample{"a", 100 * time.Second, 0.25}, 3); at.took()-before > 10*time.Second {
		t.Errorf("a sample of little weight moved it from %s to %s", before, at.took())
	}
}

// TestABuildOfSomeTestsLeavesTheSuiteAsItIs: it says how long they take, not that there are no others.
func TestABuildOfSomeTestsLeavesTheSuiteAsItIs(t *testing.T) {
	for name, ask := range map[string]func(*Trigger){
		"all tests":         func(*Trigger) {},
		"those that match":  func(tr *Trigger) { tr.Override.Only = []string{"test_1*"} },
		"those that failed": func(tr *Trigger) { tr.FailedOnly = true },
	} {
		s := open(t, statePath(t))
		err := s.db.Update(func(tx *bbolt.Tx) error {
			return learnTimes(tx, "api", 1, []testSample{{"a file", time.Minute, 1}, {"another", time.Minute, 1}})
		})
		if err != nil {
			t.Fatal(err)
		}
		asked := Trigger{ID: triggerID(1)}
		ask(&asked)
		err = s.db.Update(func(tx *bbolt.Tx) error {
			return errors.Join(put(tx, bucketTriggers, number(1), asked), put(tx, bucketBuilds, buildKey("api", 12), Build{Project: "api", Number: 12, Trigger: asked.ID}))
		})
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.tests.book("api#12", true)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.loadBook(b); err != nil {
			t.Fatal(err)
		}
		err = s.db.Update(func(tx *bbolt.Tx) error {
			return learnTimes(tx, "api", b.teaches(), []testSample{{"a file" + testqueue.PartMark + "TestOne", time.Second, 1}})
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"a file", "another"}
		if name == "all tests" {
			want = []string{"a file" + testqueue.PartMark + "TestOne"}
		}
		if _, got := suiteOfBuild(s); !slices.Equal(got, want) {
			t.Errorf("after a build of %s the suite is %q, want %q", name, got, want)
		}
	}
}

func TestWhatABuildOfSomeTestsTeaches(t *testing.T) {
	for _, only := range [][]string{nil, {"*"}} {
		s := open(t, statePath(t))
		b := queued(t, s, fanout(2, false))
		err := s.db.Update(func(tx *bbolt.Tx) error {
			tr, err := triggerOf(tx, &b)
			if err != nil {
				return err
			}
			tr.Override.Only = only
			return putTrigger(tx, tr)
		})
		if err != nil {
			t.Fatal(err)
		}
		shards := startShards(t, s, 2)
		for _, sh := range shards {
			sh.join(wire.StrategyQueue, suite(4))
		}
		work(t, shards)
		_ = s.db.View(func(tx *bbolt.Tx) error {
			row := testTimeOf(tx.Bucket(bucketTestTimes).Get(timesKey("api", suite(4)[0])))
			if row.took() == 0 || (row.seen == 0) != (only != nil) {
				t.Errorf("only %v: learned is %+v", only, row)
			}
			return nil
		})
	}
}
