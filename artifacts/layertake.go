package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"github.com/runner-ci/runner/internal/failpoint"
)

// ErrNothing is wrapped by TakeLayer when none of a cache's directories is there.
var ErrNothing = errors.New("none of its directories is there")

// LayerPart is one directory of a cache, as a sandbox left it.
type LayerPart struct {
	Root  string // of the tree in each layer that this overlay is made of: a name
	Upper string // upper layer of the overlay. Nobody has it mounted any more
	Path  string // of the directory in the overlay; "." is all of it
}

// TakeLayer makes a layer of what a sandbox changed of a cache's directories, and stores the cache of it and of the layers
// that the sandbox had, by the rules of PutCache. What was changed is renamed, so that it takes the same time whatever
// the cache's size; nothing of it is in the upper layers afterwards. parts are those of HoldLayers, in its order. Doing it
// again goes on where it was left.
//
// As with a tar, devices, sockets and pipes are left out, and nothing is setuid.
func (s *Store) TakeLayer(ctx context.Context, sandbox string, meta CacheMeta, parts []LayerPart, limit int64) (info CacheInfo, stored bool, err error) {
	if err := meta.check(); err != nil {
		return CacheInfo{}, false, err
	}
	if limit <= 0 {
		limit = DefaultCacheBytes
	}
	if row, err := s.cacheNamed(meta); err != nil || row != nil {
		return row.public(), false, err
	}
	row, err := s.takeLayer(ctx, sandbox, parts, limit)
	if row != nil {
		defer s.endSquash(ctx, row.Layers)
	}
	if err == nil {
		now := s.now().UnixNano()
		row.Name, row.Created, row.Used = cacheName(meta), now, now
		info, stored, err = s.publishCache(ctx, row)
	}
	if err != nil {
		return CacheInfo{}, false, fmt.Errorf("storing a cache: %w", err)
	}
	s.background.Go(func() {
		s.removeDoomedCaches(ctx) // of the cache that it replaced
		if stored && info.Layers > squashDepth {
			s.squashCache(info.ID)
		}
	})
	return info, stored, nil
}

// takeLayer makes the row of the cache, with everything that it refers to in place.
func (s *Store) takeLayer(ctx context.Context, sandbox string, parts []LayerPart, limit int64) (*cacheRow, error) {
	hold, err := s.HeldLayers(sandbox)
	if err != nil {
		return nil, err
	}
	if err := checkParts(parts, len(hold.Dirs)); err != nil {
		return nil, err
	}
	if hold.Boot != bootID() {
		return nil, errors.New("the machine was started anew since the job had it, and not all of it may have reached the disk")
	}
	if err := s.makeRoom(ctx); err != nil {
		return nil, err
	}
	layer, err := s.planLayer(ctx, sandbox, parts, len(hold.Layers) > 0)
	if err != nil {
		return nil, err
	}
	stack := hold.Layers
	if len(layer.Moves) > 0 {
		failpoint.Pass("6/layer-planned")
		if err := s.fillLayer(layer, parts, limit); err != nil {
			return nil, err
		}
		failpoint.Pass("6/layer-moved")
		if layer.alone(len(parts)) {
			stack = nil
		}
		stack = append([]string{layer.ID}, stack...)
	}
	row := &cacheRow{ID: newCacheID(), Dirs: hold.Dirs, made: layer}
	return row, s.stack(ctx, row, stack, limit)
}

func checkParts(parts []LayerPart, dirs int) error {
	if len(parts) == 0 || len(parts) != dirs {
		return fmt.Errorf("%d directories of a cache are to be taken, want %d", len(parts), dirs)
	}
	for _, p := range parts {
		if p.Root == "" || filepath.Base(p.Root) != p.Root || !filepath.IsLocal(p.Root) || !filepath.IsLocal(p.Path) || filepath.Clean(p.Path) != p.Path {
			return fmt.Errorf("a directory of a cache is %q in %q: expected clean names", p.Path, p.Root)
		}
	}
	return nil
}

