package artifacts

import (
	"fmt"
	"os"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// layers looks from each layer to its directory, which is measured, and to those who refer to it, and back.
func (c *checker) layers() error {
	err := c.s.eachLayer(c.ctx, func(row *layerRow) error {
		if err := c.layer(row); err != nil && c.s.has(layersBucket, []byte(row.ID)) {
			c.problem("layer %q of a cache: %v", row.ID, err)
		}
		return c.ctx.Err()
	})
	if err != nil {
		return err
	}
	err = c.each(checkRows, named(layerRefsBucket), func(tx *bolt.Tx, k, _ []byte) {
		id, by, _ := strings.Cut(string(k), "\x00")
		cache, ok := strings.CutPrefix(by, byCache)
		switch {
		case tx.Bucket(layersBucket).Get([]byte(id)) == nil:
			c.problem("%q refers to the layer %q, which there is none of", by, id)
		case ok && tx.Bucket(cachesBucket).Get([]byte(cache)) == nil:
			c.problem("layer %q is kept for the cache %q, which there is none of", id, cache)
		}
	})
	if err != nil {
		return err
	}
	dirs, err := c.s.layerDirs()
	if err != nil {
		return err
	}
	for id := range dirs {
		if _, gone := os.Lstat(c.s.LayerDir(id)); gone == nil && !c.s.has(layersBucket, []byte(id)) && !c.s.has(doomedCachesBucket, []byte(id)) {
			c.problem("directory %s belongs to no cache; the next start removes it", c.s.LayerDir(id))
		}
	}
	return nil
}

// layer looks at one layer.
func (c *checker) layer(row *layerRow) error {
	used := false
	err := c.s.view(func(tx *bolt.Tx) error {
		prefix := string(layerRef(row.ID, ""))
		k, _ := tx.Bucket(layerRefsBucket).Cursor().Seek([]byte(prefix))
		used = strings.HasPrefix(string(k), prefix)
		return nil
	})
	if err != nil || !row.Whole {
		return err
	}
	if !used {
		return fmt.Errorf("nothing refers to it")
	}
	bytes, files, err := countLayer(c.ctx, c.s.LayerDir(row.ID))
	if err == nil && (bytes != row.Bytes || files != row.Files) {
		err = fmt.Errorf("%d files of %d bytes are in it, %d of %d were stored; remove the caches that have it", files, bytes, row.Files, row.Bytes)
	}
	return err
}

// cacheLayers sees that a cache's layers are there, and know of it.
func (c *checker) cacheLayers(tx *bolt.Tx, row *cacheRow) error {
	for _, l := range row.Layers {
		switch {
		case tx.Bucket(layersBucket).Get([]byte(l.ID)) == nil:
			return fmt.Errorf("its layer %s is not there", l.ID)
		case tx.Bucket(layerRefsBucket).Get(layerRef(l.ID, byCache+row.ID)) == nil:
			return fmt.Errorf("its layer %s is not kept for it", l.ID)
		case !c.s.isLayer(l.ID):
			return fmt.Errorf("directory %s is gone", c.s.LayerDir(l.ID))
		}
	}
	return nil
}
