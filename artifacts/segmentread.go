package artifacts

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// dbFile is a bbolt database, and the file that it lies in and closes.
type dbFile struct {
	db   *bolt.DB
	disk *os.File
}

func openDB(path string, opts bolt.Options) (dbFile, error) {
	var d dbFile
	opts.OpenFile = func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
		d.disk, err = os.OpenFile(name, flag, mode)
		return d.disk, err
	}
	var err error
	d.db, err = bolt.Open(path, 0o600, &opts)
	return d, err
}

// segmentReader holds the segment read last.
type segmentReader struct {
	s    *Store
	id   uint64 // 0 when none is open
	file dbFile
}

// open makes sure that segment id is the open one.
func (r *segmentReader) open(id uint64) error {
	if r.id == id {
		return nil
	}
	r.close()
	err := guard(func() (err error) {
		if r.file, err = openDB(r.s.segmentPath(id), bolt.Options{ReadOnly: true, Timeout: time.Second}); err == nil {
			err = r.file.whole()
		}
		return err
	})
	switch {
	case err == nil:
		r.id = id
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum):
		return fmt.Errorf("%w: its bytes are missing: %w", ErrDamaged, err)
	}
	return err
}

// whole refuses, and closes, a file that was cut: to read what a map shows behind a file's end ends the process.
func (d dbFile) whole() error {
	var want int64
	info, err := d.disk.Stat()
	if err == nil {
		err = d.db.View(func(tx *bolt.Tx) error { want = tx.Size(); return nil })
	}
	if err == nil && info.Size() < want {
		err = fmt.Errorf("%w: %s has %d bytes, want %d", ErrDamaged, d.disk.Name(), info.Size(), want)
	}
	if err != nil {
		return errors.Join(err, d.db.Close())
	}
	return nil
}

func (r *segmentReader) close() {
	if r.id != 0 {
		r.id = 0
		_ = r.file.db.Close() // it was only read
	}
}

// content appends the content of a chunk that lies in a segment to dst.
func (r *segmentReader) content(dst []byte, row *chunkRow) ([]byte, error) {
	id, number := placed(row.Group)
	if err := r.open(id); err != nil {
		return dst, err
	}
	err := guard(func() error {
		return r.file.db.View(func(tx *bolt.Tx) (err error) {
			var stored []byte
			if b := tx.Bucket(key(uint64(number))); b != nil {
				stored = b.Get(segmentKey)
			}
			if len(stored) != int(row.Stored) {
				return fmt.Errorf("%w: segment %d has %d bytes of it, want %d", ErrDamaged, id, len(stored), row.Stored)
			}
			dst, err = r.s.unpackFrom(r.file, tx, dst, stored, row.Codec, int(row.Raw), row.CRC)
			return err
		})
	})
	return dst, err
}
