package scheduler

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// holdGroup lets a group commit once by what it returns, and holds that commit until release is called.
func holdGroup(t *testing.T, g *group) (release func()) {
	t.Helper()
	begun, end := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- g.update(func(*bbolt.Tx) error { close(begun); <-end; return nil })
	}()
	<-begun
	return func() {
		close(end)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// untilWaiting returns when so many writes wait for their turn.
func untilWaiting(g *group, n int) {
	for {
		g.mu.Lock()
		got := len(g.waiting)
		g.mu.Unlock()
		if got == n {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// TestWhatComesTogetherSharesACommit also has writes that fail and panic among the others: each concerns its caller alone.
func TestWhatComesTogetherSharesACommit(t *testing.T) {
	s := open(t, statePath(t))
	g := &s.group
	release := holdGroup(t, g)
	before := 0
	_ = s.db.View(func(tx *bbolt.Tx) error { before = tx.ID(); return nil })
	wrong := errors.New("wrong")
	const n = 50
	var group sync.WaitGroup
	got := make([]string, n)
	for i := range n {
		group.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					got[i] = fmt.Sprint("panic ", p)
				}
			}()
			err := g.update(func(tx *bbolt.Tx) error {
				if err := tx.Bucket(bucketTokens).Put(fmt.Append(nil, i), nil); err != nil {
					return err
				}
				switch {
				case i == 7:
					return wrong
				case i == 23:
					panic("oops")
				}
				return nil
			})
			got[i] = fmt.Sprint(err)
		})
	}
	untilWaiting(g, n)
	release()
	group.Wait()
	_ = s.db.View(func(tx *bbolt.Tx) error {
		if commits := tx.ID() - before; commits != 2 { // the one that was held, and one for all others
			t.Errorf("%d writes took %d commits, want them to share one", n, commits-1)
		}
		for i := range n {
			want := map[int]string{7: "wrong", 23: "panic oops"}[i]
			if want == "" {
				want = "<nil>"
			}
			if got[i] != want || has(tx, bucketTokens, fmt.Append(nil, i)) != (want == "<nil>") {
				t.Errorf("write %d came to %s, want %s; it is stored: %t", i, got[i], want, has(tx, bucketTokens, fmt.Append(nil, i)))
			}
		}
		return nil
	})
	if g.busy || len(g.waiting) > 0 {
		t.Error("the group is still busy")
	}
}

func TestAGroupGoesOnWhileWritesCome(t *testing.T) {
	s := open(t, statePath(t))
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			for n := range 20 {
				err := s.group.update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketTokens).Put(fmt.Append(nil, i, "-", n), nil) })
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	_ = s.db.View(func(tx *bbolt.Tx) error {
		if got := tx.Bucket(bucketTokens).Stats().KeyN; got != 400 {
			t.Errorf("%d of 400 writes are stored", got)
		}
		return nil
	})
}

// TestASkippedTriggerIsDecidedAsItComes: nothing is left for the planner to do.
func TestASkippedTriggerIsDecidedAsItComes(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	tr := accept(t, s, Trigger{Kind: KindPush, Projects: []string{"api"}, Ref: "refs/heads/gone", Skip: "branch deleted", Delivery: "github/1"})
	again, created, err := s.Accept(t.Context(), Trigger{Kind: KindPush, Projects: []string{"api"}, Delivery: "github/1"})
	if tr.Outcome != OutcomeSkipped || tr.Reason != "branch deleted" || created || err != nil || again.ID != tr.ID {
		t.Errorf("it is %s (%s), and again %s, %t, %v", tr.Outcome, tr.Reason, again.ID, created, err)
	}
	if page, _, err := s.Triggers(OutcomePending, "", 5); err != nil || len(page) != 0 {
		t.Errorf("%d triggers are pending, %v", len(page), err)
	}
	checkClean(t, s, path)
}