// planLayer commits how the layer of a sandbox is going to be made, before anything is: what was renamed cannot be looked
// at again. One without moves is of no use, and is not committed.
func (s *Store) planLayer(ctx context.Context, sandbox string, parts []LayerPart, restored bool) (row *layerRow, err error) {
	id := layerID(sandbox)
	err = s.view(func(tx *bolt.Tx) error {
		row, err = readLayer(tx, id)
		return err
	})
	if !errors.Is(err, fs.ErrNotExist) {
		return row, err
	}
	row = &layerRow{ID: id, Created: s.now().UnixNano(), Boot: bootID()}
	if row.Moves, err = planMoves(parts, restored); err != nil || len(row.Moves) == 0 {
		return row, err
	}
	return row, s.commitLayer(ctx, row, bySandbox+sandbox)
}

// commitLayer commits a layer's row with one reference to it.
func (s *Store) commitLayer(ctx context.Context, row *layerRow, by string) error {
	return s.lane.write(ctx, func(tx *bolt.Tx) error {
		return errors.Join(putLayer(tx, row), tx.Bucket(layerRefsBucket).Put(layerRef(row.ID, by), nil))
	})
}

// fillLayer carries out the moves, unless that was done, and measures what came of it. That is committed with the cache.
func (s *Store) fillLayer(row *layerRow, parts []LayerPart, limit int64) error {
	if row.Whole {
		return nil
	}
	if err := os.MkdirAll(s.LayerDir(row.ID), 0o700); err != nil {
		return s.diskError(err)
	}
	for _, m := range row.Moves {
		if err := m.carryOut(s.LayerDir(row.ID), parts[m.Part]); err != nil {
			return s.diskError(err)
		}
	}
	found, err := measureLayer(s.LayerDir(row.ID), parts, limit)
	if err != nil {
		return err
	}
	row.Bytes, row.Files, row.Moved, row.Whole = found.bytes, found.files, found.moved, true
	return nil
}

// alone tells whether no layer below shows through one of so many directories.
func (row *layerRow) alone(parts int) bool {
	for _, m := range row.Moves {
		if m.How == moveOver {
			return false
		}
	}
	return !row.Moved && len(row.Moves) == parts
}

// stack gives a cache its layers, the newest first. It makes one of them where they come to too much, because upper ones
// have anew what others hold, or are too many: caches can follow each other faster than squashCache does its work.
func (s *Store) stack(ctx context.Context, row *cacheRow, ids []string, limit int64) error {
	if len(ids) == 0 {
		return ErrNothing
	}
	moved := false
	err := s.view(func(tx *bolt.Tx) (err error) {
		row.Layers, row.Bytes, moved = nil, 0, false
		for _, id := range ids {
			l := row.made
			if l == nil || l.ID != id {
				if l, err = readLayer(tx, id); err != nil {
					return err
				}
			}
			row.Layers = append(row.Layers, cacheLayer{id, l.Bytes})
			row.Bytes += l.Bytes
			moved = moved || l.Moved
		}
		return nil
	})
	if err != nil || row.Bytes <= limit && len(ids) < maxDepth {
		return err
	}
	if !moved && len(ids) > 1 {
		one, err := s.squash(ctx, ids)
		if err != nil {
			return err
		}
		row.Layers, row.Bytes = []cacheLayer{{one.ID, one.Bytes}}, one.Bytes
	}
	if row.Bytes > limit {
		return tooLarge(limit)
	}
	return nil
}

func tooLarge(limit int64) error {
	return fmt.Errorf("it has more than the %d bytes that a cache may have: %w", limit, ErrLimit)
}

// CanTakeFrom tells why TakeLayer cannot take upper layers that lie below a directory.
func (s *Store) CanTakeFrom(dir string) error {
	if err := os.MkdirAll(s.cacheDir, 0o700); err != nil {
		return err
	}
	here, there := mountOf(s.cacheDir), mountOf(dir)
	if here == "" || here != there {
		return fmt.Errorf("%s and %s are not on one mounted file system", s.cacheDir, dir)
	}
	return nil
}
