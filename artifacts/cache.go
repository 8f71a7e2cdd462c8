package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/runner-ci/runner/internal/failpoint"
)

// CacheMeta says what a cache is of. Scope, Key and Paths together are its name.
type CacheMeta struct {
	Scope string // who may read it, in the caller's words
	Key   string // empty for the one cache of its scope and paths that each save replaces
	Paths string // digest of the paths that were packed
}

// CacheInfo is a stored cache.
type CacheInfo struct {
	CacheMeta
	ID      string
	Bytes   int64
	SHA256  string // of the tar, in hex; a cache of layers has none
	Created time.Time
	Used    time.Time // when it was last opened or, until then, made
	Hits    int64     // how often it was opened, or its layers were mounted
	Layers  int       // how many layers it has; 0 is a tar
	Earned  Earnings  // of caches like this, as Caches tells it
}

// DefaultCacheBytes bounds a cache for which no limit is named.
const DefaultCacheBytes = 8 << 30

const (
	maxScopeBytes = 2048
	maxKeyBytes   = 512
	maxPathsBytes = 128
)

// PutCache stores r, an uncompressed tar that only a sandbox will unpack, as it is. With a key, the first cache of a
// name stays for ever: when there is one, r is not read, stored is false and the former is returned. Without a key it
// replaces the former. More than limit bytes (0 is DefaultCacheBytes) are an error that wraps ErrLimit. While the disk
// is short of space, caches go that are worth the least, and r is refused when that does not help.
//
// A reader who has the former cache open reads it to its end. A crash leaves the whole cache or none.
func (s *Store) PutCache(ctx context.Context, meta CacheMeta, r io.Reader, limit int64) (info CacheInfo, stored bool, err error) {
	if err := meta.check(); err != nil {
		return CacheInfo{}, false, err
	}
	if limit <= 0 {
		limit = DefaultCacheBytes
	}
	if row, err := s.cacheNamed(meta); err != nil || row != nil {
		return row.public(), false, err
	}
	w, err := s.newCacheFile(ctx)
	if err != nil {
		return CacheInfo{}, false, fmt.Errorf("storing a cache: %w", err)
	}
	defer w.release()
	row, err := w.fill(ctx, meta, r, limit)
	if err == nil {
		failpoint.Pass("6/cache-written")
		info, stored, err = s.publishCache(ctx, row)
	}
	if err != nil {
		return CacheInfo{}, false, fmt.Errorf("storing a cache: %w", err)
	}
	return info, stored, nil
}

func (m CacheMeta) check() error {
	for _, part := range []struct {
		what, text string
		min, max   int
	}{{"scope", m.Scope, 1, maxScopeBytes}, {"key", m.Key, 0, maxKeyBytes}, {"digest of the paths", m.Paths, 1, maxPathsBytes}} {
		if n := len(part.text); n < part.min || n > part.max {
			return fmt.Errorf("the cache's %s %.40q has %d bytes, want %d to %d", part.what, part.text, n, part.min, part.max)
		}
		for i := range len(part.text) {
			if part.text[i] == 0 {
				return fmt.Errorf("the cache's %s %.40q holds a NUL byte", part.what, part.text)
			}
		}
	}
	return nil
}

// cacheNamed returns the cache that stands in the way of another one of its name, nil when there is none.
func (s *Store) cacheNamed(meta CacheMeta) (row *cacheRow, err error) {
	if meta.Key == "" {
		return nil, nil
	}
	err = s.view(func(tx *bolt.Tx) (err error) {
		row, err = cacheByName(tx, cacheName(meta))
		return err
	})
	if err != nil || row == nil {
		return nil, err
	}
	if s.isCleared(row) {
		return nil, nil // the new one takes its place
	}
	return row, nil
}

// isCleared tells whether a cache can be given to nobody: someone cleared the directory of caches, or it has too many layers.
func (s *Store) isCleared(row *cacheRow) bool {
	if len(row.Layers) >= maxDepth {
		return true
	}
	for _, l := range row.Layers {
		if !s.isLayer(l.ID) {
			return true
		}
	}
	if len(row.Layers) > 0 {
		return false
	}
	_, err := os.Lstat(s.cachePath(row.ID))
	return errors.Is(err, fs.ErrNotExist)
}

