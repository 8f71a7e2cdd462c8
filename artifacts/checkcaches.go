package artifacts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"
)

// caches looks from each cache to its name and its file, which is read, and back from each name and file.
func (c *checker) caches() error {
	files, err := c.s.cacheFiles()
	if err != nil {
		return err
	}
	err = c.s.pages(c.ctx, top(cachesBucket), func(k, v []byte) error {
		delete(files, string(k))
		row, err := parseCache(string(k), v)
		if err == nil {
			err = c.cache(row)
		}
		if err != nil && c.s.has(cachesBucket, k) { // it may have been evicted while we looked
			c.problem("cache %q: %v", k, err)
		}
		return c.ctx.Err()
	})
	err = errors.Join(err, c.each(checkRows, named(cacheNamesBucket), func(tx *bolt.Tx, k, v []byte) {
		_, id, err := parseCacheName(v)
		var row *cacheRow
		if err == nil {
			row, err = readCache(tx, id)
		}
		if err != nil || string(row.Name) != string(k) {
			c.problem("the name %.200q leads to no cache of that name", k)
		}
	}))
	for id := range files {
		if _, gone := os.Lstat(c.s.cachePath(id)); gone == nil && !c.s.has(cachesBucket, []byte(id)) && !c.s.has(doomedCachesBucket, []byte(id)) {
			c.problem("file %s belongs to no cache; the next start removes it", c.s.cachePath(id))
		}
	}
	return err
}

// cache looks at one cache, and reads its file.
func (c *checker) cache(row *cacheRow) error {
	var named bool
	err := c.s.view(func(tx *bolt.Tx) error {
		_, id, err := parseCacheName(tx.Bucket(cacheNamesBucket).Get(row.Name))
		named = err == nil && id == row.ID
		return c.cacheLayers(tx, row)
	})
	if err == nil && !named {
		err = errors.New("its name does not lead to it")
	}
	if err != nil || len(row.Layers) > 0 {
		return err
	}
	f, err := c.s.openCacheFile(row)
	if err != nil {
		return err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, &contextReader{ctx: c.ctx, r: f}); err != nil {
		return fmt.Errorf("reading %s: %w", f.Name(), err)
	}
	if !bytes.Equal(hash.Sum(nil), row.SHA) {
		return fmt.Errorf("the content of %s is not what its hash says; remove the file", f.Name())
	}
	return nil
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
