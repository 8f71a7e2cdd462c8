package artifacts

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// harm is done in a transaction of its own.
type harm func(*bolt.Tx) error

// spoil changes the row at k, or removes it when change returns nil.
func spoil(bucket func(*bolt.Tx) *bolt.Bucket, k []byte, change func(v []byte) []byte) harm {
	return func(tx *bolt.Tx) error {
		b := bucket(tx)
		v := change(bytes.Clone(b.Get(k)))
		if v == nil {
			return b.Delete(k)
		}
		return b.Put(k, v)
	}
}

func spoilChunk(change func(*chunkRow)) harm {
	return spoil(named(chunksBucket), key(1), func(v []byte) []byte {
		var row chunkRow
		_, _ = decode(v, &row)
		change(&row)
		return encode(&row)
	})
}

func spoilSet(change func(*setRow)) harm {
	return spoil(named(setsBucket), []byte("set"), func(v []byte) []byte {
		var row setRow
		_ = json.Unmarshal(v, &row)
		change(&row)
		v, _ = json.Marshal(&row)
		return v
	})
}

func spoilLog(change func(*logRow)) harm {
	return spoil(named(logsBucket), []byte("log"), func(v []byte) []byte {
		var row logRow
		_, _ = decode(v, &row)
		change(&row)
		return encode(&row)
	})
}

func within(bucket []byte, gen uint64) func(*bolt.Tx) *bolt.Bucket {
	return func(tx *bolt.Tx) *bolt.Bucket { return tx.Bucket(bucket).Bucket(key(gen)) }
}

func remove([]byte) []byte { return nil }
func flip(v []byte) []byte { v[len(v)/2] ^= 1; return v }

// harms are done to a store of set "set", generation 1, and log "log", generation 2; each is to be reported with a
// sentence that holds want.
var harms = map[string]struct {
	harm harm
	want string
}{
	"a bit of a chunk":        {spoil(within(dataBucket, 1), key(1), flip), "checksum"},
	"bytes of a chunk":        {spoil(within(dataBucket, 1), key(1), remove), "missing"},
	"hash of a chunk":         {spoilChunk(func(r *chunkRow) { r.Hash[0]++ }), "hash"},
	"size of a chunk":         {spoilChunk(func(r *chunkRow) { r.Raw-- }), "bytes"},
	"references":              {spoilChunk(func(r *chunkRow) { r.Refs++ }), "references"},
	"codec":                   {spoilChunk(func(r *chunkRow) { r.Codec = 9 }), "codec"},
	"row of a chunk":          {spoil(named(chunksBucket), key(1), remove), "chunk"},
	"half a row":              {spoil(named(chunksBucket), key(1), func(v []byte) []byte { return v[:9] }), "row"},
	"bytes of a set":          {spoilSet(func(r *setRow) { r.Bytes++ }), "bytes"},
	"generation of a set":     {spoilSet(func(r *setRow) { r.Gen = 77 }), "77"},
	"header of a set":         {spoil(named(setsBucket), []byte("set"), func([]byte) []byte { return []byte("{") }), "header"},
	"set without header":      {spoil(named(setsBucket), []byte("set"), remove), "generation"},
	"age of a log":            {spoil(named(ageBucket), ageKey(1772366400000000000, kindLog, "log"), remove), "age"},
	"totals":                  {spoil(named(metaBucket), totalsKey, func([]byte) []byte { return encode(&totals{Sets: 4}) }), "totals"},
	"block of a log":          {spoil(within(blocksBucket, 2), key(0), flip), "log"},
	"missing block of a log":  {spoil(within(blocksBucket, 2), key(0), remove), "log"},
	"header of a block":       {spoil(within(blocksBucket, 2), key(foldBytes), func(v []byte) []byte { return v[:3] }), "log"},
	"marks of a log":          {func(tx *bolt.Tx) error { return tx.Bucket(marksBucket).DeleteBucket(key(2)) }, "no marks"},
	"a mark":                  {spoil(within(marksBucket, 2), mark{}.key(), func(v []byte) []byte { return v[:3] }), "cannot be read"},
	"line of a mark":          {func(tx *bolt.Tx) error { return logMarks(tx, 2).Put(mark{lines: 7, offset: 9}.key(), key(0)) }, "says 7"},
	"lines of a log":          {spoilLog(func(r *logRow) { r.Lines++ }), "its row says"},
	"generation of nothing":   {spoil(named(gensBucket), key(1), remove), "generation"},
	"bytes of no chunk":       {func(tx *bolt.Tx) error { return tx.Bucket(dataBucket).Bucket(key(1)).Put(key(99), []byte("x")) }, "no chunk"},
	"manifest that is gone":   {func(tx *bolt.Tx) error { return tx.Bucket(manifestsBucket).DeleteBucket(key(1)) }, "manifest"},
	"file row that is no row": {func(tx *bolt.Tx) error { f, _ := manifestFiles(tx, 1); return f.Put([]byte("x"), []byte(`{"s":-1}`)) }, "add up"},
}

