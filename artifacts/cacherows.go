package artifacts

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// cacheRow is a row of caches. Its name is not in it: a key can be bytes that JSON cannot hold.
type cacheRow struct {
	ID      string `json:"-"`
	Name    []byte `json:"name"` // as in cacheNames
	Bytes   int64  `json:"bytes"`
	SHA     []byte `json:"sha256"`
	Created int64  `json:"created"` // Unix, ns
	Used    int64  `json:"used"`
	Turn    uint64 `json:"turn"` // grows with each use: the least recently used has the smallest
	Hits    int64  `json:"hits,omitempty"`

	Layers []cacheLayer `json:"layers,omitempty"` // the newest first; a cache without is a tar
	Dirs   []string     `json:"dirs,omitempty"`   // whose content is in the layers
	made   *layerRow    // the newest one, until it is committed with the cache
}

// newCacheID is the id of a cache, or of a layer that no sandbox made.
func newCacheID() string { return strings.ToLower(rand.Text()) }

// cacheName is the key of cacheNames: the parts hold no NUL, and those of one scope and paths lie side by side.
func cacheName(m CacheMeta) []byte {
	return slices.Concat([]byte(m.Scope), []byte{0}, []byte(m.Paths), []byte{0}, []byte(m.Key))
}

func (row *cacheRow) meta() CacheMeta {
	parts := append(bytes.SplitN(row.Name, []byte{0}, 3), nil, nil, nil)
	return CacheMeta{Scope: string(parts[0]), Paths: string(parts[1]), Key: string(parts[2])}
}

// public of no row is no cache.
func (row *cacheRow) public() CacheInfo {
	if row == nil {
		return CacheInfo{}
	}
	return CacheInfo{
		CacheMeta: row.meta(), ID: row.ID, Bytes: row.Bytes, SHA256: hex.EncodeToString(row.SHA), Hits: row.Hits,
		Layers:  len(row.Layers),
		Created: time.Unix(0, row.Created).UTC(), Used: time.Unix(0, row.Used).UTC(),
	}
}

func parseCache(id string, v []byte) (*cacheRow, error) {
	row := &cacheRow{ID: id}
	if err := json.Unmarshal(v, row); err != nil {
		return nil, fmt.Errorf("%w: the row of cache %q: %w", ErrDamaged, id, err)
	}
	if bytes.Count(row.Name, []byte{0}) != 2 || row.Bytes < 0 {
		return nil, fmt.Errorf("%w: the row of cache %q does not add up", ErrDamaged, id)
	}
	return row, nil
}

func readCache(tx *bolt.Tx, id string) (*cacheRow, error) {
	v := tx.Bucket(cachesBucket).Get([]byte(id))
	if v == nil {
		return nil, unknown("cache", id)
	}
	return parseCache(id, v)
}

func putCacheRow(tx *bolt.Tx, row *cacheRow) error {
	v, err := json.Marshal(row)
	if err != nil {
		return err
	}
	return tx.Bucket(cachesBucket).Put([]byte(row.ID), v)
}

// cacheByName returns nil when there is none.
func cacheByName(tx *bolt.Tx, name []byte) (*cacheRow, error) {
	v := tx.Bucket(cacheNamesBucket).Get(name)
	if v == nil {
		return nil, nil
	}
	_, id, err := parseCacheName(v)
	if err != nil {
		return nil, err
	}
	return readCache(tx, id)
}

// parseCacheName reads a value of cacheNames: when the cache was made, in numbers that grow, and its id.
func parseCacheName(v []byte) (made uint64, id string, err error) {
	if len(v) <= 8 {
		return 0, "", fmt.Errorf("%w: the name of a cache leads to %x", ErrDamaged, v)
	}
	made, _ = number(v[:8])
	return made, string(v[8:]), nil
}

// dropCache takes a cache's row and name away, and leaves its file or its layers to removeDoomedCaches.
func dropCache(tx *bolt.Tx, row *cacheRow) error {
	names := tx.Bucket(cacheNamesBucket)
	if _, id, err := parseCacheName(names.Get(row.Name)); err == nil && id == row.ID {
		if err := names.Delete(row.Name); err != nil {
			return err
		}
	}
	for _, l := range row.Layers {
		if err := unrefLayer(tx, l.ID, byCache+row.ID); err != nil {
			return err
		}
	}
	if len(row.Layers) == 0 {
		if err := tx.Bucket(doomedCachesBucket).Put([]byte(row.ID), []byte{}); err != nil {
			return err
		}
	}
	return tx.Bucket(cachesBucket).Delete([]byte(row.ID))
}
