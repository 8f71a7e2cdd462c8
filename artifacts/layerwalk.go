package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxLayerFiles bounds what one layer holds: each entry takes room on the disk, whatever is in it.
const maxLayerFiles = 1 << 20

// measured is what a layer holds.
type measured struct {
	bytes, files int64 // a file that has several names counts once for each
	limit        int64 // of bytes
	moved        bool
}

// measureLayer looks at all that is in a layer which a sandbox filled. What a tar would not have brought, goes: devices,
// sockets, pipes, the right to become another user. What only the sandbox's own overlay can make sense of is an error, and so
// are more than limit bytes.
func measureLayer(dir string, parts []LayerPart, limit int64) (m measured, err error) {
	m.limit = limit
	err = filepath.WalkDir(dir, func(full string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, full)
		if err != nil || rel == "." {
			return err
		}
		root, below, _ := strings.Cut(rel, "/")
		return m.add(full, root, below, e, parts)
	})
	if errors.Is(err, unix.ENAMETOOLONG) { // the error would repeat all of the path, and that of the host
		err = fmt.Errorf("its directories lie too deep in each other: a path has more than %d bytes", unix.PathMax)
	}
	return m, err
}

func (m *measured) add(full, root, below string, e fs.DirEntry, parts []LayerPart) error {
	if m.files++; m.files > maxLayerFiles {
		return fmt.Errorf("it holds more than %d new or changed files: name fewer in cache.paths: %w", maxLayerFiles, ErrLimit)
	}
	info, err := e.Info()
	if err != nil {
		return err
	}
	switch {
	case isWhiteout(info) || info.Mode()&fs.ModeSymlink != 0:
		return nil
	case !info.IsDir() && !info.Mode().IsRegular():
		m.files--
		return os.Remove(full)
	}
	if info.Mode().IsRegular() {
		if info.Size() > m.limit-m.bytes { // sparse files can have more bytes together than a number holds
			return tooLarge(m.limit)
		}
		m.bytes += info.Size()
	}
	if info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
		if err := os.Chmod(full, info.Mode()&(fs.ModePerm|fs.ModeSticky)); err != nil {
			return err
		}
	}
	marks, err := marksOf(full)
	switch {
	case err != nil:
		return err
	case marks[metacopyMark]:
		return fmt.Errorf("%s: %w", below, errMovedIn)
	case marks[capability]:
		if err := unix.Lremovexattr(full, capability); err != nil {
			return pathErr("taking capabilities from", full, err)
		}
	}
	if !marks[redirectMark] {
		return nil
	}
	m.moved = true
	return checkRedirect(full, root, below, parts)
}

// isWhiteout tells whether a file says that one of its name in layers below is gone.
func isWhiteout(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode()&fs.ModeCharDevice != 0 && st.Rdev == 0
}

// checkRedirect sees that a renamed directory has the rest of its content in the cache too: within one of its parts of the
// same overlay.
func checkRedirect(full, root, below string, parts []LayerPart) error {
	buf := make([]byte, 4<<10)
	n, err := unix.Lgetxattr(full, redirectMark, buf)
	if err != nil {
		return pathErr("reading where it was moved from:", full, err)
	}
	from := string(buf[:n])
	if !strings.HasPrefix(from, "/") {
		from = "/" + path.Join(path.Dir(below), from)
	}
	for _, p := range parts {
		if p.Root == root && (p.Path == "." || strings.HasPrefix(path.Clean(from), "/"+p.Path+"/")) {
			return nil
		}
	}
	return fmt.Errorf("%s: %w", below, errMovedIn)
}

// countLayer counts what is in a layer, as measureLayer did.
func countLayer(ctx context.Context, dir string) (bytes, files int64, err error) {
	err = filepath.WalkDir(dir, func(full string, e fs.DirEntry, err error) error {
		if err != nil || full == dir {
			return err
		}
		files++
		if e.Type().IsRegular() {
			info, err := e.Info()
			if err != nil {
				return err
			}
			bytes += info.Size()
		}
		return ctx.Err()
	})
	return bytes, files, err
}
