package artifacts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	bolt "go.etcd.io/bbolt"
)

// TestStalledClientHoldsUpNobody leaves clients standing in the middle of a file, an archive and a log, while the
// store grows, removes what they read, and collects.
func TestStalledClientHoldsUpNobody(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	body := noise(1, 8<<20)
	put(t, s, "big", entry{name: "artifact", body: body})
	for i := range 32 {
		appendLog(t, s, "log", uint64(i+1), body[i<<18:(i+1)<<18])
	}
	stall := func(send func(w io.Writer) error) func() []byte {
		here, there := net.Pipe() // a write waits for its read
		failed := make(chan error, 1)
		go func() {
			err := send(there)
			there.Close()
			failed <- err
		}()
		head := make([]byte, 1000)
		if _, err := io.ReadFull(here, head); err != nil {
			t.Fatal(err)
		}
		return func() []byte {
			rest, err := io.ReadAll(here)
			if err := errors.Join(err, <-failed); err != nil {
				t.Error(err)
			}
			return append(head, rest...)
		}
	}
	file := stall(func(w io.Writer) error {
		r, _, err := s.OpenFile(t.Context(), "big", "artifact")
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = io.Copy(w, r)
		return err
	})
	archive := stall(func(w io.Writer) error { return s.WriteTarZst(t.Context(), []NamedSet{{ID: "big"}}, w) })
	log := stall(func(w io.Writer) error {
		r := s.ReadLog(t.Context(), "log", 0, false)
		defer r.Close()
		_, err := io.Copy(w, r)
		return err
	})

	for i := range 4 { // 36 MiB more: the file grows under the readers
		put(t, s, fmt.Sprint("other", i), entry{name: "x", body: noise(uint64(10+i), 9<<20)})
		appendLog(t, s, "another log", uint64(i+1), []byte("line\n"))
	}
	if err := errors.Join(s.RemoveSet(t.Context(), "big"), s.RemoveLog(t.Context(), "log"), s.RemoveSet(t.Context(), "other0")); err != nil {
		t.Fatal(err)
	}
	if freed := collect(t, s); freed.Sets != 1 || freed.Logs != 0 {
		t.Errorf("with readers, freed %+v, want the one set that nobody reads", freed)
	}
	clean(t, s)
	if !bytes.Equal(file(), body) || !bytes.Equal(log(), body) {
		t.Error("a stalled client got other bytes")
	}
	if n := len(archive()); n < len(body) {
		t.Errorf("the archive has %d bytes", n)
	}
	if freed := collect(t, s); freed.Sets != 1 || freed.Logs != 1 {
		t.Errorf("after the readers, freed %+v", freed)
	}
	clean(t, s)
}

