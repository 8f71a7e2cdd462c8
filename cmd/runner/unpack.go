package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds the memory that an archive can ask of who unpacks it: eight times what a daemon compresses with.
const maxWindow = 8 << 20

// unpack writes a tar.zst below a directory, which it makes. What a build left is not to be trusted: nothing is
// written outside the directory, no link leads out of it, and no file is made that is more than a file.
func unpack(r io.Reader, dir string) (files int, bytes int64, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return 0, 0, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, 0, err
	}
	defer root.Close()
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return 0, 0, err
	}
	defer z.Close()
	t := tar.NewReader(z)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, bytes, nil
		}
		if err != nil {
			return files, bytes, err
		}
		n, err := unpackOne(root, h, t)
		if err != nil {
			return files, bytes, err
		}
		if h.Typeflag != tar.TypeDir {
			files++
		}
		bytes += n
	}
}

func unpackOne(root *os.Root, h *tar.Header, r io.Reader) (int64, error) {
	name := path.Clean(h.Name)
	if !filepath.IsLocal(name) {
		return 0, fmt.Errorf("%q leads out of the directory", h.Name)
	}
	if err := root.MkdirAll(path.Dir(name), 0o777); err != nil {
		return 0, err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return 0, root.MkdirAll(name, 0o777)
	case tar.TypeSymlink:
		if !stays(name, h.Linkname) {
			return 0, fmt.Errorf("the link %q leads out of the directory, to %q", h.Name, h.Linkname)
		}
		if err := replaceable(root, name); err != nil {
			return 0, err
		}
		return 0, root.Symlink(h.Linkname, name)
	case tar.TypeReg:
		return unpackFile(root, name, h, r)
	}
	return 0, fmt.Errorf("%q is neither file, directory nor symbolic link", h.Name)
}

// stays tells whether a symbolic link leads to a place below the directory, whatever other links there are: after a name,
// which may be a link itself, ".." leads nobody knows where.
func stays(name, target string) bool {
	if path.IsAbs(target) || !filepath.IsLocal(path.Join(path.Dir(name), target)) {
		return false
	}
	descended := false
	for part := range strings.SplitSeq(target, "/") {
		if part == ".." && descended {
			return false
		}
		descended = descended || part != ".." && part != "." && part != ""
	}
	return true
}

func unpackFile(root *os.Root, name string, h *tar.Header, r io.Reader) (int64, error) {
	if err := replaceable(root, name); err != nil {
		return 0, err
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fs.FileMode(h.Mode)&0o777|0o600)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err != nil {
		return n, err
	}
	if !h.ModTime.IsZero() {
		_ = root.Chtimes(name, h.ModTime, h.ModTime) // a courtesy: not every file system keeps it
	}
	return n, nil
}

// replaceable removes what an earlier fetch left under a name, so that nothing is written through it.
func replaceable(root *os.Root, name string) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
