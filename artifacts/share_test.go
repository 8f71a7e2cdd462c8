package artifacts

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shared is a store with a sealed log and a set called "old", which "new" shares.
func shared(t *testing.T) (*Store, *clock) {
	t.Helper()
	s, c := newStoreAt(t, filepath.Join(t.TempDir(), "artifacts.db"))
	put(t, s, "old", text("a", "what a job left"))
	appendLog(t, s, "old", 1, []byte("what it said\n"))
	if err := s.SealLog(t.Context(), "old"); err != nil {
		t.Fatal(err)
	}
	c.pass(time.Hour)
	for range 2 { // doing it twice is doing it once
		if err := s.Share(t.Context(), []Share{{From: "old", To: "new", Log: true}, {From: "old", To: "new"}}); err != nil {
			t.Fatal(err)
		}
	}
	clean(t, s)
	return s, c
}

// whole tells whether an id has both the log and the file.
func whole(t *testing.T, s *Store, id string) {
	t.Helper()
	if got := string(content(t, s, id, "a")); got != "what a job left" {
		t.Errorf("the file of %s has %q", id, got)
	}
	if got := string(readAll(t, s.ReadLog(t.Context(), id, 0, false))); got != "what it said\n" {
		t.Errorf("the log of %s has %q", id, got)
	}
}

func TestSharedIsKeptUntilTheLastIDIsRemoved(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"old", "new"} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			s, _ := shared(t)
			last := strings.TrimPrefix("old new", first+" ")
			if last == "old new" {
				last = "old"
			}
			stored := stats(t, s)
			if err := s.Remove(t.Context(), []string{first}); err != nil {
				t.Fatal(err)
			}
			if f := collect(t, s); f.Bytes != 0 || f.Chunks != 0 {
				t.Errorf("%+v was freed of what %s still has", f, last)
			}
			clean(t, s)
			whole(t, s, last)
			if now := stats(t, s); now.ChunkStored != stored.ChunkStored {
				t.Errorf("%d bytes are stored, want %d", now.ChunkStored, stored.ChunkStored)
			}
			if err := s.Share(t.Context(), []Share{{From: last, To: "third"}, {From: last, To: "third", Log: true}}); err != nil {
				t.Fatal(err)
			}
			if err := s.RemoveBelow(t.Context(), last); err != nil {
				t.Fatal(err)
			}
			whole(t, s, "third")
			if err := s.RemoveBelow(t.Context(), "thi"); err != nil {
				t.Fatal(err)
			}
			if f := collect(t, s); f.Chunks != 1 || f.Logs != 1 || f.Sets != 1 {
				t.Errorf("%+v was freed after the last id went, want one of each", f)
			}
			clean(t, s)
		})
	}
}

func TestSharedExpiresByTheAgeOfEachID(t *testing.T) {
	t.Parallel()
	s, c := shared(t)
	c.pass(30 * time.Minute)
	if _, err := s.Expire(t.Context(), Policy{MaxAge: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Set("old"); !gone(err) {
		t.Errorf("the older id is still there: %v", err)
	}
	clean(t, s)
	whole(t, s, "new")
}

func TestOnlyWhatIsWholeIsShared(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	put(t, s, "set", text("a", "b"))
	appendLog(t, s, "open", 1, []byte("more will come"))
	err := s.Share(t.Context(), []Share{{From: "set", To: "x"}, {From: "missing", To: "x", Log: true}})
	if !gone(err) {
		t.Errorf("sharing a log that is not there: %v", err)
	}
	if _, err := s.Set("x"); !gone(err) {
		t.Errorf("half of it was shared: %v", err)
	}
	if err := s.Share(t.Context(), []Share{{From: "open", To: "x", Log: true}}); err == nil || gone(err) {
		t.Errorf("sharing a log that is being written: %v", err)
	}
	clean(t, s)
}
