package artifacts

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// A cache of whole directories can be a stack of layers: immutable directories below that of the caches, to be mounted as
// lower layers of an overlay, the newest above. Each has a row, which is committed before the directory is made, and is
// there for as long as somebody refers to it: caches that have it in their stack, sandboxes that may have it mounted.
// In a layer lies a tree for each overlay that it is for (LayerPart.Root), as the kernel left it in the upper layer of a
// sandbox: a whiteout is a character device 0:0, and marks are extended attributes that no job can set.

const (
	// squashDepth is how many layers a stack has before they are made one, if they can be.
	squashDepth = 8
	// maxDepth is how many are too many. They are made one at once or, where that cannot be, because directories in them
	// were renamed, count as no cache, so that the next job makes it anew.
	maxDepth = 16

	// Who refers to a layer, by the first letter of a reference.
	byCache   = "c/"
	bySandbox = "s/"
	bySquash  = "q/" // while it is being made
)

// cacheLayer is a layer of a cache's stack.
type cacheLayer struct {
	ID    string `json:"id"`
	Bytes int64  `json:"bytes"`
}

// layerRow is a row of layers.
type layerRow struct {
	ID      string      `json:"-"`
	Bytes   int64       `json:"bytes,omitempty"`
	Files   int64       `json:"files,omitempty"`
	Created int64       `json:"created"`         // Unix, ns
	Boot    string      `json:"boot,omitempty"`  // the machine's start in which it was made, until all of it is known to be on the disk
	Moved   bool        `json:"moved,omitempty"` // directories of it were renamed: their content is that of others in layers below
	Whole   bool        `json:"whole,omitempty"` // it is measured, and stays as it is
	Moves   []layerMove `json:"moves,omitempty"` // how it is made
}

// LayerHold is what a sandbox has of a cache of layers.
type LayerHold struct {
	Dirs   []string `json:"dirs"`             // of the cache, in the caller's words
	Cache  string   `json:"cache,omitempty"`  // that was found
	Key    []byte   `json:"key,omitempty"`    // its key
	Bytes  int64    `json:"bytes,omitempty"`  // of all layers
	Layers []string `json:"layers,omitempty"` // ids, the newest first
	Boot   string   `json:"boot,omitempty"`   // the machine's start in which it was given
}

// layerID is the id of the one layer that a sandbox makes.
func layerID(sandbox string) string {
	sum := sha256.Sum256([]byte("layer\x00" + sandbox))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))
}

// LayerDir is where a layer lies.
func (s *Store) LayerDir(id string) string { return filepath.Join(s.cacheDir, id) }

// HoldLayers has the layers of a cache stay for as long as a sandbox may have them mounted, until ReleaseLayers, and notes
// that the cache was used. With no cache it notes that the sandbox was given none. Doing it again answers what was
// answered first: that may be mounted. A cache of other directories, one that is gone or has too many layers, is an error
// that wraps fs.ErrNotExist.
func (s *Store) HoldLayers(ctx context.Context, sandbox, cache string, dirs []string) (hold LayerHold, err error) {
	err = s.lane.write(ctx, func(tx *bolt.Tx) error {
		if hold, err = readHold(tx, sandbox); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		hold = LayerHold{Dirs: dirs, Boot: bootID()}
		if cache != "" {
			if hold, err = s.holdCache(tx, cache, dirs); err != nil {
				return err
			}
		}
		for _, id := range hold.Layers {
			if err := tx.Bucket(layerRefsBucket).Put(layerRef(id, bySandbox+sandbox), nil); err != nil {
				return err
			}
		}
		v, err := json.Marshal(hold)
		if err != nil {
			return err
		}
		return tx.Bucket(layerHoldsBucket).Put([]byte(sandbox), v)
	})
	return hold, err
}

func (s *Store) holdCache(tx *bolt.Tx, cache string, dirs []string) (LayerHold, error) {
	row, err := readCache(tx, cache)
	if err != nil {
		return LayerHold{}, err
	}
	hold := LayerHold{Dirs: dirs, Cache: cache, Key: []byte(row.meta().Key), Bytes: row.Bytes, Boot: bootID()}
	if len(row.Layers) == 0 || len(row.Layers) >= maxDepth || !slices.Equal(row.Dirs, dirs) {
		return LayerHold{}, unknown("cache of these layers", cache)
	}
	for _, l := range row.Layers {
		if !s.isLayer(l.ID) {
			s.log.Warn("a layer of a cache is gone from outside; the cache counts as none", "directory", s.LayerDir(l.ID))
			return LayerHold{}, unknown("layer", l.ID)
		}
		hold.Layers = append(hold.Layers, l.ID)
	}
	return hold, s.markUsed(tx, row)
}

