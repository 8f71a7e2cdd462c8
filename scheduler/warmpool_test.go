package scheduler

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
)

// poolStage drives a pool in made-up time.
type poolStage struct {
	*warmPool
	now  time.Time
	busy bool
	made int
}

func newPoolStage() *poolStage {
	return &poolStage{warmPool: newWarmPool(), now: time.Unix(1_000_000, 0)}
}

func wants(image string, l runner.Limits) want {
	return want{kind: warmKind{engine: "local", image: "sha256:" + image}, image: runner.Image{Ref: image, ID: "sha256:" + image}, limits: l}
}

// jobs runs n jobs of an image at once, each with a sandbox of its own, and returns how many of those waited for it.
func (p *poolStage) jobs(image string, n int) (warm int) {
	w := wants(image, runner.Limits{})
	for range n {
		if b := p.take(w, p.now); b != nil {
			warm++
			p.gave(b)
		}
	}
	for range n {
		p.ended(w.kind, p.now)
	}
	return warm
}

// settle does what the pool wants until it wants nothing, and says what that was.
func (p *poolStage) settle(limit int) (did []string) {
	p.now = p.now.Add(warmCalm)
	for range 100 {
		work := p.next(limit, p.busy, p.now)
		for _, b := range work.drop {
			did = append(did, "drop "+b.kind.image[7:])
			p.gave(b)
		}
		switch {
		case work.make == nil && work.drop == nil:
			return did
		case work.make == nil:
			continue
		}
		did = append(did, "make "+work.make.kind.image[7:])
		p.made++
		b := &warmBox{id: fmt.Sprint(p.made), kind: work.make.kind, limits: work.make.limits}
		p.enter(b)
		p.ready(b, p.now)
	}
	return append(did, "never settles")
}

func (p *poolStage) want(t *testing.T, limit int, did ...string) {
	t.Helper()
	if got := p.settle(limit); !slices.Equal(got, did) {
		t.Errorf("the pool did %q, want %q", got, did)
	}
}

func TestAsManyWaitAsRanAtOnceLately(t *testing.T) {
	p := newPoolStage()
	p.want(t, 4)
	p.jobs("a", 1)
	p.want(t, 4, "make a")
	if n := p.jobs("a", 3); n != 1 {
		t.Errorf("%d jobs found a sandbox, want the one that waited", n)
	}
	p.want(t, 4, "make a", "make a", "make a")
	if n := p.jobs("a", 2); n != 2 {
		t.Errorf("%d jobs found a sandbox, want both", n)
	}
	p.want(t, 4, "make a", "make a") // three ran at once a moment ago
	p.now = p.now.Add(warmWindow - time.Second)
	p.jobs("a", 1)
	p.want(t, 4, "make a")
	p.now = p.now.Add(time.Minute) // now only one did
	p.want(t, 4, "drop a", "drop a")
	p.now = p.now.Add(warmWindow)
	p.want(t, 4, "drop a")
	if len(p.demands) != 0 || len(p.boxes) != 0 {
		t.Errorf("an idle pool remembers %v and %v", p.demands, p.boxes)
	}
}

func TestTheLimitGoesToTheImagesUsedLast(t *testing.T) {
	p := newPoolStage()
	p.jobs("old", 2)
	p.want(t, 3, "make old", "make old")
	p.now = p.now.Add(time.Second)
	p.jobs("new", 2)
	p.want(t, 3, "drop old", "make new", "make new")
}

func TestPressureDrainsThePool(t *testing.T) {
	p := newPoolStage()
	p.jobs("a", 2)
	p.want(t, 2, "make a", "make a")
	p.want(t, 1, "drop a")
	p.want(t, 0, "drop a")
	p.want(t, 2, "make a", "make a")
}

func TestNothingIsMadeWhileSomethingStartsOrGoes(t *testing.T) {
	p := newPoolStage()
	p.jobs("a", 1)
	if w := p.next(1, false, p.now); w.make != nil {
		t.Error("a sandbox is made at the moment in which a job was given one")
	}
	for _, busy := range [][2]int{{1, 0}, {0, 1}} {
		p.count(busy[0], busy[1])
		if did := p.settle(1); did != nil {
			t.Errorf("with %v under way the pool did %q", busy, did)
		}
		p.count(-busy[0], -busy[1])
	}
	p.busy = true
	p.now = p.now.Add(warmCalmBusy - 4*warmCalm)
	p.want(t, 1) // jobs wait for a slot
	p.now = p.now.Add(warmCalm)
	p.want(t, 1, "make a") // none has been started for long
	p.count(1, 1)
	p.want(t, 0, "drop a") // which nothing holds up
}

