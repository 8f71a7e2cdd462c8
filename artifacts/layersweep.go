package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// sweepLayers forgets what a former process was making, and removes directories that no row names. It returns the layers
// that are gone, or may be torn: the machine ended before they were on the disk.
func (s *Store) sweepLayers() (lost map[string]bool, err error) {
	if err := s.dropSquashes(); err != nil {
		return nil, err
	}
	dirs, err := s.layerDirs()
	if err != nil {
		return nil, err
	}
	lost = map[string]bool{}
	err = s.eachLayer(context.Background(), func(row *layerRow) error {
		torn := row.Boot != "" && row.Boot != bootID()
		if !dirs[row.ID] && row.Whole || torn {
			lost[row.ID] = true
		}
		delete(dirs, row.ID)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for id := range dirs {
		if s.has(doomedCachesBucket, []byte(id)) {
			continue
		}
		if err := RemoveTree(s.LayerDir(id)); err != nil {
			s.log.Warn("a directory that is no layer of a cache stays", "error", err)
		}
	}
	return lost, nil
}

// dropSquashes ends the references of former processes that were making one layer of many.
func (s *Store) dropSquashes() error {
	var left []string
	err := s.pages(context.Background(), top(layerRefsBucket), func(k, _ []byte) error {
		if id, ok := strings.CutSuffix(string(k), "\x00"+bySquash); ok {
			left = append(left, id)
		}
		return nil
	})
	if err != nil || len(left) == 0 {
		return err
	}
	return s.lane.write(context.Background(), func(tx *bolt.Tx) error {
		for _, id := range left {
			if err := unrefLayer(tx, id, bySquash); err != nil {
				return err
			}
		}
		return nil
	})
}

// layerDirs returns the directories that could be layers, by id.
func (s *Store) layerDirs() (map[string]bool, error) {
	entries, err := os.ReadDir(s.cacheDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	dirs := map[string]bool{}
	for _, e := range entries {
		if e.IsDir() && cacheID.MatchString(e.Name()) {
			dirs[e.Name()] = true
		}
	}
	return dirs, nil
}

// eachLayer calls fn with every layer, outside of any transaction.
func (s *Store) eachLayer(ctx context.Context, fn func(row *layerRow) error) error {
	return s.pages(ctx, top(layersBucket), func(k, v []byte) error {
		row, err := parseLayer(string(k), v)
		if err != nil {
			return err
		}
		return fn(row)
	})
}

// settleLayers brings the layers of this start of the machine to the disk, which nobody waits for, and notes that they are
// there: a machine that ends before takes the caches along that have them.
func (s *Store) settleLayers(ctx context.Context) error {
	var fresh []string
	err := s.eachLayer(ctx, func(row *layerRow) error {
		if row.Boot != "" && row.Whole {
			fresh = append(fresh, row.ID)
		}
		return nil
	})
	if err != nil || len(fresh) == 0 {
		return err
	}
	if err := syncDisk(s.cacheDir); err != nil {
		return fmt.Errorf("bringing the layers of caches to the disk of %s: %w", s.cacheDir, err)
	}
	return s.lane.write(ctx, func(tx *bolt.Tx) error {
		for _, id := range fresh {
			row, err := readLayer(tx, id)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			row.Boot = ""
			if err := putLayer(tx, row); err != nil {
				return err
			}
		}
		return nil
	})
}