// TestCheckFindsDamage does one harm at a time to a store, and wants it found. Readers must meet it as an error.
func TestCheckFindsDamage(t *testing.T) {
	t.Parallel()
	for name, test := range harms {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			put(t, s, "set", entry{name: "x", body: noise(1, 100_000)}, text("y", "small"))
			appendLog(t, s, "log", 1, noise(2, foldBytes))
			appendLog(t, s, "log", 2, noise(3, foldBytes))
			clean(t, s)
			if err := s.lane.write(t.Context(), test.harm); err != nil {
				t.Fatal(err)
			}
			var problems []string
			if err := s.Check(t.Context(), func(p string) { problems = append(problems, p) }); err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(problems, "\n"); !strings.Contains(all, test.want) {
				t.Fatalf("want %q among the problems, got:\n%s", test.want, all)
			}
			readDamaged(t, s)
		})
	}
}

// readDamaged reads everything: it may fail, but in no other way than by an error.
func readDamaged(t *testing.T, s *Store) {
	t.Helper()
	_, err := s.Set("set")
	r := s.ReadLog(t.Context(), "log", 0, false)
	_, logErr := io.Copy(io.Discard, r)
	r.Close()
	if f, _, openErr := s.OpenFile(t.Context(), "set", "x"); openErr == nil {
		got, readErr := io.ReadAll(f)
		f.Close()
		if readErr == nil && !bytes.Equal(got, noise(1, 100_000)) {
			t.Error("other bytes than were stored were read without an error")
		}
	}
	for _, err := range []error{err, logErr} {
		if err != nil && !errors.Is(err, ErrDamaged) && !gone(err) {
			t.Errorf("reading damage: %v", err)
		}
	}
	if err := s.RemoveSet(t.Context(), "set"); err != nil && !errors.Is(err, ErrDamaged) {
		t.Errorf("removing damage: %v", err)
	}
	if _, err := s.Collect(t.Context()); err != nil && !errors.Is(err, ErrDamaged) {
		t.Errorf("collecting damage: %v", err)
	}
}

func TestRows(t *testing.T) {
	if _, err := parseGen([]byte("s")); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
	for _, row := range []any{&chunkRow{Refs: 7, Codec: 1}, &logRow{Sealed: true, Bytes: -1}, &totals{LogStored: 5}} {
		if len(encode(row)) == 0 {
			t.Errorf("%T is of variable size", row)
		}
	}
}

func FuzzFileRow(f *testing.F) {
	f.Add([]byte(`{"m":420,"t":1,"s":5,"c":"AAAAAAAAAAE=","z":1048576}`))
	f.Add([]byte(`{"s":9223372036854775807,"o":9223372036854775807,"z":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		row, err := parseFile(b)
		if err != nil || row.Size == 0 {
			return
		}
		for _, pos := range []int64{0, row.Size / 2, row.Size - 1} {
			if i := (row.Offset + pos) / row.Span; i < 0 || i >= int64(row.chunkCount()) {
				t.Fatalf("byte %d is in chunk %d of %d", pos, i, row.chunkCount())
			}
		}
	})
}
