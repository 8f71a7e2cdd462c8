package artifacts

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	bolt "go.etcd.io/bbolt"
)

const (
	// maxGroupChunks and maxGroupRows bound a transaction of many small things: each is a key or two in trees that
	// are rewritten where they are touched.
	maxGroupChunks = 1024
	maxGroupRows   = 4096
)

// group is what one bulk transaction writes: chunks, and the manifest rows of files whose chunks are written.
type group struct {
	arena   []byte // stored bytes of the chunks, one after the other
	chunks  []*newChunk
	files   []*newFile
	segment uint64 // where the bytes lie already; 0: nowhere yet
}

// chunkRef is a chunk's number, known when its group is written.
type chunkRef struct{ id uint64 }

type newChunk struct {
	row      chunkRow
	from, to int // in the arena
	ref      *chunkRef
	known    bool   // the store had it when the group was made
	number   uint32 // in the segment
}

// addChunk puts content into the group, and the group to the disk when it is large enough.
func (in *intake) addChunk(raw []byte) (*chunkRef, error) {
	if err := in.ctx.Err(); err != nil {
		return nil, err
	}
	c := &newChunk{ref: &chunkRef{}, row: chunkRow{Hash: sha256.Sum256(raw), Raw: uint32(len(raw))}}
	if ref := in.repeated(c); ref != nil {
		return ref, nil
	}
	var err error
	if c.known, err = in.s.hasChunk(c.row.Hash); err != nil {
		return nil, err
	}
	g := in.group
	g.reserve(len(raw), in.s.chunkBytes)
	c.from = len(g.arena)
	switch {
	case c.known: // most likely still when the group is written; if not, it is stored as it is
		g.arena = append(g.arena, raw...)
	case in.dull && !in.s.promising(raw):
		g.arena = append(g.arena, raw...)
	default:
		g.arena, c.row.Codec = in.s.pack(g.arena, raw)
		in.dull = c.row.Codec == codecRaw
	}
	c.to = len(g.arena)
	stored := g.arena[c.from:c.to]
	c.row.Stored, c.row.CRC = uint32(len(stored)), crc32.Checksum(stored, castagnoli)
	g.chunks = append(g.chunks, c)
	if int64(len(g.arena)) >= in.s.lane.groupBytes.Load() || len(g.chunks) >= maxGroupChunks {
		return c.ref, in.flushGroup()
	}
	return c.ref, nil
}

// reserve makes room for a chunk, compressed or not: at once for a whole group, unless the set may be a small one.
func (g *group) reserve(n, chunk int) {
	n += slack(n)
	if cap(g.arena)-len(g.arena) >= n {
		return
	}
	size := 2 * (len(g.arena) + n)
	if size > 1<<20 {
		size = maxGroupBytes + chunk + slack(chunk)
	}
	g.arena = append(make([]byte, 0, size), g.arena...)
}

// slack is by how much zstd may grow what it cannot shrink.
func slack(n int) int { return n/128 + 1024 }

func (in *intake) addFile(f *newFile) error {
	in.group.files = append(in.group.files, f)
	if len(in.group.files) >= maxGroupRows {
		return in.flushGroup()
	}
	return nil
}

// flushGroup hands the group to the writer and begins another. While one is on its way to the disk the next is read,
// hashed and compressed; but only one put at a time has memory for two groups.
func (in *intake) flushGroup() error {
	if err := in.settle(); err != nil {
		return err
	}
	g := in.group
	in.group, in.busy = &group{}, g
	go func() {
		in.wrote <- in.store(g)
	}()
	if in.spare == nil && !in.mayOverlap() {
		if err := in.settle(); err != nil {
			return err
		}
	}
	in.group.arena, in.spare = in.spare, nil
	return nil
}

func (in *intake) mayOverlap() bool {
	if !in.overlaps {
		select {
		case in.s.overlap <- struct{}{}:
			in.overlaps = true
		default:
		}
	}
	return in.overlaps
}

// settle waits for the group that is being written, and takes its memory for the next.
func (in *intake) settle() error {
	if in.busy == nil {
		return nil
	}
	err := <-in.wrote
	in.spare, in.busy = in.busy.arena[:0], nil
	return err
}

// finish writes what is left, and at least one group, so that an empty set has a generation.
func (in *intake) finish() error {
	if err := in.flushChunk(); err != nil {
		return err
	}
	if err := in.flushGroup(); err != nil {
		return err
	}
	return errors.Join(in.settle(), in.endSegment())
}

