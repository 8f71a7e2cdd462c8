package artifacts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

func TestLogOfManySizesReadsBackFromAnyOffset(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	r := rand.New(rand.NewPCG(1, 2))
	var want []byte
	for frame := uint64(1); frame <= turns[uint64](40, 80); frame++ {
		size := []int{0, 1, 80, 4000, foldBytes - 1, foldBytes, blockBytes, 3*blockBytes + 7}[r.IntN(8)]
		p := prose(frame, size)
		if r.IntN(2) == 0 {
			p = noise(frame, size)
		}
		appendLog(t, s, "job", frame, p)
		want = append(want, p...)
	}
	for range turns(8, 25) {
		at := r.Int64N(int64(len(want)) + 1)
		if got := readAll(t, s.ReadLog(t.Context(), "job", at, false)); !bytes.Equal(got, want[at:]) {
			t.Fatalf("from byte %d: %d bytes, want %d equal ones", at, len(got), len(want)-int(at))
		}
	}
	clean(t, s)
	if err := s.SealLog(t.Context(), "job"); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, s.ReadLog(t.Context(), "job", 0, true)); !bytes.Equal(got, want) {
		t.Fatal("the sealed log differs")
	}
	clean(t, s)
}

func TestAppendsAreDoneOnce(t *testing.T) {
	s := newStore(t)
	appendLog(t, s, "job", 3, []byte("three\n"))
	appendLog(t, s, "job", 3, []byte("three\n"))
	appendLog(t, s, "job", 2, []byte("two\n"))
	appendLog(t, s, "job", 7, nil)
	appendLog(t, s, "job", 7, []byte("late\n"))
	appendLog(t, s, "job", 8, []byte("eight\n"))
	if got := readAll(t, s.ReadLog(t.Context(), "job", 0, false)); string(got) != "three\neight\n" {
		t.Fatalf("log is %q", got)
	}
	st, err := s.LogState("job")
	if want := (LogState{Bytes: 12, LastFrame: 8}); err != nil || st != want {
		t.Fatalf("state is %+v, %v; want %+v", st, err, want)
	}
	if err := s.AppendLog(t.Context(), "job", 0, []byte("x")); err == nil {
		t.Fatal("bytes with frame 0 were taken")
	}
}

