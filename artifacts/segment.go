package artifacts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"
)

// A segment is a bbolt file of chunks beside the store's own. It is written by one put, without waiting for the disk,
// synced once, and read alone from then on; only then its chunks come into the index. So a large set costs the disk what
// a plain file costs it, no log waits for it meanwhile, and its space goes back to the file system. Each chunk lies in a
// bucket of its own, named by its number in the segment.
//
// A segment's row is committed before its file is made, and says how many chunks of the index lie in it: none while it is
// written, and none when it is to be removed, which the next removal or the next Open does.

const (
	// segmentBytes is what a segment holds: it is removed as a whole.
	segmentBytes = 256 << 20
	// segmentMin is from how many new bytes in a group on a put begins a segment. Less is written to the store's own file,
	// where it costs two syncs instead of eight.
	segmentMin = minGroupBytes
	// segmentFiles bounds the files that wait for their chunks to be in the index.
	segmentFiles  = 4 * maxGroupRows
	segmentSuffix = ".db"
	// segmentMap is address space for a segment that is written: with its last group it is larger than segmentBytes.
	segmentMap = 2 * segmentBytes
	// inSegment marks the group of a chunk that lies in a segment: the segment's number follows, and the chunk's in it.
	inSegment = uint64(1) << 63
)

// segmentKey is where a chunk's bytes are in its bucket of a segment.
var segmentKey = []byte("c")

// segmentPlace is what a chunk's row has as its group.
func segmentPlace(segment uint64, number uint32) uint64 {
	return inSegment | segment<<32 | uint64(number)
}

// placed returns the segment of a group, and the chunk's number in it; 0 when it is a group of the store's own file.
func placed(group uint64) (segment uint64, number uint32) {
	if group&inSegment == 0 {
		return 0, 0
	}
	return group &^ inSegment >> 32, uint32(group)
}

func (s *Store) segmentPath(id uint64) string {
	return filepath.Join(s.segmentDir, strconv.FormatUint(id, 10)+segmentSuffix)
}

// segment is one that is being written.
type segment struct {
	s       *Store
	id      uint64
	file    dbFile
	chunks  uint32
	bytes   int64
	flushed int64 // of the file, on their way to the disk
}

// newSegment commits a row, and makes the file.
func (s *Store) newSegment(ctx context.Context) (*segment, error) {
	s.segments.Lock()
	defer s.segments.Unlock()
	g := &segment{s: s}
	err := s.lane.write(ctx, func(tx *bolt.Tx) (err error) {
		rows := tx.Bucket(segmentsBucket)
		if g.id, err = rows.NextSequence(); err != nil {
			return err
		}
		return rows.Put(key(g.id), key(0))
	})
	if err != nil {
		return nil, err
	}
	if g.id >= 1<<31 {
		return nil, fmt.Errorf("the store has made %d segments, which are all that can be numbered", g.id)
	}
	if err = os.MkdirAll(s.segmentDir, 0o700); err == nil {
		g.file, err = openDB(s.segmentPath(g.id), bolt.Options{
			Timeout: time.Second, PageSize: pageBytes, InitialMmapSize: min(segmentMap, initialMap()),
			NoSync: true, NoGrowSync: true, NoFreelistSync: true, FreelistType: bolt.FreelistMapType,
		})
	}
	if err == nil { // its name need not wait for its content
		if err = syncDir(s.segmentDir); err != nil {
			err = errors.Join(err, g.file.db.Close())
		}
	}
	if err != nil {
		return nil, diskFull(s.segmentDir, err)
	}
	s.filling[g.id] = true
	return g, nil
}

// write adds the chunks of a group that the store did not have, and gives each its number.
func (g *segment) write(of *group) error {
	err := guard(func() error {
		return g.file.db.Update(func(tx *bolt.Tx) error {
			for _, c := range of.chunks {
				if c.known {
					continue
				}
				c.number = g.chunks
				b, err := tx.CreateBucket(key(uint64(c.number)))
				if err != nil {
					return err
				}
				if err := b.Put(segmentKey, of.arena[c.from:c.to]); err != nil {
					return err
				}
				g.chunks++
				g.bytes += int64(c.to - c.from)
			}
			return nil
		})
	})
	if err != nil {
		return diskFull(g.s.segmentPath(g.id), err)
	}
	if info, err := g.file.disk.Stat(); err == nil {
		startWriting(g.file.disk, g.flushed, info.Size())
		g.flushed = info.Size()
	}
	return nil
}

// seal brings the segment to the disk. Nothing is written to it any more.
func (g *segment) seal() error {
	if err := errors.Join(g.file.disk.Sync(), g.file.db.Close()); err != nil {
		return diskFull(g.s.segmentPath(g.id), err)
	}
	return nil
}

// release lets go of the segment, which goes when no chunk of the index lies in it.
func (g *segment) release() {
	g.file.db.Close() // for the second time, unless something failed
	g.s.segments.Lock()
	delete(g.s.filling, g.id)
	g.s.segments.Unlock()
}