// repeated returns the reference of a chunk that this put has brought lately.
func (in *intake) repeated(c *newChunk) *chunkRef {
	if ref, ok := in.lately[c.row.Hash]; ok {
		return ref
	}
	if in.lately == nil || len(in.lately) == maxLately {
		in.lately = make(map[[32]byte]*chunkRef)
	}
	in.lately[c.row.Hash] = c.ref
	return nil
}

// maxLately bounds the chunks that a put remembers: their bytes may be in a segment already, and not yet in the index.
const maxLately = 1 << 14

// hasChunk reports whether content of that hash is stored.
func (s *Store) hasChunk(hash [32]byte) (found bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		found = tx.Bucket(hashesBucket).Get(hash[:]) != nil
		return nil
	})
	return found, err
}

// writeGroup runs in a transaction of its own.
func (in *intake) writeGroup(tx *bolt.Tx, g *group) error {
	if in.gen == 0 {
		if err := in.begin(tx); err != nil {
			return err
		}
	}
	m, err := manifest(tx, in.gen)
	if err != nil {
		return err
	}
	w := chunkWriter{tx: tx, uses: m.Bucket(usesKey), from: g}
	for _, c := range g.chunks {
		if err := w.put(c); err != nil {
			return err
		}
	}
	if err := w.finish(); err != nil {
		return err
	}
	files := m.Bucket(filesKey)
	for _, f := range g.files {
		for _, ref := range f.refs {
			f.row.Chunks = binary.BigEndian.AppendUint64(f.row.Chunks, ref.id)
		}
		v, err := json.Marshal(&f.row)
		if err != nil {
			return err
		}
		if err := files.Put([]byte(f.path), v); err != nil {
			return fmt.Errorf("writing the row of %.200q: %w", f.path, err)
		}
	}
	return nil
}

// begin makes the generation that the set is written under.
func (in *intake) begin(tx *bolt.Tx) error {
	gen, err := newGen(tx, genRow{kind: kindSet, state: stateWriting, id: in.id})
	if err != nil {
		return err
	}
	m, err := tx.Bucket(manifestsBucket).CreateBucket(key(gen))
	if err != nil {
		return err
	}
	for _, name := range [][]byte{filesKey, usesKey} {
		if _, err := m.CreateBucket(name); err != nil {
			return err
		}
	}
	in.gen = gen
	return nil
}

// chunkWriter stores chunks of one generation in one transaction.
type chunkWriter struct {
	tx    *bolt.Tx
	uses  *bolt.Bucket
	from  *group
	group uint64
	data  *bolt.Bucket // of group, made with the first new chunk
	sum   totals
}

// put stores a chunk, or finds it, and counts that the generation uses it.
func (w *chunkWriter) put(c *newChunk) error {
	hashes, chunks := w.tx.Bucket(hashesBucket), w.tx.Bucket(chunksBucket)
	row := c.row
	id, found := number(hashes.Get(row.Hash[:]))
	if found {
		if ok, err := decode(chunks.Get(key(id)), &row); err != nil || !ok {
			return fmt.Errorf("%w: chunk %d has a hash but no row", ErrDamaged, id)
		}
	} else {
		var err error
		if id, err = w.add(&row, c); err != nil {
			return err
		}
		if err := hashes.Put(row.Hash[:], key(id)); err != nil {
			return err
		}
	}
	c.ref.id = id
	if w.uses.Get(key(id)) != nil {
		return nil
	}
	row.Refs++
	if err := w.uses.Put(key(id), []byte{}); err != nil {
		return err
	}
	return chunks.Put(key(id), encode(&row))
}

// add stores bytes that are not in the store yet.
func (w *chunkWriter) add(row *chunkRow, c *newChunk) (uint64, error) {
	id, err := w.tx.Bucket(chunksBucket).NextSequence()
	if err != nil {
		return 0, err
	}
	w.sum.Chunks++
	w.sum.ChunkBytes += int64(row.Raw)
	w.sum.ChunkStored += int64(row.Stored)
	if w.from.segment > 0 {
		row.Group = segmentPlace(w.from.segment, c.number)
		return id, nil
	}
	if w.data == nil {
		w.group = id
		if w.data, err = w.tx.Bucket(dataBucket).CreateBucket(key(id)); err != nil {
			return 0, err
		}
	}
	row.Group = w.group
	return id, w.data.Put(key(id), w.from.arena[c.from:c.to])
}

// finish counts what was added.
func (w *chunkWriter) finish() error {
	if w.from.segment > 0 && w.sum.Chunks > 0 {
		if err := countSegment(w.tx, w.from.segment, w.sum.Chunks); err != nil {
			return err
		}
	}
	return addTotals(w.tx, w.sum)
}
