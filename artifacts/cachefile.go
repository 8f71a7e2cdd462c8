package artifacts

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// The file of a cache is named by the cache's id, which is random: a key is never a path. Before the file is made its
// id is committed among the doomed, and it leaves them in the transaction that makes the cache visible, so every
// file has a row at every moment, and a crash leaves nothing that the next Open does not remove.

const (
	cacheSuffix = ".tar"
	// roomStep is after how many bytes a writer looks at the free space again.
	roomStep = 64 << 20
)

func (s *Store) cachePath(id string) string { return filepath.Join(s.cacheDir, id+cacheSuffix) }

// cacheFile is a cache being written.
type cacheFile struct {
	s  *Store
	id string
	f  *os.File
}

func (s *Store) newCacheFile(ctx context.Context) (*cacheFile, error) {
	if err := os.MkdirAll(s.cacheDir, 0o700); err != nil {
		return nil, err
	}
	w := &cacheFile{s: s, id: newCacheID()}
	s.writing.Store(w.id, true)
	err := s.lane.write(ctx, func(tx *bolt.Tx) error {
		return tx.Bucket(doomedCachesBucket).Put([]byte(w.id), []byte{})
	})
	if err == nil {
		w.f, err = os.OpenFile(s.cachePath(w.id), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if err != nil {
		w.release()
		return nil, err
	}
	return w, nil
}

// fill writes the file and brings it to the disk.
func (w *cacheFile) fill(ctx context.Context, meta CacheMeta, r io.Reader, limit int64) (*cacheRow, error) {
	now := w.s.now().UnixNano()
	row := &cacheRow{ID: w.id, Name: cacheName(meta), Created: now, Used: now}
	hash := newHasher(sha256.New())
	n, err := w.copy(ctx, hash, r, limit)
	row.Bytes, row.SHA = n, hash.sum()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(w.f.Sync(), w.f.Close()); err != nil {
		return nil, w.s.diskError(err)
	}
	return row, syncDir(w.s.cacheDir)
}

func (w *cacheFile) copy(ctx context.Context, hash *hasher, r io.Reader, limit int64) (int64, error) {
	src := &sourceReader{r: io.LimitReader(r, limit+1)}
	var n int64
	for step := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		if n >= step {
			if err := w.s.makeRoom(ctx); err != nil {
				return n, err
			}
			step += roomStep
		}
		buf := hash.buffer()
		got, err := io.ReadFull(src, buf)
		hash.add(buf[:got])
		if _, werr := w.f.Write(buf[:got]); werr != nil {
			return n, w.s.diskError(werr)
		}
		n += int64(got)
		switch {
		case n > limit:
			return n, fmt.Errorf("it has more than the %d bytes that a cache may have: %w", limit, ErrLimit)
		case src.err != nil:
			return n, fmt.Errorf("reading it: %w", src.err)
		case err != nil: // the end
			return n, nil
		}
	}
}

// release lets go of a file, which goes when no cache stands for it: its own, if another of its name was faster or
// something failed, and the one that it replaced. What fails here is done by the next Open.
func (w *cacheFile) release() {
	if w.f != nil {
		w.f.Close() // for the second time, unless something failed
	}
	w.s.writing.Delete(w.id)
	w.s.removeDoomedCaches(context.Background())
}

// removeDoomedCaches removes the files that no cache stands for, and the layers that nobody refers to, but those that are being written.
func (s *Store) removeDoomedCaches(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	rows, err := s.page(top(doomedCachesBucket), nil, pageRows)
	var gone [][]byte
	for _, r := range rows {
		// Its writer lets go of it after publishing it: what is still doomed after that, nobody will ever want.
		if _, busy := s.writing.Load(string(r.k)); busy || !s.has(doomedCachesBucket, r.k) {
			continue
		}
		rerr := os.Remove(s.cachePath(string(r.k)))
		if errors.Is(rerr, fs.ErrNotExist) {
			rerr = RemoveTree(s.LayerDir(string(r.k)))
		}
		if rerr != nil {
			err = errors.Join(err, rerr)
			continue
		}
		gone = append(gone, r.k)
	}
	if len(gone) > 0 {
		err = errors.Join(err, s.lane.write(ctx, func(tx *bolt.Tx) error {
			for _, k := range gone {
				if err := tx.Bucket(doomedCachesBucket).Delete(k); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	if err != nil && !errors.Is(err, ErrClosed) {
		s.log.Warn("the file of a former cache stays until the next start", "error", err)
	}
}

func (s *Store) has(bucket, k []byte) (found bool) {
	_ = s.view(func(tx *bolt.Tx) error {
		found = tx.Bucket(bucket).Get(k) != nil
		return nil
	})
	return found
}

// diskError names the directory of a full disk.
func (s *Store) diskError(err error) error {
	return fmt.Errorf("writing below %s: %w", s.cacheDir, err)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
