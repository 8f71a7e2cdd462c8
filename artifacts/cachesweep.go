package artifacts

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// sweepCaches removes what former processes left half written or half removed, files that no row names (the store is
// an older copy than they), and rows whose file is gone (someone made room). Nobody else uses the store yet. What goes
// wrong here concerns caches alone: it is said, and the store opens.
func (s *Store) sweepCaches() {
	if s.db.IsReadOnly() {
		return
	}
	torn, err := s.sweepLayers()
	if err != nil {
		s.log.Error("the layers of caches cannot be looked through; see runner check", "directory", s.cacheDir, "error", err)
		return
	}
	lost, orphans, err := s.compareCaches(torn)
	if err != nil {
		s.log.Error("caches cannot be looked through; see runner check", "directory", s.cacheDir, "error", err)
		return
	}
	if len(lost) > 0 {
		s.log.Warn("caches are gone or cut from outside; they count as none", "directory", s.cacheDir, "caches", len(lost))
	}
	if len(lost) > 0 || s.hasDoomedCaches() {
		if err := s.dropCaches(context.Background(), lost...); err != nil {
			s.log.Warn("the remains of caches stay until the next start", "error", err)
		}
	}
	for _, id := range orphans {
		if err := os.Remove(s.cachePath(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.log.Warn("a file that is no cache stays", "error", err)
		}
	}
}

// compareCaches returns the caches whose file is not what was stored or that have a torn layer, and the files that belong
// to no cache.
func (s *Store) compareCaches(torn map[string]bool) (lost, orphans []string, err error) {
	files, err := s.cacheFiles()
	if err != nil {
		return nil, nil, err
	}
	err = s.eachCache(context.Background(), func(row *cacheRow) error {
		size, ok := files[row.ID]
		if len(row.Layers) > 0 {
			size, ok = row.Bytes, !slices.ContainsFunc(row.Layers, func(l cacheLayer) bool { return torn[l.ID] })
		}
		if !ok || size != row.Bytes {
			lost = append(lost, row.ID)
		}
		delete(files, row.ID)
		return nil
	})
	return lost, slices.Collect(maps.Keys(files)), err
}

func (s *Store) hasDoomedCaches() bool {
	rows, err := s.page(top(doomedCachesBucket), nil, 1)
	return err == nil && len(rows) > 0
}

// cacheID is what newCacheFile gives.
var cacheID = regexp.MustCompile(`^[a-z2-7]{26,}$`)

// cacheFiles returns the files that could be caches, by id, with their sizes.
func (s *Store) cacheFiles() (map[string]int64, error) {
	entries, err := os.ReadDir(s.cacheDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	files := map[string]int64{}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), cacheSuffix)
		if !ok || !e.Type().IsRegular() || !cacheID.MatchString(id) {
			continue
		}
		if info, err := e.Info(); err == nil {
			files[id] = info.Size()
		}
	}
	return files, nil
}
