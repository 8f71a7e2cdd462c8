//go:build linux

package artifacts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"syscall"
	"testing"
)

// hook is a reader that does something at each read.
type hook struct {
	r  io.Reader
	do func()
}

func (h hook) Read(p []byte) (int, error) {
	h.do()
	return h.r.Read(p)
}

func TestPutThatIsStoppedLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	whole := tarOf(t, entry{name: "big", body: noise(1, 30<<20)})
	ctx, cancel := context.WithCancel(t.Context())
	late := hook{bytes.NewReader(whole[20<<20:]), cancel}
	_, err := s.PutTar(ctx, "set", SetMeta{}, io.MultiReader(bytes.NewReader(whole[:20<<20]), late), Limits{})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if _, err := s.Set("set"); !gone(err) {
		t.Fatalf("the set of a stopped put: %v", err)
	}
	clean(t, s)
	collect(t, s)
	if files, err := s.segmentFiles(); err != nil || len(files) > 0 {
		t.Fatalf("segments %v are left (%v)", files, err)
	}
	if st := stats(t, s); st.Chunks != 0 {
		t.Fatalf("%+v", st)
	}
}

func TestPutEndsWhenTheStoreCloses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "artifacts.db")
	s, _ := newStoreAt(t, path)
	whole := tarOf(t, entry{name: "big", body: noise(1, 30<<20)})
	late := hook{bytes.NewReader(whole[20<<20:]), func() { s.Close() }}
	_, err := s.PutTar(t.Context(), "set", SetMeta{}, io.MultiReader(bytes.NewReader(whole[:20<<20]), late), Limits{})
	if !errors.Is(err, ErrClosed) {
		t.Fatalf("got %v", err)
	}
	s, _ = newStoreAt(t, path)
	if files, err := s.segmentFiles(); err != nil || len(files) > 0 {
		t.Fatalf("after the next start, segments %v are left (%v)", files, err)
	}
	clean(t, s)
}

// TestFullDisk fills a small file system, and goes on when there is space again.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	s, err := Open(filepath.Join(dir, "artifacts.db"), quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put(t, s, "before", entry{name: "x", body: noise(1, 4<<20)})
	appendLog(t, s, "log", 1, []byte("before\n"))
	for i := range 2 {
		_, err := s.PutTar(t.Context(), "big", SetMeta{}, bytes.NewReader(tarOf(t, entry{name: "x", body: noise(2, 40<<20)})), Limits{})
		var input *InputError
		if !errors.Is(err, syscall.ENOSPC) || errors.As(err, &input) {
			t.Fatalf("put %d into a full disk: %v", i, err)
		}
		collect(t, s)
		clean(t, s)
	}
	appendLog(t, s, "log", 2, []byte("after\n"))
	put(t, s, "after", entry{name: "x", body: noise(3, 4<<20)})
	if got := readAll(t, s.ReadLog(t.Context(), "log", 0, false)); string(got) != "before\nafter\n" {
		t.Errorf("log is %q", got)
	}
	for i, id := range []string{"before", "after"} {
		if got := content(t, s, id, "x"); !bytes.Equal(got, noise(uint64(1+2*i), 4<<20)) {
			t.Error(fmt.Sprint(id, " differs"))
		}
	}
	clean(t, s)
}
