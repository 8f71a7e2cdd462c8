package daemon

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
)

// errRestoring keeps a daemon from a directory in which a restore has not come to its end.
var errRestoring = errors.New("a restore into it was not finished; run runner restore again")

// restorable are the files of a data directory that say nothing of former builds.
var restorable = []string{"lock", "reserve", "reserve.last"}

// Restore lays a backup out in the data directory of a daemon that has none yet. Everything is checked in a directory beside
// before the first file gets its place, the state last: what was cut off can be done again, and no daemon starts meanwhile.
func Restore(cfg *config.Config, r io.Reader, log *slog.Logger) (info BackupInfo, files []BackupFile, err error) {
	l := serveLayout(cfg)
	if err := os.MkdirAll(l.data, 0o711); err != nil {
		return info, nil, fmt.Errorf("making the data directory: %w", err)
	}
	unlock, err := lockDir(l.data)
	if err != nil {
		return info, nil, err
	}
	defer unlock()
	if err := emptyForRestore(l); err != nil {
		return info, nil, err
	}
	if err := freshDir(l.restoring()); err != nil {
		return info, nil, err
	}
	info, files, err = readBackup(r, func(name string, size int64, content io.Reader) error {
		return writeSynced(filepath.Join(l.restoring(), filepath.FromSlash(name)), size, content)
	})
	if err == nil {
		err = openRestored(cfg, layout{data: l.restoring()}, log)
	}
	if err != nil {
		return info, nil, errors.Join(err, os.RemoveAll(l.restoring()))
	}
	return info, files, place(l)
}

// emptyForRestore refuses a directory with anybody's builds in it, and clears what a restore left that was cut off.
func emptyForRestore(l layout) error {
	_, err := os.Lstat(l.restoring())
	cutOff := err == nil
	entries, err := os.ReadDir(l.data)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		placed := name == segmentsDir || backupNames.MatchString(name)
		switch {
		case slices.Contains(restorable, name) || filepath.Join(l.data, name) == l.restoring():
		case cutOff && placed:
			if err := os.RemoveAll(filepath.Join(l.data, name)); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s is not empty: it holds %s; a backup is restored into an empty directory: move this one away, or name another with --data", l.data, name)
		}
	}
	return nil
}

func writeSynced(path string, size int64, content io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err = fits(filepath.Dir(path), size); err == nil {
		_, err = io.CopyN(f, content, size)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// restoreFloor is what a restore leaves free on the disk, in bytes, whatever the archive claims to hold.
const restoreFloor = 256 << 20

// fits refuses a file for which there is no room before its first byte is written: an archive that is a few bytes on its own disk
// may say that it holds terabytes of zeros.
func fits(dir string, size int64) error {
	free, err := freeBytes(dir)
	if err != nil {
		return err
	}
	if room := max(0, int64(min(free, 1<<62))-restoreFloor); size > room {
		return fmt.Errorf("it has %d bytes, and the disk of %s has room for %d, with %d kept free: make room, or name another directory with --data", size, dir, room, restoreFloor)
	}
	return nil
}

// openRestored opens what was laid out, as a start would: a file that is damaged or too new is told of now. Of caches, which
// are in no backup, the store forgets the records.
func openRestored(cfg *config.Config, l layout, log *slog.Logger) error {
	for _, path := range []string{l.state(), l.blobs(), l.tests(), l.secrets(), l.access()} {
		if err := sound(path, always); err != nil {
			return err
		}
	}
	s, err := scheduler.Open(l.state(), cfg, log)
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	blobs, err := artifacts.Open(l.blobs(), artifacts.Options{Logger: log})
	if err != nil {
		return err
	}
	return blobs.Close()
}

// place gives everything its place, the state last, and then removes what kept daemons away.
func place(l layout) error {
	for _, name := range []string{segmentsDir, "artifacts.db", "tests.db", "secrets.db", "access.db", "state.db"} {
		err := os.Rename(filepath.Join(l.restoring(), name), filepath.Join(l.data, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("giving the restored files their place: %w; run runner restore again", err)
		}
	}
	if err := syncDir(l.data); err != nil {
		return err
	}
	if err := os.RemoveAll(l.restoring()); err != nil {
		return err
	}
	return syncDir(l.data)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