func TestAnImageThatWasMovedHasNoneWaiting(t *testing.T) {
	p := newPoolStage()
	p.jobs("a", 1)
	p.want(t, 2, "make a")
	moved := wants("b", runner.Limits{})
	moved.image.Ref = "a"
	if p.take(moved, p.now) != nil {
		t.Error("a job got a sandbox of another image")
	}
	p.ended(moved.kind, p.now)
	p.want(t, 2, "drop a", "make b")
}

func TestWhatFailsIsTriedLessAndLess(t *testing.T) {
	p := newPoolStage()
	p.jobs("a", 1)
	p.now = p.now.Add(warmCalm)
	var waits []time.Duration
	for range 9 {
		last := p.now
		for p.next(1, false, p.now).make == nil {
			p.now = p.now.Add(time.Second)
			p.jobs("a", 0)
			p.demands[warmKind{engine: "local", image: "sha256:a"}].peak(p.now, 1)
		}
		waits = append(waits, p.now.Sub(last))
		p.fails(warmKind{engine: "local", image: "sha256:a"}, "no", p.now)
	}
	if waits[1] != warmRetry || waits[2] != 2*warmRetry || waits[8] != warmRetryMost {
		t.Errorf("it is tried again after %v", waits)
	}
}

func TestLimitsDecideWhichIsTaken(t *testing.T) {
	gib := int64(1 << 30)
	free, small, big := runner.Limits{PIDs: 9}, runner.Limits{MemoryBytes: gib}, runner.Limits{MemoryBytes: 2 * gib, CPUs: 1}
	for _, c := range []struct {
		wait []runner.Limits
		job  runner.Limits
		want int
	}{
		{[]runner.Limits{free, small, big}, small, 1},
		{[]runner.Limits{free, small, big}, big, 2},
		{[]runner.Limits{small, big}, free, -1}, // no engine lifts a limit
		{[]runner.Limits{small, big}, runner.Limits{CPUs: 1}, -1},
		{[]runner.Limits{free, small}, big, 0},
	} {
		p := newPoolStage()
		for i, l := range c.wait {
			b := &warmBox{id: fmt.Sprint(i), kind: wants("a", l).kind, limits: l}
			p.enter(b)
			p.ready(b, p.now.Add(time.Duration(i)))
		}
		got := -1
		if b := p.take(wants("a", c.job), p.now); b != nil {
			fmt.Sscan(b.id, &got)
		}
		if got != c.want {
			t.Errorf("of %+v a job with %+v got number %d, want %d", c.wait, c.job, got, c.want)
		}
	}
}

func TestHowManyMayWait(t *testing.T) {
	cfg := func(warm string, memory int64) *config.Config {
		return &config.Config{Slots: 6, Warm: warm, WarmMemoryBytes: memory}
	}
	for _, c := range []struct {
		cfg  *config.Config
		room Room
		have int
		want int
	}{
		{cfg("auto", 0), Room{}, 0, 6},
		{cfg("off", 0), Room{}, 0, 0},
		{cfg("2", 0), Room{Memory: 1}, 0, 2},
		{cfg("9", 0), Room{}, 0, 6},
		{cfg("auto", 3*warmCost), Room{}, 0, 3},
		{cfg("9", 3*warmCost), Room{}, 0, 3},
		{cfg("auto", 0), Room{Memory: 4 * warmShare * warmCost}, 0, 4},
		{cfg("auto", 0), Room{Memory: 4*warmShare*warmCost - 3*warmCost}, 3, 4}, // those that wait have taken their part of it
		{cfg("9", 0), Room{Short: "memory"}, 3, 0},
	} {
		if got := warmLimit(c.cfg, c.room, c.have); got != c.want {
			t.Errorf("warm: %s with %+v and %d waiting: %d may wait, want %d", c.cfg.Warm, c.room, c.have, got, c.want)
		}
	}
}
