package daemon

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/runner-ci/runner/internal/failpoint"
)

// A backup is a tar: a header first, then the files of the data directory that cannot be made anew, then their checksums. A
// tar without the last is not whole.

// backupFormat is the version of all that. An older binary refuses a newer one.
const backupFormat = 1

const (
	backupHeader = "backup.json"
	backupSums   = "checksums.json"
	segmentsDir  = "artifacts.db.segments"
)

// BackupInfo is the header of a backup: whose it is.
type BackupInfo struct {
	Format   int       `json:"format"`
	Version  string    `json:"version"`  // of the binary that wrote it
	Instance string    `json:"instance"` // of the daemon
	Created  time.Time `json:"created"`
	Secrets  bool      `json:"secrets"` // whether there is a secret store in it, which needs its key
}

// BackupFile is one file of a backup.
type BackupFile struct {
	Name   string `json:"name"` // below the data directory
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// backup writes a backup while the daemon works. The state is copied first: what it names of logs and artifacts was stored
// before, so it is in the copies that follow. The databases are copied beside themselves, each in one read transaction that
// ends with the copying, so that no reader of the archive, however slow, holds a page; segments do not change, and are read
// where they are while nothing is freed.
func (p *parts) backup(ctx context.Context, version string, w io.Writer) error {
	if !p.backingUp.TryLock() {
		return errors.New("another backup is being written; wait for its end")
	}
	defer p.backingUp.Unlock()
	dir := p.layout.backup()
	if err := freshDir(dir); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	began := time.Now()
	info := BackupInfo{Format: backupFormat, Version: version, Instance: p.scheduler.Instance(), Created: began.UTC()}
	names := []string{"state.db", "tests.db", "access.db"}
	err := errors.Join(p.scheduler.CopyState(filepath.Join(dir, "state.db")), p.tests.CopyTo(filepath.Join(dir, "tests.db")), p.access.CopyTo(filepath.Join(dir, "access.db")))
	if err == nil && p.secrets != nil {
		info.Secrets, err = p.secrets.CopyTo(filepath.Join(dir, "secrets.db"))
	}
	if err != nil {
		return fmt.Errorf("copying the databases to %s: %w", dir, err)
	}
	if info.Secrets {
		names = append(names, "secrets.db")
	}
	return p.artifacts.Copy(ctx, filepath.Join(dir, "artifacts.db"), func(ctx context.Context, segments []string) error {
		failpoint.Pass("7/backup-copied")
		p.log.Info("a backup begins", "copied", time.Since(began).Round(time.Millisecond), "segments", len(segments))
		b := newBackupWriter(w)
		b.json(backupHeader, info)
		for _, name := range append(names, "artifacts.db") {
			b.file(ctx, name, filepath.Join(dir, name))
		}
		for _, segment := range segments {
			b.file(ctx, path.Join(segmentsDir, filepath.Base(segment)), segment)
		}
		return b.end()
	})
}

// freshDir makes an empty directory of our own.
func freshDir(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("clearing %s: %w", dir, err)
	}
	return os.MkdirAll(dir, 0o700)
}

// backupWriter writes the tar, and keeps the first error.
type backupWriter struct {
	tar  *tar.Writer
	sums []BackupFile
	now  time.Time
	err  error
}

func newBackupWriter(w io.Writer) *backupWriter {
	return &backupWriter{tar: tar.NewWriter(w), now: time.Now().Truncate(time.Second)}
}

func (b *backupWriter) json(name string, v any) {
	text, err := json.MarshalIndent(v, "", "  ")
	if b.err = errors.Join(b.err, err); b.err == nil {
		b.entry(name, int64(len(text)), func(w io.Writer) error { _, err := w.Write(text); return err })
	}
}

func (b *backupWriter) file(ctx context.Context, name, from string) {
	if b.err = errors.Join(b.err, ctx.Err()); b.err != nil {
		return
	}
	f, err := os.Open(from)
	if err != nil {
		b.err = err
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		b.err = err
		return
	}
	b.entry(name, info.Size(), func(w io.Writer) error { _, err := io.CopyN(w, f, info.Size()); return err })
}

func (b *backupWriter) entry(name string, size int64, write func(io.Writer) error) {
	sum := sha256.New()
	b.err = b.tar.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: b.now, Format: tar.FormatPAX})
	if b.err == nil {
		b.err = write(io.MultiWriter(b.tar, sum))
	}
	if b.err != nil {
		b.err = fmt.Errorf("writing %s into the backup: %w", name, b.err)
	}
	b.sums = append(b.sums, BackupFile{name, size, hex.EncodeToString(sum.Sum(nil))})
}

func (b *backupWriter) end() error {
	b.json(backupSums, b.sums)
	if b.err != nil {
		return b.err
	}
	return b.tar.Close()
}
