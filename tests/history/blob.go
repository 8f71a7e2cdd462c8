package history

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"
)

// chunkBytes is about how many bytes of lines one chunk holds before it is compressed. A reader holds one chunk of each
// blob, and a merge reads up to maxRuns of them side by side.
const chunkBytes = 64 << 10

// chunksPerCommit is how many chunks are written in one transaction: a disk sync for each would take longer than the
// work.
const chunksPerCommit = 32

func chunkKey(blob uint64, chunk int) []byte {
	return binary.BigEndian.AppendUint32(number(blob), uint32(chunk))
}

// blobWriter writes values as lines of JSON. The blob is loose until a row that names it is committed with keep.
type blobWriter struct {
	s      *Store
	id     uint64
	lines  []byte
	chunks int
	ready  [][]byte
	count  int
}

func (s *Store) newBlob() (*blobWriter, error) {
	w := &blobWriter{s: s}
	err := s.db.Update(func(tx *bbolt.Tx) (err error) {
		loose := tx.Bucket(bucketLoose)
		if w.id, err = loose.NextSequence(); err != nil {
			return err
		}
		return loose.Put(number(w.id), nil)
	})
	return w, err
}

// add writes one value, and returns how large it is.
func (w *blobWriter) add(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding a test: %w", err)
	}
	return w.line(line)
}

func (w *blobWriter) line(line []byte) error {
	w.lines = append(append(w.lines, line...), '\n')
	w.count++
	if len(w.lines) < chunkBytes {
		return nil
	}
	return w.cut(false)
}

// cut ends a chunk, and commits when there are enough.
func (w *blobWriter) cut(last bool) error {
	if len(w.lines) > 0 {
		w.ready = append(w.ready, w.s.pack.EncodeAll(w.lines, nil))
		w.lines = w.lines[:0]
	}
	if len(w.ready) == 0 || len(w.ready) < chunksPerCommit && !last {
		return nil
	}
	err := w.s.db.Update(func(tx *bbolt.Tx) error {
		blobs := tx.Bucket(bucketBlobs)
		for i, chunk := range w.ready {
			if err := blobs.Put(chunkKey(w.id, w.chunks+i), chunk); err != nil {
				return err
			}
		}
		return nil
	})
	w.chunks += len(w.ready)
	w.ready = w.ready[:0]
	return err
}

// close writes what is left.
func (w *blobWriter) close() error { return w.cut(true) }

// keep says that a row names a blob now.
func keep(tx *bbolt.Tx, blob uint64) error { return tx.Bucket(bucketLoose).Delete(number(blob)) }

// loosen says that no row names a blob any more; drop or the next Open removes it.
func loosen(tx *bbolt.Tx, blobs ...uint64) error {
	for _, b := range blobs {
		if b != 0 {
			if err := tx.Bucket(bucketLoose).Put(number(b), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropLoose removes all blobs that no row names, some chunks in each transaction.
func (s *Store) dropLoose() error {
	s.reading.Lock()
	defer s.reading.Unlock()
	for more := true; more; {
		err := s.db.Update(func(tx *bbolt.Tx) error {
			loose, blobs := tx.Bucket(bucketLoose), tx.Bucket(bucketBlobs)
			k, _ := loose.Cursor().First()
			if more = k != nil; !more {
				return nil
			}
			k = bytes.Clone(k)
			var keys [][]byte
			c := blobs.Cursor()
			for b, _ := c.Seek(k); bytes.HasPrefix(b, k) && len(keys) < 1000; b, _ = c.Next() {
				keys = append(keys, bytes.Clone(b))
			}
			for _, b := range keys {
				if err := blobs.Delete(b); err != nil {
					return err
				}
			}
			if len(keys) == 1000 {
				return nil
			}
			return loose.Delete(k)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// blobReader reads the lines of a blob, one chunk at a time, and holds no transaction meanwhile.
type blobReader struct {
	s     *Store
	id    uint64
	chunk int // number of the next one
	raw   []byte
	rest  []byte
	index int // of the next line in its chunk
}

// place is where a reader is: a chunk, and a line in it.
type place struct{ chunk, line int }

func (s *Store) readBlob(id uint64, from place) (*blobReader, error) {
	r := &blobReader{s: s, id: id, chunk: from.chunk}
	for range from.line {
		if line, err := r.next(); line == nil {
			return r, err
		}
	}
	return r, nil
}

// next returns the next line, valid until the call after it; nil at the end.
func (r *blobReader) next() ([]byte, error) {
	for len(r.rest) == 0 {
		if r.id == 0 {
			return nil, nil
		}
		var packed []byte
		err := r.s.db.View(func(tx *bbolt.Tx) error {
			packed = bytes.Clone(tx.Bucket(bucketBlobs).Get(chunkKey(r.id, r.chunk)))
			return nil
		})
		if err != nil || packed == nil {
			return nil, err
		}
		if r.raw, err = r.s.unpack.DecodeAll(packed, r.raw[:0]); err != nil {
			return nil, fmt.Errorf("chunk %d of blob %d of tests.db is damaged: %w", r.chunk, r.id, err)
		}
		r.rest, r.index = r.raw, 0
		r.chunk++
	}
	line, rest, _ := bytes.Cut(r.rest, []byte("\n"))
	r.rest = rest
	r.index++
	return line, nil
}

// at is where the next line is.
func (r *blobReader) at() place {
	if len(r.rest) == 0 {
		return place{r.chunk, 0}
	}
	return place{r.chunk - 1, r.index}
}
