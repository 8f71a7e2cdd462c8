//go:build linux

package agent

import (
	"archive/tar"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// defaultContextBytes bounds what images are built of where limits.disk does not.
const defaultContextBytes = 8 << 30

// contextPacker packs what images are built of. The repository's own .git stays out: its objects lie elsewhere, and its
// times would be in every image that copies all.
type contextPacker struct {
	*bundle
	top  string
	seen map[string]bool
}

// packContext leaves what images are built of in the spool. A failure of it is the job's.
func (p *phases) packContext(ctx context.Context) error {
	if len(p.job.Context) == 0 {
		return nil
	}
	b, err := newBundle(ctx, p.spool.dir, wire.ContextFile, "files for images")
	if err != nil {
		return err
	}
	b.raw, b.limit = true, p.job.Limits.FileBytes
	if b.limit <= 0 {
		b.limit = defaultContextBytes
	}
	c := &contextPacker{bundle: b, top: p.job.Dir, seen: map[string]bool{}}
	for _, rel := range p.job.Context {
		if err = c.add(rel); err != nil {
			break
		}
	}
	if errors.Is(err, errLimit) {
		err = mistake("what the images are built of is larger than limits.disk of %d bytes: name a smaller context, or raise the limit of the project", b.limit)
	}
	err = b.finish(err)
	var client *clientError
	if !errors.As(err, &client) {
		return err
	}
	message := p.log.masker.String("packing the files that images are built of: " + client.message)
	p.log.say("%s", message)
	p.fail(wire.Done{Reason: "image_context", Phase: wire.PhaseUpload, Message: message})
	return nil
}

// add packs a file, or a directory with all that is in it, behind the directories above it.
func (c *contextPacker) add(rel string) error {
	full := filepath.Join(c.top, rel)
	if real, err := filepath.EvalSymlinks(full); err != nil || real != full && !strings.HasPrefix(real, c.top+"/") {
		return mistake("%s is not there, or leads out of the source: it is named in x-runner.images, and must be there once POST_BUILD is over", rel)
	}
	for dir := filepath.Dir(rel); dir != "."; dir = filepath.Dir(dir) {
		if err := c.entry(filepath.Join(c.top, dir)); err != nil {
			return err
		}
	}
	if err := c.entry(full + ".dockerignore"); err != nil { // which belongs to a Dockerfile of that name
		return err
	}
	return filepath.WalkDir(full, func(at string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // it vanished meanwhile
		case err != nil:
			return mistake("%s cannot be read: %v", at, reason(err))
		case at == filepath.Join(c.top, ".git"):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		return c.entry(at)
	})
}

// entry packs one file, link or directory, once. Sockets, pipes and devices are in no image.
func (c *contextPacker) entry(full string) error {
	if err := context.Cause(c.ctx); err != nil {
		return err
	}
	name, err := filepath.Rel(c.top, full)
	if err != nil || name == "." || c.seen[name] {
		return nil
	}
	c.seen[name] = true
	if len(c.seen) > maxCacheEntries {
		return mistake("they are more than %d files: name a smaller context", maxCacheEntries)
	}
	info, err := os.Lstat(full)
	if err != nil {
		return nil // it vanished meanwhile
	}
	switch {
	case info.IsDir():
		return c.begin(&tar.Header{
			Typeflag: tar.TypeDir, Name: name + "/", Mode: int64(info.Mode().Perm()), ModTime: info.ModTime().Truncate(time.Second),
		})
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(full)
		if err != nil {
			return nil
		}
		return c.begin(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777})
	case !info.Mode().IsRegular():
		return nil
	}
	if err := c.regular(full, name, false); errors.Is(err, errShrunk) {
		return mistake("%s: %v", name, err)
	} else if err != nil {
		return err
	}
	return nil
}
