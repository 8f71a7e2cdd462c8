package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/runner-ci/runner/runner/wire"
)

// CheckSpoolName refuses what is not the name of a file directly in a spool directory.
func CheckSpoolName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
		return fmt.Errorf("spool file %q: expected a name without directories", name)
	}
	return nil
}

// PutBeneath writes size bytes of content to a file directly in dir, a directory that a hostile job may write to: it
// follows no link. One caller writes a file at a time. The file appears under its name whole or not at all, in place of a file that has the name. A
// directory of that name, which no agent makes, is an error.
func PutBeneath(ctx context.Context, dir, name string, content io.Reader, size int64) (err error) {
	if err := CheckSpoolName(name); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	part := wire.PartOf(name)
	if err := root.RemoveAll(part); err != nil { // of a daemon that died while it wrote
		return err
	}
	f, err := root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = root.Remove(part)
		}
	}()
	_, err = io.CopyN(f, Cancellable(ctx, content), size)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = root.Rename(part, name)
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = fmt.Errorf("the disk that holds %s is full, %d bytes are needed: %w", dir, size, err)
	}
	return err
}

// Cancellable is a reader that fails once ctx has ended.
func Cancellable(ctx context.Context, r io.Reader) io.Reader { return &cancellable{ctx, r} }

type cancellable struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancellable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
