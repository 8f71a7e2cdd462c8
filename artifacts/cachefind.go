package artifacts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	bolt "go.etcd.io/bbolt"
)

// maxFallback bounds how many fallback keys are looked at; CodeBuild takes five.
const maxFallback = 16

// FindCache looks for a cache of the given paths: for key in full in each scope in turn, then for each of fallback,
// in turn, as a prefix in each scope; of those that a prefix fits, the newest is meant. Without a key it is the newest
// of the first scope that has any, and fallback is passed over. When there is none, the error wraps fs.ErrNotExist.
func (s *Store) FindCache(scopes []string, key string, fallback []string, paths string) (CacheInfo, error) {
	var found *cacheRow
	err := s.view(func(tx *bolt.Tx) (err error) {
		found, err = findCache(tx, scopes, key, fallback[:min(len(fallback), maxFallback)], paths)
		return err
	})
	if err == nil && found == nil {
		err = fmt.Errorf("no cache for key %.100q in %.200q: %w", key, scopes, fs.ErrNotExist)
	}
	return found.public(), err
}

func findCache(tx *bolt.Tx, scopes []string, key string, fallback []string, paths string) (*cacheRow, error) {
	for _, scope := range scopes {
		meta := CacheMeta{Scope: scope, Key: key, Paths: paths}
		if err := meta.check(); err != nil {
			return nil, err
		}
		find := cacheByName
		if key == "" {
			find = newestCache
		}
		if row, err := find(tx, cacheName(meta)); err != nil || row != nil {
			return row, err
		}
	}
	if key == "" {
		return nil, nil
	}
	for _, prefix := range fallback {
		for _, scope := range scopes {
			meta := CacheMeta{Scope: scope, Key: prefix, Paths: paths}
			if meta.check() != nil || prefix == "" { // an empty one is a variable that was not set; it would fit them all
				continue
			}
			if row, err := newestCache(tx, cacheName(meta)); err != nil || row != nil {
				return row, err
			}
		}
	}
	return nil, nil
}

// newestCache returns the newest cache whose name begins with prefix, nil when there is none.
func newestCache(tx *bolt.Tx, prefix []byte) (*cacheRow, error) {
	var last uint64
	var newest string
	c := tx.Bucket(cacheNamesBucket).Cursor()
	for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		made, id, err := parseCacheName(v)
		if err != nil {
			return nil, err
		}
		if made > last {
			last, newest = made, id
		}
	}
	if newest == "" {
		return nil, nil
	}
	return readCache(tx, newest)
}

// Caches lists caches by id, as Sets does sets.
func (s *Store) Caches(cursor string, limit int) (page []CacheInfo, next string, err error) {
	next, err = s.list(cachesBucket, cursor, limit, func(id string, v []byte) error {
		row, err := parseCache(id, v)
		if err != nil {
			return err
		}
		page = append(page, row.public())
		return nil
	})
	if err != nil {
		return page, next, err
	}
	return page, next, s.view(func(tx *bolt.Tx) (err error) {
		for i := range page {
			if page[i].Earned, err = earned(tx, page[i].CacheMeta); err != nil {
				return err
			}
		}
		return nil
	})
}

// Cache tells of one cache. fs.ErrNotExist means that there is none of that id.
func (s *Store) Cache(id string) (info CacheInfo, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		row, err := readCache(tx, id)
		if err == nil {
			info = row.public()
		}
		return err
	})
	return info, err
}

// RemoveCache removes a cache; who has it open, reads it to its end. What caches like it earned is forgotten, and if that
// had turned them off, they are on again. Removing what is not there is no error.
func (s *Store) RemoveCache(ctx context.Context, id string) error {
	err := s.lane.write(ctx, func(tx *bolt.Tx) error {
		row, err := readCache(tx, id)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return forgetEarnings(tx, row.meta())
	})
	if err == nil {
		err = s.dropCaches(ctx, id)
	}
	if err != nil {
		return fmt.Errorf("removing cache %q: %w", id, err)
	}
	return nil
}

// dropCaches removes caches by their ids, in one transaction.
func (s *Store) dropCaches(ctx context.Context, ids ...string) error {
	err := s.lane.write(ctx, func(tx *bolt.Tx) error {
		for _, id := range ids {
			row, err := readCache(tx, id)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			if err := dropCache(tx, row); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.removeDoomedCaches(ctx)
	}
	return err
}

// eachCache calls fn with every cache, outside of any transaction.
func (s *Store) eachCache(ctx context.Context, fn func(row *cacheRow) error) error {
	return s.pages(ctx, top(cachesBucket), func(k, v []byte) error {
		row, err := parseCache(string(k), v)
		if err != nil {
			return err
		}
		return fn(row)
	})
}