// publishCache commits the row of a cache whose file is written, or whose layers are there. Another one of its name, which
// was there first, is returned instead. One without a key takes over how often the one that it replaces was used.
func (s *Store) publishCache(ctx context.Context, row *cacheRow) (info CacheInfo, stored bool, err error) {
	// The file is written: to give it up now would save nothing.
	err = s.lane.write(context.WithoutCancel(ctx), func(tx *bolt.Tx) error {
		former, err := cacheByName(tx, row.Name)
		if err != nil {
			return err
		}
		if former != nil {
			if former.meta().Key != "" && !s.isCleared(former) {
				info, stored = former.public(), false
				return nil
			}
		}
		if row.made != nil && row.made.Whole {
			if err := putLayer(tx, row.made); err != nil {
				return err
			}
		}
		for _, l := range row.Layers {
			if err := tx.Bucket(layerRefsBucket).Put(layerRef(l.ID, byCache+row.ID), nil); err != nil {
				return err
			}
		}
		if former != nil {
			if former.meta().Key == "" {
				row.Hits = former.Hits
			}
			if err := dropCache(tx, former); err != nil {
				return err
			}
		}
		if row.Turn, err = tx.Bucket(cachesBucket).NextSequence(); err != nil {
			return err
		}
		info, stored = row.public(), true
		return errors.Join(
			tx.Bucket(doomedCachesBucket).Delete([]byte(row.ID)),
			tx.Bucket(cacheNamesBucket).Put(row.Name, append(key(row.Turn), row.ID...)),
			putCacheRow(tx, row))
	})
	return info, stored, err
}

// OpenCache opens a cache for reading, and notes that it was used. It reads on although the cache is evicted or
// replaced meanwhile, and must be closed. The reader is an *os.File, so that copying it to a file can be left to the
// kernel. A cache that is not there, or whose file is not what was stored, is an error wrapping fs.ErrNotExist.
func (s *Store) OpenCache(ctx context.Context, id string) (io.ReadCloser, CacheInfo, error) {
	var row *cacheRow
	err := s.view(func(tx *bolt.Tx) (err error) {
		row, err = readCache(tx, id)
		return err
	})
	if err != nil {
		return nil, CacheInfo{}, err
	}
	f, err := s.openCacheFile(row)
	if errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("a cache is gone or cut from outside; it counts as none", "file", s.cachePath(id))
		return nil, CacheInfo{}, errors.Join(err, s.dropCaches(ctx, id))
	}
	if err != nil {
		return nil, CacheInfo{}, fmt.Errorf("opening cache %s: %w", id, err)
	}
	if err := s.useCache(ctx, id); err != nil && !errors.Is(err, fs.ErrNotExist) { // a full disk keeps nobody from reading
		s.log.Warn("a use of a cache could not be noted", "cache", id, "error", err)
	}
	return f, row.public(), nil
}

func (s *Store) openCacheFile(row *cacheRow) (*os.File, error) {
	f, err := os.Open(s.cachePath(row.ID))
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && (st.Size() != row.Bytes || !st.Mode().IsRegular()) {
		err = fmt.Errorf("cache %s has %d bytes, %d were stored: %w", row.ID, st.Size(), row.Bytes, fs.ErrNotExist)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (s *Store) useCache(ctx context.Context, id string) error {
	return s.lane.write(ctx, func(tx *bolt.Tx) error {
		row, err := readCache(tx, id)
		if err != nil {
			return err
		}
		return s.markUsed(tx, row)
	})
}

// markUsed notes that a job was given a cache.
func (s *Store) markUsed(tx *bolt.Tx, row *cacheRow) (err error) {
	if row.Turn, err = tx.Bucket(cachesBucket).NextSequence(); err != nil {
		return err
	}
	row.Used = s.now().UnixNano()
	row.Hits++
	return putCacheRow(tx, row)
}
