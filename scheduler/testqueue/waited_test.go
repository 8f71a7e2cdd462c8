package testqueue

import (
	"maps"
	"testing"
	"time"
)

func TestWaitedIsWhatOthersTook(t *testing.T) {
	d := newDesk(t, Options{Workers: 3}, "a b c d", "w0", "w1", "w2")
	long, short, other := d.take("w0", at(1)), d.take("w1", at(0)), d.take("w2", at(0))
	d.complete("w1", short, Passed, at(2))
	if b := d.take("w1", at(3)); b != nil {
		t.Fatalf("w1 has %v, and nothing was left", b.Items)
	}
	d.ok(d.Lost("w2", 2, at(5)))
	again := d.take("w1", at(6))
	if again == nil || again.Items[0] != other.Items[0] {
		t.Fatalf("w1 is given %v, want what w2 lost", again)
	}
	d.ok(d.Heartbeat("w0", at(6)))
	d.complete("w1", again, Passed, at(8))
	d.complete("w0", long, Passed, at(18))
	want := map[string]time.Duration{"w0": time.Second, "w1": 14 * time.Second, "w2": 0}
	if got := d.Waited(); !maps.Equal(got, want) {
		t.Errorf("waited have %v, want %v", got, want)
	}
}