func TestSealedLogTakesNoMore(t *testing.T) {
	s := newStore(t)
	appendLog(t, s, "job", 1, []byte("a"))
	for range 2 {
		if err := s.SealLog(t.Context(), "job"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.AppendLog(t.Context(), "job", 2, []byte("b")); !errors.Is(err, ErrSealed) {
		t.Fatalf("append to a sealed log: %v", err)
	}
	appendLog(t, s, "job", 1, []byte("a")) // a repetition is no append
	if err := s.SealLog(t.Context(), "silent"); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, s.ReadLog(t.Context(), "silent", 0, true)); len(got) != 0 {
		t.Fatalf("silent log is %q", got)
	}
	clean(t, s)
}

func TestUnknownLog(t *testing.T) {
	s := newStore(t)
	if _, err := s.LogState("nope"); !gone(err) {
		t.Fatalf("state: %v", err)
	}
	for _, follow := range []bool{false, true} {
		r := s.ReadLog(t.Context(), "nope", 0, follow)
		if _, err := r.Read(make([]byte, 1)); !gone(err) {
			t.Fatalf("read, follow %v: %v", follow, err)
		}
		r.Close()
	}
	if err := s.RemoveLog(t.Context(), "nope"); err != nil {
		t.Fatalf("remove: %v", err)
	}
	appendLog(t, s, "soon", 0, nil)
	if st, err := s.LogState("soon"); err != nil || st != (LogState{}) {
		t.Fatalf("a log made empty: %+v, %v", st, err)
	}
}

func TestTinyAppendsDoNotStayTinyKeys(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var want []byte
	const frames = 3000
	for frame := uint64(1); frame <= frames; {
		err := s.lane.write(t.Context(), func(tx *bolt.Tx) error { // as many appends in one transaction, for speed
			row, err := openLog(tx, "job", s.now())
			before := row
			for n := 0; err == nil && n < 150; n++ {
				line := fmt.Appendf(nil, "line %d\n", frame)
				want = append(want, line...)
				err = errors.Join(addMarks(tx, &row, cutStretches(line), s.now()), s.addBlock(tx, &row, s.cutBlocks(line)[0]))
				row.LastFrame, frame = frame, frame+1
			}
			return errors.Join(err, putLog(tx, "job", before, row))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	appendLog(t, s, "job", frames+1, []byte("the end\n"))
	want = append(want, "the end\n"...)
	blocks := func() (n int) {
		err := s.view(func(tx *bolt.Tx) error {
			row, err := readLog(tx, "job")
			if err != nil {
				return err
			}
			b, err := logBlocks(tx, row.Gen)
			if err == nil {
				n = b.Stats().KeyN
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := blocks(); n > foldPieces+frames/foldPieces {
		t.Fatalf("a live log of %d appends has %d keys", frames, n)
	}
	if err := s.SealLog(t.Context(), "job"); err != nil {
		t.Fatal(err)
	}
	if n := blocks(); n > frames/foldPieces+1 {
		t.Fatalf("a sealed log of %d appends has %d keys", frames, n)
	}
	if got := readAll(t, s.ReadLog(t.Context(), "job", 0, false)); !bytes.Equal(got, want) {
		t.Fatal("the log differs")
	}
	clean(t, s)
}

func TestFollowersGetEveryByte(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	appendLog(t, s, "job", 0, nil)
	var want []byte
	for i := range uint64(200) {
		want = append(want, prose(i, int(i*i%9000))...)
	}
	type result struct {
		at  int64
		got []byte
		err error
	}
	results := make(chan result)
	for i := range 8 {
		at := int64(i) * int64(len(want)) / 8
		go func() {
			r := s.ReadLog(t.Context(), "job", at, true)
			defer r.Close()
			got, err := io.ReadAll(io.MultiReader(io.LimitReader(r, 3), r))
			results <- result{at, got, err}
		}()
	}
	rest := want
	for i := range uint64(200) {
		n := int(i * i % 9000)
		appendLog(t, s, "job", i+1, rest[:n])
		rest = rest[n:]
	}
	if err := s.SealLog(t.Context(), "job"); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		if r := <-results; r.err != nil || !bytes.Equal(r.got, want[r.at:]) {
			t.Errorf("follower from %d got %d bytes, %v; want %d", r.at, len(r.got), r.err, len(want)-int(r.at))
		}
	}
	if n := len(s.waiters.at); n != 0 {
		t.Errorf("%d waiters are left", n)
	}
}

func TestFollowerEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "artifacts.db")
	s, _ := newStoreAt(t, path)
	appendLog(t, s, "job", 1, []byte("begun\n"))
	follow := func(ctx context.Context) (io.ReadCloser, chan error) {
		r := s.ReadLog(ctx, "job", 0, true)
		done := make(chan error, 1)
		if _, err := io.ReadFull(r, make([]byte, 6)); err != nil {
			t.Fatal(err)
		}
		go func() {
			_, err := r.Read(make([]byte, 1))
			done <- err
		}()
		return r, done
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, byContext := follow(ctx)
	r, byClose := follow(t.Context())
	_, byRemoval := follow(t.Context())
	cancel()
	r.Close()
	if err := <-byContext; !errors.Is(err, context.Canceled) {
		t.Errorf("context ended: %v", err)
	}
	if err := <-byClose; !errors.Is(err, context.Canceled) {
		t.Errorf("reader closed: %v", err)
	}
	if err := s.RemoveLog(t.Context(), "job"); err != nil {
		t.Fatal(err)
	}
	if err := <-byRemoval; !gone(err) {
		t.Errorf("log removed: %v", err)
	}
	appendLog(t, s, "job", 1, []byte("again\n"))
	_, byStore := follow(t.Context())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-byStore; !errors.Is(err, ErrClosed) {
		t.Errorf("store closed: %v", err)
	}
	if err := s.AppendLog(t.Context(), "job", 2, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("append to a closed store: %v", err)
	}
	if _, err := s.LogState("job"); !errors.Is(err, ErrClosed) {
		t.Errorf("state of a closed store: %v", err)
	}
}

func TestRemovedLogReadsToItsEnd(t *testing.T) {
	s := newStore(t)
	want := noise(1, 2<<20)
	for i := range 8 {
		appendLog(t, s, "job", uint64(i+1), want[i<<18:(i+1)<<18])
	}
	r := s.ReadLog(t.Context(), "job", 0, false)
	head := make([]byte, 10)
	if _, err := io.ReadFull(r, head); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveLog(t.Context(), "job"); err != nil {
		t.Fatal(err)
	}
	if freed := collect(t, s); freed != (Freed{}) {
		t.Fatalf("collected under a reader: %+v", freed)
	}
	appendLog(t, s, "job", 1, []byte("another log of that name"))
	if got := append(head, readAll(t, r)...); !bytes.Equal(got, want) {
		t.Fatalf("read %d bytes, want %d", len(got), len(want))
	}
	if freed := collect(t, s); freed.Logs != 1 || freed.Bytes < int64(len(want)) {
		t.Fatalf("freed %+v", freed)
	}
	clean(t, s)
}

func TestHundredMegabytesOnOneLine(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	line := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	const parts = 100
	for i := range parts {
		appendLog(t, s, "job", uint64(i+1), line)
	}
	appendLog(t, s, "job", parts+1, []byte("\n"))
	r := s.ReadLog(t.Context(), "job", 0, false)
	defer r.Close()
	got := make([]byte, len(line))
	for i := range parts {
		if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, line) {
			t.Fatalf("part %d differs (%v)", i, err)
		}
	}
	if rest, err := io.ReadAll(r); err != nil || string(rest) != "\n" {
		t.Fatalf("the end is %q, %v", rest, err)
	}
	if st := stats(t, s); st.LogStored > st.LogBytes/20 {
		t.Errorf("%d bytes of one repeated line are stored as %d", st.LogBytes, st.LogStored)
	}
}
