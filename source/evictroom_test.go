package source

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRoomIsMadeInOrderAndNoFurther has snapshots, a spare and a mirror, and asks for room step by step.
func TestRoomIsMadeInOrderAndNoFurther(t *testing.T) {
	r, _, remote := served(t)
	s := open(t, inProcess)
	var homes, commits []string
	for i := range 3 {
		r.write("f", strings.Repeat("x", 1000*(i+1)))
		r.commit("next")
		snap := snapshot(t, s, remote, SnapshotOptions{})
		homes, commits = append(homes, snap.home), append(commits, snap.Commit)
		snap.Release()
		ageBy(t, snap.home+".lock", time.Duration(10-i)*time.Hour)
	}
	there := func() (got []int) {
		for i, home := range homes {
			if _, err := os.Stat(home); err == nil {
				got = append(got, i)
			}
		}
		return got
	}
	keep := func(c string) bool { return c == commits[1] }
	drop := func(room func() bool, want string) {
		t.Helper()
		if err := s.DropSnapshots(t.Context(), keep, room); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(there()); got != want {
			t.Errorf("%s are left, want %s", got, want)
		}
	}
	drop(func() bool { return true }, "[0 1 2]")
	drop(func() bool { return len(there()) < 3 }, "[1 2]")
	drop(func() bool { return false }, "[1]")
	if spares, err := os.ReadDir(filepath.Join(s.opts.Dir, "spares")); err != nil || len(spares) > 0 {
		t.Errorf("spares %v are left (%v)", spares, err)
	}

	m, err := mirrorOf(s.opts.Dir, remote.URL)
	if err != nil {
		t.Fatal(err)
	}
	gone := func(age time.Duration) bool {
		t.Helper()
		if err := s.DropMirrors(t.Context(), age, func() bool { return false }); err != nil {
			t.Fatal(err)
		}
		return !m.exists()
	}
	if gone(time.Hour) {
		t.Fatal("a mirror went that was fetched into a moment ago")
	}
	ageBy(t, m.dir+".lock", 2*time.Hour)
	v, err := m.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if gone(time.Hour) {
		t.Fatal("a mirror went that is being read")
	}
	v.close()
	if !gone(time.Hour) {
		t.Fatal("a mirror stays that nobody has used for two hours")
	}
	if err := s.Evict(t.Context(), nil, 0, 1); err != nil {
		t.Fatal(err)
	}
	snap := snapshot(t, s, remote, SnapshotOptions{}) // it is fetched anew
	snap.Release()

	ref := refsSubmit + day(time.Now()) + "/one"
	submit(t, s, r, remote.URL, ref)
	ageBy(t, m.dir+".lock", 2*time.Hour)
	if gone(time.Hour) {
		t.Error("a mirror went with what somebody submitted, which is nowhere else")
	}
}
