package pack

import (
	"bufio"
	"bytes"
	"crypto/sha1" //nolint:gosec // the format's own checksum
	"encoding/binary"
	"hash"
	"io"
	"slices"
	"sort"
)

// index is a pack index, version 2, as it lies in memory.
type index struct {
	data []byte
	n    int
}

const (
	indexMagic  = "\xfftOc\x00\x00\x00\x02"
	indexFanout = 8
	indexIDs    = indexFanout + 256*4
	indexFoot   = 40
	largeOffset = 1 << 31
)

// parseIndex checks the frame of an index: sizes and the fan-out table, but not its checksum.
func parseIndex(data []byte) (index, string) {
	if len(data) < indexIDs+indexFoot || string(data[:8]) != indexMagic {
		return index{}, "not an index of version 2"
	}
	last := uint32(0)
	for i := range 256 {
		v := binary.BigEndian.Uint32(data[indexFanout+4*i:])
		if v < last {
			return index{}, "the fan-out table does not grow"
		}
		last = v
	}
	n := int64(last)
	rest := int64(len(data)) - indexIDs - indexFoot - n*28
	if rest < 0 || rest%8 != 0 || rest/8 > n {
		return index{}, "its length does not match the number of objects"
	}
	return index{data: data, n: int(n)}, ""
}

// find returns the position of an object.
func (x index) find(id ID) (int, bool) {
	lo := 0
	if id[0] > 0 {
		lo = int(binary.BigEndian.Uint32(x.data[indexFanout+4*(int(id[0])-1):]))
	}
	hi := int(binary.BigEndian.Uint32(x.data[indexFanout+4*int(id[0]):]))
	i := lo + sort.Search(hi-lo, func(i int) bool { return bytes.Compare(x.rawID(lo+i), id[:]) >= 0 })
	return i, i < hi && bytes.Equal(x.rawID(i), id[:])
}

func (x index) rawID(i int) []byte {
	at := indexIDs + 20*i
	return x.data[at : at+20 : at+20]
}

func (x index) id(i int) (id ID) {
	copy(id[:], x.rawID(i))
	return id
}

func (x index) crc(i int) uint32 {
	return binary.BigEndian.Uint32(x.data[indexIDs+20*x.n+4*i:])
}

// offset returns where in the pack the object at a position begins, or -1 when the index is damaged.
func (x index) offset(i int) int64 {
	v := binary.BigEndian.Uint32(x.data[indexIDs+24*x.n+4*i:])
	if v < largeOffset {
		return int64(v)
	}
	at := int64(indexIDs) + 28*int64(x.n) + 8*int64(v-largeOffset)
	if at+8 > int64(len(x.data)-indexFoot) {
		return -1
	}
	return int64(binary.BigEndian.Uint64(x.data[at:]) &^ (1 << 63))
}

// place is one line of an index to be written.
type place struct {
	id     ID
	crc    uint32
	offset int64
}

// writeIndex writes an index over places, which it sorts.
func writeIndex(w io.Writer, places []place, packSum [20]byte) error {
	slices.SortFunc(places, func(a, b place) int { return bytes.Compare(a.id[:], b.id[:]) })
	sum := sha1.New() //nolint:gosec // the format's own checksum
	out := &indexWriter{w: bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<16)}
	out.bytes([]byte(indexMagic))
	out.fanout(places)
	for i := range places {
		out.bytes(places[i].id[:])
	}
	for i := range places {
		out.word(places[i].crc)
	}
	var large []int64
	for i := range places {
		if off := places[i].offset; off < largeOffset {
			out.word(uint32(off))
		} else {
			out.word(largeOffset | uint32(len(large)))
			large = append(large, off)
		}
	}
	for _, off := range large {
		out.word(uint32(off >> 32))
		out.word(uint32(off))
	}
	out.bytes(packSum[:])
	return out.finish(w, sum)
}

// indexWriter writes and remembers the first error.
type indexWriter struct {
	w   *bufio.Writer
	err error
}

func (o *indexWriter) bytes(b []byte) {
	if o.err == nil {
		_, o.err = o.w.Write(b)
	}
}

func (o *indexWriter) word(v uint32) {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	o.bytes(b[:])
}

func (o *indexWriter) fanout(places []place) {
	i := 0
	for first := range 256 {
		for i < len(places) && int(places[i].id[0]) == first {
			i++
		}
		o.word(uint32(i))
	}
}

func (o *indexWriter) finish(w io.Writer, sum hash.Hash) error {
	if o.err == nil {
		o.err = o.w.Flush()
	}
	if o.err == nil {
		_, o.err = w.Write(sum.Sum(nil))
	}
	return o.err
}
