package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// soundWait bounds how long sound waits for another process to let go of a file.
const soundWait = 200 * time.Millisecond

// sound tells whether a database file can be opened without harm. bbolt maps the file: reading a page that the file
// lost ends the process, and so does a senseless page that a goroutine of its own meets. Where deep says so, every page is
// visited here first, where a panic can be caught.
func sound(path string, deep func(*bbolt.Tx) bool) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil // it will be made
	}
	if err != nil {
		return err
	}
	return guarded(path, func() error {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: soundWait})
		if errors.Is(err, berrors.ErrTimeout) {
			return nil // who opens it to work with it says who else does
		}
		if err != nil {
			return fmt.Errorf("%s cannot be read: %w; it is damaged, or no file of runner's: restore a backup, or move it away", path, err)
		}
		defer db.Close()
		return db.View(func(tx *bbolt.Tx) error {
			if info.Size() < tx.Size() {
				return fmt.Errorf("%s is damaged: it has %d bytes of %d; restore a backup", path, info.Size(), tx.Size())
			}
			if !deep(tx) {
				return nil
			}
			return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error { return visit(b) })
		})
	})
}

// Sound tells what is wrong with the outside of a database file of a stopped daemon: its size and its first pages. Check
// looks at all of it. A file that is not there is sound.
func Sound(path string) error { return sound(path, never) }

// Guarded calls what reads a database file, and returns its panic, which is how bbolt meets a damaged page, as an error.
func Guarded(path string, read func() error) error { return guarded(path, read) }

func always(*bbolt.Tx) bool { return true }
func never(*bbolt.Tx) bool  { return false }

func visit(b *bbolt.Bucket) error {
	return b.ForEach(func(k, v []byte) error {
		if sub := b.Bucket(k); v == nil && sub != nil {
			return visit(sub)
		}
		return nil
	})
}

// guarded turns a panic, which is how bbolt meets a damaged page, into an error.
func guarded(path string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s is damaged: %v; restore a backup", path, p)
		}
	}()
	return f()
}
