package artifacts

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"

	bolt "go.etcd.io/bbolt"
)

const (
	// foldBytes is when the small pieces at a log's end are folded into one block, and what a block has at least
	// that was appended as one.
	foldBytes = 64 << 10
	// foldPieces bounds the keys of a tail made of very small appends.
	foldPieces = 1024
	// blockBytes is what a block has at most. A reader decodes one at a time.
	blockBytes = 256 << 10
	// blockHeader is codec, raw size, CRC of the stored bytes.
	blockHeader = 1 + 4 + 4
)

// block is a stretch of a log as it is stored: header and payload.
type block struct {
	value []byte
	raw   int
}

// cutBlocks prepares an append outside of the transaction. Small ones stay raw: they are folded, and compressed, later.
// An append of more than a block comes from a job that prints faster than the disk takes commits: it is not to wait for
// the better of two ways to compress.
func (s *Store) cutBlocks(p []byte) []block {
	pack := s.pack
	if len(p) > blockBytes {
		pack = s.packFast
	}
	var blocks []block
	for len(p) > 0 {
		n := min(len(p), blockBytes)
		if n < foldBytes {
			pack = nil
		}
		blocks = append(blocks, s.newBlock(p[:n], pack))
		p = p[n:]
	}
	return blocks
}

// newBlock makes a block, compressed by pack if that is given.
func (s *Store) newBlock(raw []byte, pack func(dst, raw []byte) ([]byte, uint8)) block {
	var v []byte
	codec := uint8(codecRaw)
	if pack != nil {
		if old, ok := s.blocks.Get().(*[]byte); ok {
			v = *old
		}
		v = slices.Grow(v[:0], blockHeader+len(raw)+slack(len(raw)))
		v, codec = pack(v[:blockHeader], raw)
	} else {
		v = append(make([]byte, blockHeader, blockHeader+len(raw)), raw...)
	}
	v[0] = codec
	binary.BigEndian.PutUint32(v[1:], uint32(len(raw)))
	binary.BigEndian.PutUint32(v[5:], crc32.Checksum(v[blockHeader:], castagnoli))
	return block{value: v, raw: len(raw)}
}

// release takes the memory of blocks back, after the transaction that stored them.
func (s *Store) release(blocks []block) {
	for _, b := range blocks {
		if b.raw >= foldBytes { // others are not worth it
			s.blocks.Put(&b.value)
		}
	}
}

// blockSize returns how many bytes of the log a stored block holds.
func blockSize(v []byte) (int, error) {
	if len(v) < blockHeader {
		return 0, fmt.Errorf("%w: a log block has %d bytes", ErrDamaged, len(v))
	}
	n := binary.BigEndian.Uint32(v[1:])
	if n == 0 || n > 2*blockBytes {
		return 0, fmt.Errorf("%w: a log block claims %d bytes", ErrDamaged, n)
	}
	return int(n), nil
}

// openBlock appends the bytes of a stored block to dst.
func (s *Store) openBlock(tx *bolt.Tx, dst, v []byte) ([]byte, error) {
	n, err := blockSize(v)
	if err != nil {
		return dst, err
	}
	return s.unpack(tx, dst, v[blockHeader:], v[0], n, binary.BigEndian.Uint32(v[5:]))
}

// addBlock appends b to the log of row. A large one stands for itself; small ones make a tail that is folded when
// it is large or long enough.
func (s *Store) addBlock(tx *bolt.Tx, row *logRow, b block) error {
	small := b.raw < foldBytes
	if !small {
		if err := s.foldTail(tx, row); err != nil {
			return err
		}
	}
	bucket, err := logBlocks(tx, row.Gen)
	if err != nil {
		return err
	}
	if err := bucket.Put(key(uint64(row.Bytes)), b.value); err != nil {
		return err
	}
	row.Bytes += int64(b.raw)
	row.Stored += int64(len(b.value))
	if !small {
		row.TailStart = row.Bytes
		return nil
	}
	row.TailCount++
	if row.Bytes-row.TailStart >= foldBytes || row.TailCount >= foldPieces {
		return s.foldTail(tx, row)
	}
	return nil
}

// foldTail replaces the pieces at the end of the log by one block.
func (s *Store) foldTail(tx *bolt.Tx, row *logRow) error {
	if row.TailCount == 0 {
		return nil
	}
	bucket, err := logBlocks(tx, row.Gen)
	if err != nil {
		return err
	}
	raw := make([]byte, 0, row.Bytes-row.TailStart)
	var pieces [][]byte
	c := bucket.Cursor()
	for k, v := c.Seek(key(uint64(row.TailStart))); k != nil; k, v = c.Next() {
		if raw, err = s.openBlock(tx, raw, v); err != nil {
			return err
		}
		row.Stored -= int64(len(v))
		pieces = append(pieces, k)
	}
	if got := int64(len(raw)); got != row.Bytes-row.TailStart {
		return fmt.Errorf("%w: the log's tail has %d bytes, want %d", ErrDamaged, got, row.Bytes-row.TailStart)
	}
	for _, k := range pieces {
		if err := bucket.Delete(k); err != nil {
			return err
		}
	}
	b := s.newBlock(raw, s.pack)
	if err := bucket.Put(key(uint64(row.TailStart)), b.value); err != nil {
		return err
	}
	row.Stored += int64(len(b.value))
	row.TailStart, row.TailCount = row.Bytes, 0
	return nil
}

func logBlocks(tx *bolt.Tx, gen uint64) (*bolt.Bucket, error) {
	b := tx.Bucket(blocksBucket).Bucket(key(gen))
	if b == nil {
		return nil, fmt.Errorf("%w: the blocks of generation %d are missing", ErrDamaged, gen)
	}
	return b, nil
}
