package artifacts

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	bolt "go.etcd.io/bbolt"
)

func segmentsOf(t *testing.T, s *Store) map[uint64]int64 {
	t.Helper()
	files, err := s.segmentFiles()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestLargeSetsLieInSegments puts sets that share chunks, takes them away in turn, and wants a segment to be there as
// long as one of them needs it.
func TestLargeSetsLieInSegments(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	body := noise(1, 12<<20)
	put(t, s, "one", entry{name: "x", body: body}, entry{name: "again", body: body}, text("small", "s"))
	first := segmentsOf(t, s)
	if len(first) != 1 || first[1] > 14<<20 {
		t.Fatalf("segments %v, want one with the content once", first)
	}
	other := append(append(noise(2, 6<<20), body[6<<20:]...), noise(3, 6<<20)...)
	put(t, s, "two", entry{name: "x", body: other})
	if got := segmentsOf(t, s); len(got) != 2 || got[2] > 14<<20 {
		t.Fatalf("segments %v, want a second one with what is new", got)
	}
	put(t, s, "three", entry{name: "x", body: body})
	if got := segmentsOf(t, s); len(got) != 2 {
		t.Fatalf("segments %v, want none for what is known", got)
	}
	clean(t, s)
	before := room(t, s, 1)
	for _, id := range []string{"one", "three"} {
		if err := s.RemoveSet(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		collect(t, s)
		clean(t, s)
	}
	if got := segmentsOf(t, s); len(got) != 2 {
		t.Fatalf("segments %v, want both: one set uses chunks of either", got)
	}
	if after := room(t, s, 1); after > before*3/4 {
		t.Errorf("a segment of which half is used takes %d bytes of %d on the disk", after, before)
	}
	if !bytes.Equal(content(t, s, "two", "x"), other) {
		t.Error("content of another set went with what was removed")
	}
	if err := s.RemoveSet(t.Context(), "two"); err != nil {
		t.Fatal(err)
	}
	if freed := collect(t, s); freed.Chunks != 18 {
		t.Errorf("freed %+v, want the 18 chunks of the last set", freed)
	}
	if got := segmentsOf(t, s); len(got) != 0 {
		t.Errorf("segments %v are left of nothing", got)
	}
	clean(t, s)
}

// room returns how much of the disk a segment takes. Where the file system knows no holes the test is over.
func room(t *testing.T, s *Store, id uint64) int64 {
	t.Helper()
	info, err := os.Stat(s.segmentPath(id))
	if err != nil {
		t.Fatal(err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Skip("this system does not tell what a file takes of the disk")
	}
	return stat.Blocks * 512
}

// TestSegmentsOfNothingGoAtTheStart leaves what a crash leaves: a segment half written, and a file without a row.
func TestSegmentsOfNothingGoAtTheStart(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/artifacts.db"
	s, _ := newStoreAt(t, path)
	put(t, s, "set", entry{name: "x", body: noise(1, 9<<20)})
	half, err := s.newSegment(t.Context())
	if err == nil {
		err = half.write(&group{arena: noise(2, 100), chunks: []*newChunk{{to: 100}}})
	}
	if err := errors.Join(err, half.file.db.Close()); err != nil {
		t.Fatal(err)
	}
	s.removeSegments(t.Context()) // not while it is written
	if err := os.WriteFile(s.segmentPath(77), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := segmentsOf(t, s); len(got) != 3 {
		t.Fatalf("segments %v, want three", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ = newStoreAt(t, path)
	if got := segmentsOf(t, s); len(got) != 1 || got[1] == 0 {
		t.Fatalf("after the next start there are segments %v, want the first", got)
	}
	if !bytes.Equal(content(t, s, "set", "x"), noise(1, 9<<20)) {
		t.Error("the content of the set differs")
	}
	clean(t, s)
}

// TestCheckFindsDamagedSegments does one harm at a time to a store with a segment.
func TestCheckFindsDamagedSegments(t *testing.T) {
	t.Parallel()
	inRow := func(v uint64) harm {
		return func(tx *bolt.Tx) error { return tx.Bucket(segmentsBucket).Put(key(1), key(v)) }
	}
	for name, test := range map[string]struct {
		file func(path string) error
		row  harm
		want string
	}{
		"a bit": {file: func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, flip(b), 0o600)
		}, want: "checksum"},
		"the file":      {file: os.Remove, want: "missing"},
		"its beginning": {file: func(path string) error { return os.Truncate(path, 1000) }, want: "chunk"},
		"its end":       {file: func(path string) error { return os.Truncate(path, 5<<20) }, want: "want"},
		"no segment":    {file: func(path string) error { return os.WriteFile(path, noise(1, 100_000), 0o600) }, want: "missing"},
		"its count":     {row: inRow(3), want: "counts 3 chunks"},
		"its row":       {row: func(tx *bolt.Tx) error { return tx.Bucket(segmentsBucket).Delete(key(1)) }, want: "no row"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			body := noise(1, 9<<20)
			put(t, s, "set", entry{name: "x", body: body})
			var err error
			if test.file != nil {
				err = test.file(s.segmentPath(1))
			} else {
				err = s.lane.write(t.Context(), test.row)
			}
			if err != nil {
				t.Fatal(err)
			}
			var problems []string
			if err := s.Check(t.Context(), func(p string) { problems = append(problems, p) }); err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(problems, "\n"); !strings.Contains(all, test.want) {
				t.Fatalf("want %q among the problems, got:\n%s", test.want, all)
			}
			r, _, err := s.OpenFile(t.Context(), "set", "x")
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			got, err := io.ReadAll(r)
			if err == nil && !bytes.Equal(got, body) {
				t.Error("other bytes than were stored were read without an error")
			}
		})
	}
}

// TestAStoreWithoutSegmentsIsUpgraded opens a file of the second format, which had none.
func TestAStoreWithoutSegmentsIsUpgraded(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/artifacts.db"
	s, _ := newStoreAt(t, path)
	put(t, s, "set", text("a", "before"))
	err := s.lane.write(t.Context(), func(tx *bolt.Tx) error {
		return errors.Join(tx.DeleteBucket(segmentsBucket), tx.Bucket(metaBucket).Put(versionKey, key(2)))
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	s, _ = newStoreAt(t, path)
	put(t, s, "large", entry{name: "x", body: noise(1, 9<<20)})
	if got := content(t, s, "set", "a"); string(got) != "before" || len(segmentsOf(t, s)) != 1 {
		t.Errorf("a is %q, segments are %v", got, segmentsOf(t, s))
	}
	clean(t, s)
}
