package scheduler

import (
	"context"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// twoShards is a shard that has nothing to do while another one has a test.
func twoShards(t *testing.T, hold time.Duration) (s *Scheduler, idle, busy *shard) {
	t.Helper()
	s = open(t, statePath(t))
	s.tests.hold = hold
	queued(t, s, fanout(2, false))
	shards := startShards(t, s, 2)
	for _, sh := range shards {
		sh.join(wire.StrategyQueue, suite(2))
		sh.take()
	}
	shards[0].done()
	return s, shards[0], shards[1]
}

// TestAShardThatWaitsAsksSeldom: it is told of the end at once, and until then asks once a hold.
func TestAShardThatWaitsAsksSeldom(t *testing.T) {
	const hold, rest = 500 * time.Millisecond, 1200 * time.Millisecond
	_, idle, busy := twoShards(t, hold)
	var ended time.Time
	time.AfterFunc(rest, func() {
		ended = time.Now()
		busy.done()
	})
	calls := 0
	for {
		calls++
		if a := idle.take(); a.Over {
			break
		} else if a.WaitMillis != testPause.Milliseconds() {
			t.Fatalf("the shard is answered %+v, want to ask again at once", a)
		}
	}
	if late := time.Since(ended); late > hold/2 {
		t.Errorf("the shard is told of the end %s after it", late)
	}
	if want := int(rest/hold) + 1; calls > want {
		t.Errorf("the shard asked %d times in %s, want %d at most", calls, rest, want)
	}
}

// TestAShardThatWaitsGetsWhatIsLost without having to ask again.
func TestAShardThatWaitsGetsWhatIsLost(t *testing.T) {
	s, idle, busy := twoShards(t, time.Minute)
	time.AfterFunc(100*time.Millisecond, func() { s.sweepTests(time.Now().Add(40 * time.Second)) })
	if a := idle.take(); len(a.Items) != 1 || a.Items[0] != busy.held.Items[0] {
		t.Errorf("the shard is given %+v, want what the silent one held", a)
	}
}

func TestNobodyIsHeldInVain(t *testing.T) {
	_, idle, _ := twoShards(t, time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the agent's connection ended
	if a, err := idle.tests.Take(ctx, firstCall, 99); err != nil || a.WaitMillis == 0 {
		t.Errorf("the shard is answered %+v (%v)", a, err)
	}
	second := wire.TestCall{Phase: wire.PhaseBuild, Call: 1}
	if _, err := idle.tests.Join(t.Context(), second, wire.StrategyQueue, suite(2)); err != nil {
		t.Fatal(err)
	}
	if a := idle.take(); a.WaitMillis != testWait.Milliseconds() {
		t.Errorf("beside another call the shard is answered %+v, want to ask again", a)
	}
}
