//go:build linux

package agent

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/runner-ci/runner/runner/agent/glob"
	"github.com/runner-ci/runner/runner/wire"
)

// maxCacheEntries bounds what a cache may hold: each entry takes at least 512 bytes, whatever is in it.
const maxCacheEntries = 1 << 20

// defaultCacheBytes is what the daemon takes when the job names no limit.
const defaultCacheBytes = 8 << 30

// cachePacker packs what the paths of a cache name.
type cachePacker struct {
	*bundle
	say     func(format string, args ...any)
	not     []string // directories that are in no cache
	dirs    map[string]bool
	entries int
	skipped int
}

// packCache writes the cache into the spool's directory. It returns nil without an error when there is nothing.
func (p *phases) packCache(ctx context.Context, plan *cachePlan) (*wire.Cache, error) {
	b, err := newBundle(ctx, p.spool.dir, wire.CacheFile, "cache")
	if err != nil {
		return nil, err
	}
	b.raw, b.limit = true, p.job.Limits.CacheBytes
	if b.limit <= 0 {
		b.limit = defaultCacheBytes
	}
	c := &cachePacker{bundle: b, say: p.log.say, not: p.uncached(), dirs: map[string]bool{}}
	for _, root := range plan.roots {
		if err = c.pack(root); err != nil {
			break
		}
	}
	if err == nil && c.entries == 0 {
		err = errNothing
	}
	if errors.Is(err, errLimit) {
		err = fmt.Errorf("it would be larger than the limit of %d bytes: name fewer files in cache.paths, or raise the project's limit", b.limit)
	}
	if err = b.finish(err); errors.Is(err, errNothing) {
		p.log.say("The cache is not saved: none of its paths is there")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if c.skipped > 0 {
		p.log.say("%d file(s) were left out of the cache: sockets, devices, or such that cannot be read", c.skipped)
	}
	return &wire.Cache{File: wire.CacheFile, Key: plan.key, Paths: plan.version, Files: b.files, Bytes: b.total}, nil
}

// errNothing is the end of a cache that nothing went into.
var errNothing = errors.New("nothing to keep")

// uncached returns the directories that no cache holds: the kernel's, the record, and what the agent keeps while the
// job runs, such as the shell's state, in which there are secrets.
func (p *phases) uncached() []string {
	return []string{"/proc", "/sys", filepath.Clean(p.spool.dir.Name()), filepath.Dir(p.shell.home)}
}

// pack adds what matches below one root. A directory that matches is taken with all that is in it.
func (c *cachePacker) pack(root *cacheRoot) error {
	if len(root.patterns) == 0 {
		return nil
	}
	hit := make([]bool, len(root.patterns))
	whole := map[string]bool{}
	opts := glob.Options{All: true, Tolerant: true, Skip: func(dir string) bool {
		return whole[dir] || c.excluded(filepath.Join(root.dir, dir))
	}}
	err := glob.Walk(root.dir, root.patterns, opts, func(f glob.Found) error {
		for _, i := range f.Patterns {
			hit[i] = true
		}
		if !f.Type.IsDir() {
			return c.entry(root, f.Name)
		}
		whole[f.Name] = true
		return c.tree(root, f.Name)
	})
	for i, text := range root.texts {
		if err == nil && !hit[i] {
			c.say("Nothing to cache at %s", text)
		}
	}
	return err
}

func (c *cachePacker) excluded(full string) bool {
	for _, dir := range c.not {
		if _, ok := within(dir, full); ok {
			return true
		}
	}
	return false
}

// tree adds a directory and all that is in it.
func (c *cachePacker) tree(root *cacheRoot, rel string) error {
	top := filepath.Join(root.dir, rel)
	return filepath.WalkDir(top, func(full string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // it vanished meanwhile
		case err != nil:
			c.skipped++
			return nil
		case c.excluded(full):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		below, _ := within(root.dir, full)
		return c.entry(root, below)
	})
}

// entry adds one file, link or directory, behind the directories above it.
func (c *cachePacker) entry(root *cacheRoot, rel string) error {
	if err := context.Cause(c.ctx); err != nil {
		return err
	}
	if err := c.above(root, rel); err != nil {
		return err
	}
	full, name := filepath.Join(root.dir, rel), root.name+"/"+filepath.ToSlash(rel)
	info, err := os.Lstat(full)
	if err != nil {
		return nil // it vanished meanwhile
	}
	if c.entries++; c.entries > maxCacheEntries {
		return fmt.Errorf("it holds more than %d files: name fewer in cache.paths", maxCacheEntries)
	}
	switch {
	case info.IsDir():
		return c.directory(name, info)
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(full)
		if err != nil {
			return nil
		}
		hdr := &tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}
		own(hdr, info)
		return c.begin(hdr)
	case !info.Mode().IsRegular():
		c.skipped++
		return nil
	}
	return c.file(full, name)
}

func (c *cachePacker) file(full, name string) error {
	err := c.regular(full, name, true)
	var client *clientError
	switch {
	case errors.Is(err, errShrunk):
		return fmt.Errorf("%s: %w", full, err)
	case errors.As(err, &client) && !c.broken:
		c.skipped++
		return nil
	}
	return err
}

// above adds the directories that lead to a path, once each.
func (c *cachePacker) above(root *cacheRoot, rel string) error {
	dir := path.Dir(rel)
	if dir == "." || c.dirs[root.name+"/"+dir] {
		return nil
	}
	if err := c.above(root, dir); err != nil {
		return err
	}
	info, err := os.Lstat(filepath.Join(root.dir, dir))
	if err != nil {
		return nil
	}
	return c.directory(root.name+"/"+dir, info)
}

func (c *cachePacker) directory(name string, info fs.FileInfo) error {
	if c.dirs[name] {
		return nil
	}
	c.dirs[name] = true
	hdr := &tar.Header{
		Typeflag: tar.TypeDir, Name: name + "/", Mode: int64(info.Mode().Perm()), ModTime: info.ModTime().Truncate(time.Second),
	}
	own(hdr, info)
	return c.begin(hdr)
}
