package scheduler

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// TestTriggersAreLookedAtInTurn: those of one project one after the other, those of others beside them.
func TestTriggersAreLookedAtInTurn(t *testing.T) {
	s := open(t, statePath(t))
	gone, cancel := context.WithCancel(t.Context())
	cancel() // nothing begins
	var ids []string
	for _, projects := range [][]string{{"api"}, {"api"}, {"web"}, {"web", "docs"}, {"docs"}, {"lib"}} {
		tr := Trigger{ID: triggerID(uint64(len(ids) + 1)), Projects: projects}
		s.look(gone, tr)
		s.look(gone, tr) // once is enough
		ids = append(ids, tr.ID)
	}
	l := &s.looking
	if len(l.waiting) != len(ids) {
		t.Fatalf("%d wait, want %d", len(l.waiting), len(ids))
	}
	turns := func() (out []int) {
		for _, tr := range l.begin() {
			out = append(out, slices.Index(ids, tr.ID)+1)
		}
		return out
	}
	// The fourth waits for the third, and the fifth for the fourth.
	if got := turns(); !slices.Equal(got, []int{1, 3, 6}) {
		t.Errorf("begun %v", got)
	}
	s.looked(gone, &Trigger{ID: ids[0], Projects: []string{"api"}})
	s.looked(gone, &Trigger{ID: ids[2], Projects: []string{"web"}})
	if got := turns(); !slices.Equal(got, []int{2, 4}) {
		t.Errorf("then %v", got)
	}
	s.looked(gone, &Trigger{ID: ids[3], Projects: []string{"web", "docs"}})
	if got := turns(); !slices.Equal(got, []int{5}) {
		t.Errorf("at last %v", got)
	}
}

func TestAPendingTriggerSaysWhatItWaitsFor(t *testing.T) {
	s := open(t, statePath(t))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	tr := accept(t, s, Trigger{Kind: KindPush, Projects: []string{"api"}, Ref: "refs/heads/main", Commit: "c0ffee"})
	s.look(gone, tr)
	got, err := s.Trigger(tr.ID)
	if err != nil || got.Outcome != OutcomePending || !strings.Contains(got.Reason, "fetched first") {
		t.Errorf("it is %s, %q, %v", got.Outcome, got.Reason, err)
	}
}
