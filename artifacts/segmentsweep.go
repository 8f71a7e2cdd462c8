package artifacts

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// sweepSegments removes what a former process left half written, and files that no row names: the store is an older
// copy than they. Nobody else uses the store yet.
func (s *Store) sweepSegments() {
	if s.db.IsReadOnly() {
		return
	}
	s.removeSegments(context.Background())
	files, err := s.segmentFiles()
	if err != nil {
		s.log.Error("segments cannot be looked through; see runner check", "directory", s.segmentDir, "error", err)
	}
	for id := range files {
		if s.has(segmentsBucket, key(id)) {
			continue
		}
		if err := os.Remove(s.segmentPath(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.log.Warn("a file that holds nothing of the store stays", "error", err)
		}
	}
}

// segmentFiles returns the files that are segments by their name, with their sizes.
func (s *Store) segmentFiles() (map[uint64]int64, error) {
	entries, err := os.ReadDir(s.segmentDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	files := map[uint64]int64{}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		id, err := strconv.ParseUint(name, 10, 64)
		if !ok || err != nil || !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil {
			files[id] = info.Size()
		}
	}
	return files, nil
}

// removeSegments removes the segments in which no chunk lies, but those that are being written: first the file, then the
// row that says there may be one.
func (s *Store) removeSegments(ctx context.Context) {
	s.segments.Lock()
	defer s.segments.Unlock()
	ctx = context.WithoutCancel(ctx)
	var gone [][]byte
	err := s.pages(ctx, top(segmentsBucket), func(k, v []byte) error {
		id, _ := number(k)
		if n, ok := number(v); !ok || n > 0 || s.filling[id] {
			return nil
		}
		if err := os.Remove(s.segmentPath(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		gone = append(gone, k)
		return nil
	})
	if len(gone) > 0 {
		err = errors.Join(err, s.lane.write(ctx, func(tx *bolt.Tx) error {
			for _, k := range gone {
				if err := tx.Bucket(segmentsBucket).Delete(k); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	if err != nil && !errors.Is(err, ErrClosed) {
		s.log.Warn("a segment that holds nothing stays until the next start", "error", err)
	}
}

// countSegment notes that more chunks of the index lie in a segment, or fewer.
func countSegment(tx *bolt.Tx, id uint64, more int64) error {
	rows := tx.Bucket(segmentsBucket)
	n, ok := number(rows.Get(key(id)))
	if !ok || more < 0 && n < uint64(-more) {
		return errors.Join(ErrDamaged, errors.New("the row of segment "+strconv.FormatUint(id, 10)+" does not count its chunks"))
	}
	return rows.Put(key(id), key(n+uint64(more)))
}