// TestCollectorAgainstPuts puts and removes sets that share chunks, in parallel with the collector: a chunk that one
// lets go is, just then, what another finds already stored.
func TestCollectorAgainstPuts(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	shared := entry{name: "shared", body: noise(1, 3<<20)}
	var puts, all sync.WaitGroup
	var stop atomic.Bool
	for i := range 3 {
		puts.Go(func() {
			id := fmt.Sprint("set", i)
			for n := range turns(4, 12) {
				own := entry{name: "own", body: noise(uint64(100+i), 100_000+n)}
				put(t, s, id, shared, own)
				if got := content(t, s, id, "shared"); !bytes.Equal(got, shared.body) {
					t.Errorf("%s turn %d: shared content differs", id, n)
				}
				if err := s.RemoveSet(t.Context(), id); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() {
		for !stop.Load() {
			collect(t, s)
		}
	})
	all.Go(func() {
		for !stop.Load() {
			clean(t, s)
		}
	})
	puts.Wait()
	stop.Store(true)
	all.Wait()
	collect(t, s)
	if st := stats(t, s); st.Chunks != 0 || st.ChunkStored != 0 || st.Sets != 0 {
		t.Errorf("all was removed, but there is %+v", st)
	}
	clean(t, s)
}

func TestCollectStopsAndGoesOn(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var files []entry
	for i := range 10 {
		files = append(files, entry{name: fmt.Sprint(i), body: noise(uint64(i), 4<<20)})
	}
	put(t, s, "keep", files[0], files[5])
	put(t, s, "set", files...)
	if err := s.RemoveSet(t.Context(), "set"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	steps := 0
	for ; ; steps++ {
		one, done := Freed{}, false
		err := s.lane.writeBulk(ctx, func(tx *bolt.Tx) (err error) {
			one, _, done, err = reapSet(tx, 2)
			return err
		})
		if err != nil || one.Bytes > 3*collectBytes {
			t.Fatalf("%+v, %v", one, err)
		}
		clean(t, s)
		if steps == 1 || done {
			break
		}
	}
	cancel()
	if _, err := s.Collect(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("collecting under an ended context: %v", err)
	}
	if freed := collect(t, s); freed.Sets != 1 {
		t.Fatalf("freed %+v", freed)
	}
	if st := stats(t, s); st.Chunks != 8 {
		t.Fatalf("%d chunks are left, want the 8 of the other set", st.Chunks)
	}
	if got := content(t, s, "keep", "5"); !bytes.Equal(got, files[5].body) {
		t.Fatal("a kept file differs")
	}
	clean(t, s)
}

// TestSmallWritesPassBetweenGroups holds back a bulk write until others wait: the small ones share the next
// transaction, and the bulk ones come after.
func TestSmallWritesPassBetweenGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		var order []string // written in transactions only, which come one after the other
		transactions := map[int]bool{}
		did := func(what string) func(*bolt.Tx) error {
			return func(tx *bolt.Tx) error {
				order = append(order, what)
				if what == "small" {
					transactions[tx.ID()] = true
				}
				return nil
			}
		}
		began, goOn := make(chan bool), make(chan bool)
		hold := func(*bolt.Tx) error { close(began); <-goOn; return nil }
		var all sync.WaitGroup
		write := func(lane func(context.Context, func(*bolt.Tx) error) error, fn func(*bolt.Tx) error) {
			all.Go(func() {
				if err := lane(t.Context(), fn); err != nil {
					t.Error(err)
				}
			})
		}
		write(s.lane.writeBulk, hold)
		<-began
		for range 3 {
			write(s.lane.writeBulk, did("bulk"))
		}
		for range 20 {
			write(s.lane.write, did("small"))
		}
		synctest.Wait() // all of them stand in line
		close(goOn)
		all.Wait()
		want := append(slices.Repeat([]string{"small"}, 20), "bulk", "bulk", "bulk")
		if !slices.Equal(order, want) || len(transactions) != 1 {
			t.Errorf("order is %q, with %d shared transactions", order, len(transactions))
		}
	})
}

// TestOneFailureDoesNotSpoilTheTransaction fails one of several writes that share a transaction.
func TestOneFailureDoesNotSpoilTheTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		appendLog(t, s, "sealed", 1, []byte("x"))
		if err := s.SealLog(t.Context(), "sealed"); err != nil {
			t.Fatal(err)
		}
		goOn := make(chan bool)
		var all sync.WaitGroup
		all.Go(func() {
			_ = s.lane.writeBulk(t.Context(), func(*bolt.Tx) error { <-goOn; return nil })
		})
		synctest.Wait()
		for i := range 10 {
			all.Go(func() { appendLog(t, s, fmt.Sprint("log", i), 1, []byte("line\n")) })
			all.Go(func() {
				if err := s.AppendLog(t.Context(), "sealed", uint64(i+2), nil); !errors.Is(err, ErrSealed) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(goOn)
		all.Wait()
		for i := range 10 {
			if got := readAll(t, s.ReadLog(t.Context(), fmt.Sprint("log", i), 0, false)); string(got) != "line\n" {
				t.Errorf("log %d is %q", i, got)
			}
		}
		clean(t, s)
	})
}
