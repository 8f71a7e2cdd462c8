package artifacts

import (
	"os"
	"unsafe"

	bolt "go.etcd.io/bbolt"
)

// punch gives the space of chunks that are no longer in the index back to the file system, where it takes holes in files.
// It is for segments in which other chunks still lie. What fails here, or is cut short by a crash, is made good when the
// segment goes as a whole.
func (s *Store) punch(holes []uint64) {
	r := segmentReader{s: s}
	defer r.close()
	for _, hole := range holes {
		id, chunk := placed(hole)
		if s.emptied(id) || r.open(id) != nil {
			continue
		}
		from, to := r.extent(chunk)
		f, err := os.OpenFile(s.segmentPath(id), os.O_WRONLY, 0)
		if err != nil {
			continue
		}
		makeHole(f, from, to)
		f.Close()
	}
}

// emptied reports whether no chunk of the index lies in a segment.
func (s *Store) emptied(id uint64) (empty bool) {
	_ = s.view(func(tx *bolt.Tx) error {
		n, ok := number(tx.Bucket(segmentsBucket).Get(key(id)))
		empty = ok && n == 0
		return nil
	})
	return empty
}

// extent returns where the bytes of a chunk are in the file of the open segment.
func (r *segmentReader) extent(chunk uint32) (from, to int64) {
	_ = guard(func() error {
		return r.file.db.View(func(tx *bolt.Tx) error {
			b := tx.Bucket(key(uint64(chunk)))
			if b == nil {
				return nil
			}
			v := b.Get(segmentKey)
			at := int64(uintptr(unsafe.Pointer(unsafe.SliceData(v))) - r.file.db.Info().Data)
			if len(v) > 0 && at+int64(len(v)) <= tx.Size() {
				from, to = at, at+int64(len(v))
			}
			return nil
		})
	})
	return from, to
}
