package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// sweepCaches removes what former processes left half written or half removed, files that no row names (the store is
// an older copy than they), and rows whose file is gone (someone made room). Nobody else uses the store yet.
func (s *Store) sweepCaches() error {
	if s.db.IsReadOnly() {
		return nil
	}
	files, err := s.cacheFiles()
	if err != nil {
		return fmt.Errorf("reading the directory of caches: %w", err)
	}
	var lost []string
	err = s.eachCache(context.Background(), func(row *cacheRow) error {
		if size, ok := files[row.ID]; !ok || size != row.Bytes {
			lost = append(lost, row.ID)
		}
		delete(files, row.ID)
		return nil
	})
	if err != nil {
		s.log.Error("the rows of caches are damaged; run runner check", "error", err)
		return nil // everything else can be used
	}
	if len(lost) > 0 {
		s.log.Warn("caches are gone or cut from outside; they count as none", "directory", s.cacheDir, "caches", len(lost))
	}
	if len(lost)+len(files) > 0 || s.hasDoomedCaches() {
		err = s.dropCaches(context.Background(), lost...)
	}
	for id := range files {
		if rerr := os.Remove(s.cachePath(id)); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
			s.log.Warn("a file that is no cache stays", "error", rerr)
		}
	}
	return err
}

func (s *Store) hasDoomedCaches() bool {
	rows, err := s.page(top(doomedCachesBucket), nil, 1)
	return err == nil && len(rows) > 0
}

// cacheFiles returns the files that could be caches, by id, with their sizes.
func (s *Store) cacheFiles() (map[string]int64, error) {
	entries, err := os.ReadDir(s.cacheDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	files := map[string]int64{}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), cacheSuffix)
		if !ok || !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil {
			files[id] = info.Size()
		}
	}
	return files, nil
}
