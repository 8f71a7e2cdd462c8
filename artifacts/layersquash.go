package artifacts

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// squash makes one layer of a stack, the newest first, by hard links: whoever has a layer of the stack mounted is not
// disturbed. The stack stays for as long as somebody refers to it, and what is gone meanwhile is an error. No directory in
// them was renamed. The layer is referred to until endSquash.
func (s *Store) squash(ctx context.Context, ids []string) (*layerRow, error) {
	row := &layerRow{ID: newCacheID(), Created: s.now().UnixNano(), Boot: bootID()}
	if err := s.commitLayer(ctx, row, bySquash); err != nil {
		return nil, err
	}

	err := os.Mkdir(s.LayerDir(row.ID), 0o700)
	for i := len(ids) - 1; i >= 0 && err == nil; i-- {
		err = merge(ctx, s.LayerDir(ids[i]), s.LayerDir(row.ID))
	}
	if err == nil {
		var found measured
		found, err = measureLayer(s.LayerDir(row.ID), nil, math.MaxInt64)
		row.Bytes, row.Files, row.Whole = found.bytes, found.files, true
	}
	if err == nil {
		err = s.lane.write(ctx, func(tx *bolt.Tx) error { return putLayer(tx, row) })
	}
	if err != nil {
		s.endSquash(ctx, []cacheLayer{{ID: row.ID}})
		return nil, s.diskError(err)
	}
	return row, nil
}

// squashCache makes the layers of a stored cache one, beside everything else. Who has the former ones goes on with them.
func (s *Store) squashCache(cache string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-s.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := s.squashRow(ctx, cache)
	if err != nil && ctx.Err() == nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("the layers of a cache could not be made one; it is tried again when it is saved", "cache", cache, "error", err)
	}
	s.removeDoomedCaches(ctx)
}

func (s *Store) squashRow(ctx context.Context, cache string) error {
	var ids []string
	moved := false
	err := s.view(func(tx *bolt.Tx) error {
		row, err := readCache(tx, cache)
		if err != nil {
			return err
		}
		for _, l := range row.Layers {
			layer, err := readLayer(tx, l.ID)
			if err != nil {
				return err
			}
			ids, moved = append(ids, l.ID), moved || layer.Moved
		}
		return nil
	})
	if err != nil || moved {
		return err
	}
	one, err := s.squash(ctx, ids)
	if err != nil {
		return err
	}
	defer s.endSquash(ctx, []cacheLayer{{ID: one.ID}})
	return s.lane.write(ctx, func(tx *bolt.Tx) error {
		row, err := readCache(tx, cache)
		if err != nil {
			return err
		}
		former := row.Layers
		row.Layers, row.Bytes = []cacheLayer{{one.ID, one.Bytes}}, one.Bytes
		err = errors.Join(tx.Bucket(layerRefsBucket).Put(layerRef(one.ID, byCache+cache), nil), putCacheRow(tx, row))
		for _, l := range former {
			err = errors.Join(err, unrefLayer(tx, l.ID, byCache+cache))
		}
		return err
	})
}

// endSquash ends the reference that squash made to a layer. Others stay.
func (s *Store) endSquash(ctx context.Context, layers []cacheLayer) {
	_ = s.view(func(tx *bolt.Tx) error {
		refs := tx.Bucket(layerRefsBucket)
		kept := layers[:0:0]
		for _, l := range layers {
			if refs.Get(layerRef(l.ID, bySquash)) != nil {
				kept = append(kept, l)
			}
		}
		layers = kept
		return nil
	})
	if len(layers) == 0 {
		return
	}
	err := s.lane.write(context.WithoutCancel(ctx), func(tx *bolt.Tx) (err error) {
		for _, l := range layers {
			err = errors.Join(err, unrefLayer(tx, l.ID, bySquash))
		}
		return err
	})
	if err != nil {
		s.log.Warn("a layer stays until the next start", "error", err)
	}
}

// merge lays the content of a layer's directory over what is in another one.
func merge(ctx context.Context, from, to string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		if err := mergeEntry(ctx, filepath.Join(from, e.Name()), filepath.Join(to, e.Name()), info); err != nil {
			return err
		}
	}
	return nil
}

func mergeEntry(ctx context.Context, from, to string, info fs.FileInfo) error {
	if !info.IsDir() {
		if err := os.RemoveAll(to); err != nil || isWhiteout(info) {
			return err
		}
		return os.Link(from, to)
	}
	marks, err := marksOf(from)
	if err != nil {
		return err
	}
	if there, err := os.Lstat(to); marks[opaqueMark] || err == nil && !there.IsDir() {
		if err := os.RemoveAll(to); err != nil {
			return err
		}
	}
	if err := os.Mkdir(to, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return errors.Join(merge(ctx, from, to), likeInfo(to, info))
}
