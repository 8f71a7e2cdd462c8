package artifacts

import (
	"context"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// collectRows and collectBytes bound one step of the collector.
const (
	collectRows  = 256
	collectBytes = 8 << 20
)

// Freed is what became free. The store's file does not shrink: it fills the space anew. Segments go.
type Freed struct {
	Sets   int // generations of sets: removed, replaced or unfinished
	Logs   int
	Chunks int
	Bytes  int64 // stored bytes of chunks and log blocks
}

func (f *Freed) add(g Freed) {
	f.Sets += g.Sets
	f.Logs += g.Logs
	f.Chunks += g.Chunks
	f.Bytes += g.Bytes
}

// Collect frees what is garbage: removed, replaced and unfinished sets, removed logs, and the chunks that nothing
// uses any more. It works in small steps, each whole in itself, so that it can be stopped at any moment, by ctx or by
// a crash, and goes on with the next call. What is being read stays for a later call.
func (s *Store) Collect(ctx context.Context) (Freed, error) {
	s.collecting.Lock()
	defer s.collecting.Unlock()
	return s.collect(ctx)
}

func (s *Store) collect(ctx context.Context) (Freed, error) {
	var freed Freed
	defer s.removeSegments(ctx)
	var damage []error // what is damaged stays; the rest is collected all the same
	err := s.pages(ctx, top(gensBucket), func(k, v []byte) error {
		gen, _ := number(k)
		g, err := parseGen(v)
		if err == nil && g.state == stateDoomed && s.pins.condemn(gen) {
			var one Freed
			one, err = s.reap(ctx, gen, g.kind)
			freed.add(one)
		}
		if errors.Is(err, ErrDamaged) {
			damage = append(damage, fmt.Errorf("generation %d: %w", gen, err))
			return nil
		}
		return err
	})
	if err = errors.Join(append(damage, err)...); err != nil {
		err = fmt.Errorf("collecting garbage: %w", err)
	}
	return freed, err
}

// reap frees one generation, step by step.
func (s *Store) reap(ctx context.Context, gen uint64, kind byte) (Freed, error) {
	var freed Freed
	for {
		var one Freed
		var done bool
		var holes []uint64
		err := s.lane.writeBulk(ctx, func(tx *bolt.Tx) (err error) {
			if kind == kindLog {
				one, done, err = reapLog(tx, gen)
			} else {
				one, holes, done, err = reapSet(tx, gen)
			}
			if err == nil && done {
				err = tx.Bucket(gensBucket).Delete(key(gen))
			}
			return err
		})
		if err != nil {
			return freed, err
		}
		freed.add(one)
		s.punch(holes)
		if done {
			s.pins.forget(gen)
			return freed, nil
		}
	}
}

// reapSet lets go of some chunks; when none is left, of the manifest. holes are where chunks lay in segments.
func reapSet(tx *bolt.Tx, gen uint64) (freed Freed, holes []uint64, done bool, err error) {
	m, err := manifest(tx, gen)
	if err != nil {
		return freed, nil, false, err
	}
	uses := m.Bucket(usesKey)
	var ids []uint64
	c := uses.Cursor()
	for k, _ := c.First(); k != nil && len(ids) < collectRows; k, _ = c.Next() {
		id, _ := number(k)
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		freed.Sets = 1
		return freed, nil, true, tx.Bucket(manifestsBucket).DeleteBucket(key(gen))
	}
	w := chunkRemover{tx: tx, groups: map[uint64]bool{}}
	for _, id := range ids {
		enough, err := w.release(id)
		if err != nil {
			return freed, nil, false, err
		}
		if enough {
			break
		}
		if err := uses.Delete(key(id)); err != nil {
			return freed, nil, false, err
		}
	}
	freed.Chunks, freed.Bytes = int(-w.sum.Chunks), -w.sum.ChunkStored
	return freed, w.holes, false, errors.Join(w.finish(), addTotals(tx, w.sum))
}

// chunkRemover takes references from chunks in one transaction, and removes those that have none left.
type chunkRemover struct {
	tx     *bolt.Tx
	groups map[uint64]bool // that lost chunks
	sum    totals
	holes  []uint64 // where removed chunks lay in segments
}

// release takes one reference, or reports that the transaction has done enough: it ends between groups, since a
// group that goes as a whole is not rewritten.
func (w *chunkRemover) release(id uint64) (enough bool, err error) {
	chunks := w.tx.Bucket(chunksBucket)
	var row chunkRow
	if found, err := decode(chunks.Get(key(id)), &row); err != nil || !found || row.Refs == 0 {
		return false, errors.Join(fmt.Errorf("%w: chunk %d is used, but has no row or no references", ErrDamaged, id), err)
	}
	if -w.sum.ChunkStored >= collectBytes && !w.groups[row.Group] {
		return true, nil
	}
	if row.Refs--; row.Refs > 0 {
		return false, chunks.Put(key(id), encode(&row))
	}
	w.sum.Chunks--
	w.sum.ChunkBytes -= int64(row.Raw)
	w.sum.ChunkStored -= int64(row.Stored)
	index := func() error {
		return errors.Join(chunks.Delete(key(id)), w.tx.Bucket(hashesBucket).Delete(row.Hash[:]))
	}
	if segment, _ := placed(row.Group); segment > 0 {
		w.holes = append(w.holes, row.Group)
		return false, index()
	}
	w.groups[row.Group] = true
	group := w.tx.Bucket(dataBucket).Bucket(key(row.Group))
	if group == nil {
		return false, fmt.Errorf("%w: the bytes of chunk %d are missing", ErrDamaged, id)
	}
	return false, errors.Join(group.Delete(key(id)), index())
}

func (w *chunkRemover) finish() error {
	for _, hole := range w.holes {
		segment, _ := placed(hole)
		if err := countSegment(w.tx, segment, -1); err != nil {
			return err
		}
	}
	data := w.tx.Bucket(dataBucket)
	for id := range w.groups {
		if k, _ := data.Bucket(key(id)).Cursor().First(); k != nil {
			continue
		}
		if err := data.DeleteBucket(key(id)); err != nil {
			return err
		}
	}
	return nil
}

// reapLog removes some blocks, and the bucket with the last.
func reapLog(tx *bolt.Tx, gen uint64) (Freed, bool, error) {
	var freed Freed
	blocks, err := logBlocks(tx, gen)
	if err != nil {
		return freed, false, err
	}
	var keys [][]byte
	c := blocks.Cursor()
	k, v := c.First()
	for ; k != nil && len(keys) < collectRows; k, v = c.Next() {
		keys = append(keys, k)
		freed.Bytes += int64(len(v))
	}
	if err := addTotals(tx, totals{LogStored: -freed.Bytes}); err != nil {
		return freed, false, err
	}
	if k == nil {
		freed.Logs = 1
		if logMarks(tx, gen) != nil {
			err = tx.Bucket(marksBucket).DeleteBucket(key(gen))
		}
		return freed, true, errors.Join(err, tx.Bucket(blocksBucket).DeleteBucket(key(gen)))
	}
	for _, k := range keys {
		if err := blocks.Delete(k); err != nil {
			return freed, false, err
		}
	}
	return freed, false, nil
}
