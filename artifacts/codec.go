package artifacts

import (
	"fmt"
	"hash/crc32"
	"slices"
	"unsafe"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	bolt "go.etcd.io/bbolt"
)

// Codecs of stored bytes.
const (
	codecRaw  = 0
	codecZstd = 1
	codecS2   = 2
)

// minCompress is the size below which compressing is not worth a frame's header.
const minCompress = 256

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// newCodec makes the one encoder and decoder of a store. The fastest level: artifacts wait for the disk, and jobs
// want the cores. Both are bounded in memory whatever the input.
func newCodec() (*zstd.Encoder, *zstd.Decoder, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
		zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(2*maxChunkBytes))
	return enc, dec, err
}

// pack appends raw to dst, compressed when that saves a sixteenth or more.
func (s *Store) pack(dst, raw []byte) ([]byte, uint8) {
	if len(raw) >= minCompress {
		out := s.enc.EncodeAll(raw, dst)
		if n := len(out) - len(dst); n < len(raw)-len(raw)/16 {
			return out, codecZstd
		}
	}
	return append(dst, raw...), codecRaw
}

// packFast is pack for what comes in a flood: it takes a fifth of the time, and about twice the room.
func (s *Store) packFast(dst, raw []byte) ([]byte, uint8) {
	before, most := len(dst), s2.MaxEncodedLen(len(raw))
	dst = slices.Grow(dst, most)
	if n := len(s2.Encode(dst[before:before+most], raw)); n < len(raw)-len(raw)/16 {
		return dst[:before+n], codecS2
	}
	return append(dst, raw...), codecRaw
}

// promising reports whether a sample of raw compresses. It is asked after a chunk of the same file did not: most of
// what does not compress is so from beginning to end, and trying all of it costs as much as its hash.
func (s *Store) promising(raw []byte) bool {
	const sample = 16 << 10
	if len(raw) <= 4*sample {
		return true
	}
	middle := len(raw) / 2
	_, codec := s.pack(make([]byte, 0, sample+slack(sample)), raw[middle:middle+sample])
	return codec != codecRaw
}

// unpack appends the content of stored bytes, a value found in tx of the store's own file, to dst.
func (s *Store) unpack(tx *bolt.Tx, dst, stored []byte, codec uint8, raw int, crc uint32) ([]byte, error) {
	return s.unpackFrom(s.dbFile, tx, dst, stored, codec, raw, crc)
}

// unpackFrom appends the content of stored bytes, a value found in tx of a file, to dst. raw is the size of the content.
func (s *Store) unpackFrom(from dbFile, tx *bolt.Tx, dst, stored []byte, codec uint8, raw int, crc uint32) ([]byte, error) {
	before := len(dst)
	var err error
	switch codec {
	case codecRaw:
		dst = from.fetch(tx, dst, stored)
		err = checksum(dst[before:], crc)
	case codecZstd, codecS2:
		buf, _ := s.scratch.Get().(*[]byte)
		if buf == nil {
			buf = new([]byte)
		}
		*buf = from.fetch(tx, (*buf)[:0], stored)
		if err = checksum(*buf, crc); err == nil {
			if dst, err = s.expand(dst, *buf, codec, raw); err != nil {
				err = fmt.Errorf("%w: %w", ErrDamaged, err)
			}
		}
		s.scratch.Put(buf)
	default:
		err = fmt.Errorf("%w: codec %d is unknown", ErrDamaged, codec)
	}
	if err == nil && len(dst)-before != raw {
		err = fmt.Errorf("%w: content has %d bytes, want %d", ErrDamaged, len(dst)-before, raw)
	}
	if err != nil {
		return dst[:before], err
	}
	return dst, nil
}

// expand appends the content of compressed bytes to dst. No more than raw bytes are believed.
func (s *Store) expand(dst, packed []byte, codec uint8, raw int) ([]byte, error) {
	if codec == codecZstd {
		return s.dec.DecodeAll(packed, dst)
	}
	n, err := s2.DecodedLen(packed)
	if err == nil && n != raw {
		err = fmt.Errorf("content has %d bytes, want %d", n, raw)
	}
	if err != nil {
		return dst, err
	}
	before := len(dst)
	dst = slices.Grow(dst, raw)[:before+raw]
	_, err = s2.Decode(dst[before:], packed)
	return dst, err
}

func checksum(b []byte, want uint32) error {
	if got := crc32.Checksum(b, castagnoli); got != want {
		return fmt.Errorf("%w: checksum is %08x, want %08x", ErrDamaged, got, want)
	}
	return nil
}

// fetchMin is the size from which a system call costs less than the page faults it spares.
const fetchMin = 16 << 10

// fetch appends a value found in tx to dst. A large one is read from the file at the place where the map shows it:
// bbolt maps its file for random access, so that through the map every page is a fault, and one that is not in
// memory a read of its own; a cold chunk took thirty times as long.
func (d dbFile) fetch(tx *bolt.Tx, dst, v []byte) []byte {
	at := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(v))) - d.db.Info().Data)
	if len(v) < fetchMin || at+uint64(len(v)) > uint64(tx.Size()) || at > uint64(tx.Size()) { // the latter: not in the map
		return append(dst, v...)
	}
	from := len(dst)
	dst = slices.Grow(dst, len(v))[:from+len(v)]
	if _, err := d.disk.ReadAt(dst[from:], int64(at)); err != nil {
		copy(dst[from:], v)
	}
	return dst
}
