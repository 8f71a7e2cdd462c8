package pack

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1" //nolint:gosec // the format's own checksum
	"encoding/binary"
	"errors"
	"slices"
	"testing"
)

// entries is a pack of raw entries, with the count and the checksum that it should have.
func entries(all ...[]byte) []byte {
	b := append([]byte("PACK\x00\x00\x00\x02"), binary.BigEndian.AppendUint32(nil, uint32(len(all)))...)
	for _, e := range all {
		b = append(b, e...)
	}
	sum := sha1.Sum(b)
	return append(b, sum[:]...)
}

// rawEntry is one entry: its head claims a kind and a size, whatever the content is. Between them is what a delta names its
// base by.
func rawEntry(kind byte, claims int, base, content []byte) []byte {
	var b bytes.Buffer
	c := kind<<4 | byte(claims&15)
	for claims >>= 4; claims > 0; claims >>= 7 {
		b.WriteByte(c | 128)
		c = byte(claims & 127)
	}
	b.WriteByte(c)
	b.Write(base)
	z := zlib.NewWriter(&b)
	_, _ = z.Write(content)
	_ = z.Close()
	return b.Bytes()
}

// doubling is a delta that writes its base of n bytes twice.
func doubling(n int) []byte {
	delta := append(binary.AppendUvarint(nil, uint64(n)), binary.AppendUvarint(nil, uint64(2*n))...)
	size := []byte{byte(n), byte(n >> 8), byte(n >> 16)}
	copyAll := append([]byte{128 | 1<<4 | 1<<5 | 1<<6}, size...)
	return append(append(delta, copyAll...), copyAll...)
}

const (
	commitEntry, blobEntry, offsetEntry, nameEntry = 1, 3, 6, 7
	objectLimit                                    = 1 << 20
)

func TestHostileDeltas(t *testing.T) {
	blob := func(n int) []byte { return rawEntry(blobEntry, n, nil, bytes.Repeat([]byte{'a'}, n)) }
	name := bytes.Repeat([]byte{7}, 20)
	// Each of 12 entries makes its base twice as large: 1 KiB becomes 4 MiB.
	bomb := [][]byte{blob(1024)}
	for n := 1024; n < 4<<20; n *= 2 {
		delta := doubling(n)
		bomb = append(bomb, rawEntry(offsetEntry, len(delta), []byte{byte(len(bomb[len(bomb)-1]))}, delta))
	}
	small := doubling(4)
	for what, c := range map[string]struct {
		pack  []byte
		limit bool // a LimitError, else a CorruptError
	}{
		"a delta bomb":                     {entries(bomb...), true},
		"an object larger than may be":     {entries(append([][]byte{blob(2 << 20)}, rawEntry(offsetEntry, len(small), []byte{byte(len(blob(2<<20)) & 127)}, small))...), false},
		"a delta on itself by its name":    {entries(rawEntry(nameEntry, len(small), name, small)), false},
		"two deltas on each other":         {entries(rawEntry(nameEntry, len(small), name, small), rawEntry(nameEntry, len(small), bytes.Repeat([]byte{8}, 20), small)), false},
		"a delta on itself by its offset":  {entries(rawEntry(offsetEntry, len(small), []byte{0}, small)), false},
		"a delta on what is before all":    {entries(blob(4), rawEntry(offsetEntry, len(small), []byte{127}, small)), false},
		"a delta in the middle of another": {entries(blob(40), rawEntry(offsetEntry, len(small), []byte{3}, small)), false},
		"a delta of another base":          {entries(blob(9), rawEntry(offsetEntry, len(small), []byte{byte(len(blob(9)))}, small)), false},
		"a delta that copies from nowhere": {entries(blob(4), rawEntry(offsetEntry, 6, []byte{byte(len(blob(4)))}, []byte{4, 4, 0x91, 200, 4, 0})), false},
		"more content than it claims":      {entries(rawEntry(blobEntry, 3, nil, []byte("four"))), false},
		"less content than it claims":      {entries(rawEntry(blobEntry, 5, nil, []byte("four"))), false},
		"a size that no disk has":          {entries(rawEntry(commitEntry, 1<<60, nil, []byte("x"))), false},
		"an entry of no kind":              {entries(rawEntry(5, 1, nil, []byte("x"))), false},
		"more entries than it says":        {append(entries(blob(1))[:11], append([]byte{9}, entries(blob(1))[12:]...)...), false},
	} {
		t.Run(what, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := Ingest(ctx, bytes.NewReader(c.pack), t.TempDir(), nil, Limits{ObjectBytes: objectLimit, PackBytes: 1 << 20})
			var limit *LimitError
			var corrupt *CorruptError
			if c.limit && !errors.As(err, &limit) || !c.limit && !errors.As(err, &corrupt) && !errors.As(err, &limit) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestALongChainOfDeltasHoldsTwoObjects goes through a chain that would be as deep a recursion.
func TestALongChainOfDeltasHoldsTwoObjects(t *testing.T) {
	const links = 20_000
	same := append([]byte{4, 4, 128 | 1<<4, 4}, nil...) // the base as it is
	blob := rawEntry(blobEntry, 4, nil, []byte("same"))
	first := rawEntry(offsetEntry, len(same), []byte{byte(len(blob))}, same)
	link := rawEntry(offsetEntry, len(same), []byte{byte(len(first))}, same)
	all := append([][]byte{blob, first}, slices.Repeat([][]byte{link}, links)...)
	s, err := Ingest(t.Context(), bytes.NewReader(entries(all...)), t.TempDir(), nil, Limits{ObjectBytes: objectLimit})
	if err != nil {
		t.Fatal(err)
	}
	if s.Objects == 0 {
		t.Error("nothing was taken")
	}
}
