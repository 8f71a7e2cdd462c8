package artifacts

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// aWeek stores a set and a log each day, of 1 MiB and 256 KiB of noise, and returns the store in the evening of the
// seventh.
func aWeek(t *testing.T) (*Store, *clock) {
	t.Helper()
	s, c := newStoreAt(t, filepath.Join(t.TempDir(), "artifacts.db"))
	s.db.NoSync = true
	for day := range 7 {
		put(t, s, fmt.Sprint("set", day), entry{name: "x", body: noise(uint64(day), 1<<20)})
		appendLog(t, s, fmt.Sprint("log", day), 1, noise(uint64(50+day), 1<<18))
		if err := s.SealLog(t.Context(), fmt.Sprint("log", day)); err != nil {
			t.Fatal(err)
		}
		c.pass(24 * time.Hour)
	}
	return s, c
}

func left(t *testing.T, s *Store) string {
	t.Helper()
	var ids []string
	sets, _, err := s.Sets("", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range sets {
		ids = append(ids, set.ID)
	}
	logs, _, err := s.Logs("", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range logs {
		ids = append(ids, log.ID)
	}
	return strings.Join(ids, " ")
}

func expire(t *testing.T, s *Store, p Policy) Expired {
	t.Helper()
	out, err := s.Expire(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	clean(t, s)
	return out
}

func TestOldThingsGo(t *testing.T) {
	t.Parallel()
	s, _ := aWeek(t)
	if out := expire(t, s, Policy{}); out != (Expired{}) {
		t.Fatalf("no bounds, but removed %+v", out)
	}
	out := expire(t, s, Policy{MaxAge: 84 * time.Hour, Pinned: func(id string) bool { return id == "set1" || id == "log2" }})
	if want := "set1 set4 set5 set6 log2 log4 log5 log6"; left(t, s) != want {
		t.Fatalf("left are %s, want %s", left(t, s), want)
	}
	if out.Sets != 3 || out.Logs != 3 || out.Freed.Chunks != 3 || out.Freed.Bytes < 3<<20+3<<18 {
		t.Fatalf("%+v", out)
	}
}

func TestOldestGoUntilTheRestFits(t *testing.T) {
	t.Parallel()
	s, _ := aWeek(t)
	out := expire(t, s, Policy{MaxBytes: 4 << 20, Pinned: func(id string) bool { return id == "set0" }})
	if want := "set0 set5 set6 log5 log6"; left(t, s) != want {
		t.Fatalf("left are %s, want %s", left(t, s), want)
	}
	if st := stats(t, s); st.ChunkStored+st.LogStored > 4<<20 || out.Sets != 4 || out.Logs != 5 {
		t.Fatalf("%+v, %+v", st, out)
	}
	expire(t, s, Policy{MaxBytes: 1, Pinned: func(string) bool { return true }})
	if want := "set0 set5 set6 log5 log6"; left(t, s) != want {
		t.Fatalf("all is pinned, but left are %s", left(t, s))
	}
	expire(t, s, Policy{MaxBytes: 1})
	if left(t, s) != "" {
		t.Fatalf("left are %s, want none", left(t, s))
	}
}

func TestLiveLogsAndReadersStay(t *testing.T) {
	t.Parallel()
	s, c := aWeek(t)
	appendLog(t, s, "live", 1, noise(1, 1<<18))
	c.pass(48 * time.Hour)
	appendLog(t, s, "live", 2, noise(2, 1<<18))
	r, _, err := s.OpenFile(t.Context(), "set3", "x")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	expire(t, s, Policy{MaxBytes: 1})
	if want := "set3 live"; left(t, s) != want {
		t.Fatalf("left are %s, want %s", left(t, s), want)
	}
	expire(t, s, Policy{MaxAge: time.Hour})
	if want := "live"; left(t, s) != want {
		t.Fatalf("left are %s, want %s", left(t, s), want)
	}
	if n, err := io.Copy(io.Discard, r); n != 1<<20 || err != nil {
		t.Fatalf("the reader of an expired set got %d bytes, %v", n, err)
	}
	r.Close()
	c.pass(2 * time.Hour)
	expire(t, s, Policy{MaxAge: time.Hour})
	if st := stats(t, s); left(t, s) != "" || st.ChunkStored+st.LogStored != 0 {
		t.Fatalf("left are %q, %+v", left(t, s), st)
	}
}

func TestSpaceIsUsedAgain(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var size int64
	for turn := range 8 {
		put(t, s, "set", entry{name: "x", body: noise(uint64(turn), 5<<20)})
		collect(t, s)
		if turn == 3 {
			size = stats(t, s).FileBytes
		}
	}
	st := stats(t, s)
	if st.FileBytes > size {
		t.Errorf("the file grew from %d to %d bytes, though each set replaced the one before", size, st.FileBytes)
	}
	if st.FreeBytes == 0 {
		t.Errorf("no bytes are free in %+v", st)
	}
}
