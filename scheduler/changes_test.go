package scheduler

import (
	"fmt"
	"slices"
	"testing"
)

func TestChangesSinceAMoment(t *testing.T) {
	var h hub
	since := func(seq uint64) Changed { return h.changes.since(seq) }
	start := since(0).Now.Seq
	h.tell("api#1")
	h.tell("t0000000001", "web#1")
	middle := since(0).Now.Seq
	if got := since(start); !slices.Equal(got.Builds, []string{"api#1", "web#1"}) || !slices.Equal(got.Triggers, []string{"t0000000001"}) || got.Daemon || got.Missed {
		t.Errorf("from the start: %+v", got)
	}
	h.tell("api#1")
	h.tell()
	if got := since(middle); !slices.Equal(got.Builds, []string{"api#1"}) || len(got.Triggers) > 0 || !got.Daemon {
		t.Errorf("from the middle: %+v", got)
	}
	if got := since(since(0).Now.Seq); len(got.Builds)+len(got.Triggers) > 0 || got.Daemon || got.Missed {
		t.Errorf("from now: %+v", got)
	}
	if got := since(^uint64(0)); !got.Missed {
		t.Errorf("of a moment that has not come: %+v", got)
	}
	for i := range rememberedChanges {
		h.tell(fmt.Sprintf("many#%d", i+1))
	}
	if got := since(middle); !got.Missed || len(got.Builds) > 0 {
		t.Errorf("more than is remembered: missed %v with %d builds", got.Missed, len(got.Builds))
	}
	if n := len(h.changes.topics); n != rememberedChanges || h.changes.order.Len() != n {
		t.Errorf("%d topics are remembered in %d rows", n, h.changes.order.Len())
	}
}

func TestMomentsOfOtherTextsAreNone(t *testing.T) {
	m := Moment{3, 17}
	if got := ParseMoment(m.String()); got != m {
		t.Errorf("%v", got)
	}
	for _, text := range []string{"", "x", "3", "3-", "-1-2", "99999999999999999999-1"} {
		if got := ParseMoment(text); got != (Moment{}) {
			t.Errorf("%q: %v", text, got)
		}
	}
}