func (s *Store) isLayer(id string) bool {
	info, err := os.Lstat(s.LayerDir(id))
	return err == nil && info.IsDir()
}

// HeldLayers is what HoldLayers answered for a sandbox. The error wraps fs.ErrNotExist where there is nothing.
func (s *Store) HeldLayers(sandbox string) (hold LayerHold, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		hold, err = readHold(tx, sandbox)
		return err
	})
	return hold, err
}

func readHold(tx *bolt.Tx, sandbox string) (hold LayerHold, err error) {
	v := tx.Bucket(layerHoldsBucket).Get([]byte(sandbox))
	if v == nil {
		return hold, unknown("hold of layers by sandbox", sandbox)
	}
	if err := json.Unmarshal(v, &hold); err != nil {
		return hold, fmt.Errorf("%w: what sandbox %q has of a cache: %w", ErrDamaged, sandbox, err)
	}
	return hold, nil
}

// LayerHolders lists the sandboxes for which ReleaseLayers was not called yet.
func (s *Store) LayerHolders(ctx context.Context) (sandboxes []string, err error) {
	err = s.pages(ctx, top(layerHoldsBucket), func(k, _ []byte) error {
		sandboxes = append(sandboxes, string(k))
		return nil
	})
	return sandboxes, err
}

// ReleaseLayers is called when a sandbox is gone, with all that it had mounted. What nobody else refers to goes.
func (s *Store) ReleaseLayers(ctx context.Context, sandbox string) error {
	if _, err := s.HeldLayers(sandbox); errors.Is(err, fs.ErrNotExist) {
		return nil // most have none, and need no write
	}
	err := s.lane.write(ctx, func(tx *bolt.Tx) error {
		hold, err := readHold(tx, sandbox)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, id := range append(hold.Layers, layerID(sandbox)) {
			if err := unrefLayer(tx, id, bySandbox+sandbox); err != nil {
				return err
			}
		}
		return tx.Bucket(layerHoldsBucket).Delete([]byte(sandbox))
	})
	if err != nil {
		return fmt.Errorf("letting go of the cache of sandbox %s: %w", sandbox, err)
	}
	s.background.Go(func() { s.removeDoomedCaches(ctx) })
	return nil
}

// layerRef is a key of layerRefs.
func layerRef(id, by string) []byte { return []byte(id + "\x00" + by) }

// unrefLayer takes one reference to a layer away, and with the last one the layer, whose directory it leaves to
// removeDoomedCaches.
func unrefLayer(tx *bolt.Tx, id, by string) error {
	refs := tx.Bucket(layerRefsBucket)
	if err := refs.Delete(layerRef(id, by)); err != nil {
		return err
	}
	prefix := layerRef(id, "")
	if k, _ := refs.Cursor().Seek(prefix); strings.HasPrefix(string(k), string(prefix)) {
		return nil
	}
	if tx.Bucket(layersBucket).Get([]byte(id)) == nil {
		return nil
	}
	return errors.Join(tx.Bucket(layersBucket).Delete([]byte(id)), tx.Bucket(doomedCachesBucket).Put([]byte(id), []byte{}))
}

func readLayer(tx *bolt.Tx, id string) (*layerRow, error) {
	v := tx.Bucket(layersBucket).Get([]byte(id))
	if v == nil {
		return nil, unknown("layer", id)
	}
	return parseLayer(id, v)
}

func parseLayer(id string, v []byte) (*layerRow, error) {
	row := &layerRow{ID: id}
	if err := json.Unmarshal(v, row); err != nil {
		return nil, fmt.Errorf("%w: the row of layer %q: %w", ErrDamaged, id, err)
	}
	return row, nil
}

func putLayer(tx *bolt.Tx, row *layerRow) error {
	v, err := json.Marshal(row)
	if err != nil {
		return err
	}
	return tx.Bucket(layersBucket).Put([]byte(row.ID), v)
}
