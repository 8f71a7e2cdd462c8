package artifacts

import (
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/zstd"
)

// Codecs of stored bytes.
const (
	codecRaw  = 0
	codecZstd = 1
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

// unpack appends the content of stored bytes, a value in the mapped file, to dst. raw is the size of the content.
func (s *Store) unpack(dst, stored []byte, codec uint8, raw int, crc uint32) ([]byte, error) {
	prefetch(stored)
	if got := crc32.Checksum(stored, castagnoli); got != crc {
		return dst, fmt.Errorf("%w: checksum is %08x, want %08x", ErrDamaged, got, crc)
	}
	before := len(dst)
	switch codec {
	case codecRaw:
		dst = append(dst, stored...)
	case codecZstd:
		var err error
		if dst, err = s.dec.DecodeAll(stored, dst); err != nil {
			return dst[:before], fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	default:
		return dst, fmt.Errorf("%w: codec %d is unknown", ErrDamaged, codec)
	}
	if len(dst)-before != raw {
		return dst[:before], fmt.Errorf("%w: content has %d bytes, want %d", ErrDamaged, len(dst)-before, raw)
	}
	return dst, nil
}
