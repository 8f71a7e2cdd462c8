package docker

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
)

// An image that this daemon had the engine pull, and that was not there before, has a file of its own: made before the
// pull, touched with each use, removed after the image. No other image is ever removed.

// pulled is what such a file says.
type pulled struct {
	Engine string `json:"engine"`
	Ref    string `json:"ref"`
}

func (e *Engine) pulledDir() string { return filepath.Join(e.opts.DataDir, "pulled") }

func (e *Engine) pulledFile(ref string) string {
	sum := sha256.Sum256([]byte(e.opts.Engine + "\x00" + ref))
	return filepath.Join(e.pulledDir(), hex.EncodeToString(sum[:16])+".json")
}

// recordPull notes that an image is about to be pulled, unless somebody has it there already.
func (e *Engine) recordPull(ctx context.Context, ref string) error {
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := e.api.ImageInspect(short, ref); !cerrdefs.IsNotFound(err) {
		return nil // it is there, or a pull will tell what is wrong
	}
	text, err := json.Marshal(pulled{Engine: e.opts.Engine, Ref: ref})
	if err == nil {
		err = os.MkdirAll(e.pulledDir(), 0o700)
	}
	if err == nil {
		err = os.WriteFile(e.pulledFile(ref), text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("noting that %s is pulled: %w", ref, err)
	}
	return nil
}

// usedPull notes that an image is used, if it is one that was pulled here.
func (e *Engine) usedPull(ref string) {
	now := time.Now()
	_ = os.Chtimes(e.pulledFile(ref), now, now)
}

// EvictImages removes images that this daemon pulled, the longest unused first, until enough says that there is room: those
// that no build needs (needed tells by the image's id), that were not used for age, and that no container has. It returns
// the references of those that are gone.
func (e *Engine) EvictImages(ctx context.Context, age time.Duration, needed func(id string) bool, enough func() bool) (gone []string, err error) {
	entries, err := os.ReadDir(e.pulledDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	type file struct {
		path string
		used time.Time
	}
	var files []file
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && strings.HasSuffix(entry.Name(), ".json") && time.Since(info.ModTime()) >= age {
			files = append(files, file{filepath.Join(e.pulledDir(), entry.Name()), info.ModTime()})
		}
	}
	slices.SortFunc(files, func(a, b file) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.path, b.path)) })
	errs := []error{err}
	for _, f := range files {
		if ctx.Err() != nil || enough() {
			break
		}
		ref, err := e.evictImage(ctx, f.path, needed)
		if ref != "" {
			gone = append(gone, ref)
		}
		errs = append(errs, err)
	}
	return gone, errors.Join(errs...)
}

// evictImage removes the image of one record, and returns its reference if it is gone by that.
func (e *Engine) evictImage(ctx context.Context, path string, needed func(id string) bool) (string, error) {
	var p pulled
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil || p.Engine != e.opts.Engine {
		return "", err
	}
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in, err := e.api.ImageInspect(short, p.Ref)
	switch {
	case cerrdefs.IsNotFound(err):
		return "", os.Remove(path) // somebody else removed it
	case err != nil:
		return "", e.fail(ctx, "looking at image "+p.Ref, err)
	case needed(in.ID):
		return "", nil
	}
	_, err = e.api.ImageRemove(short, p.Ref, image.RemoveOptions{PruneChildren: true}) // without force: not one that a container has
	switch {
	case cerrdefs.IsConflict(err):
		return "", nil
	case err != nil && !cerrdefs.IsNotFound(err):
		return "", e.fail(ctx, "removing image "+p.Ref, err)
	}
	return p.Ref, os.Remove(path)
}

// Root is the engine's own directory where it is on this machine; "" where that is not known, or elsewhere.
func (e *Engine) Root(ctx context.Context) string {
	f, err := e.engineFacts(ctx)
	if err != nil || !e.local() || !isDir(f.root) {
		return ""
	}
	return f.root
}
