package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/runner-ci/runner/runner/agent/sniff"
	"github.com/runner-ci/runner/runner/wire"
)

// keptReportsDir begins the names of directories, one a call, in which reports are kept that later runs write over:
// <name of the run>/<name below the source directory>. By the name of the run the daemon knows what is of a later try.
const keptReportsDir = "kept-"

// keepTime bounds the looking for reports between two runs, keepSlack how much files may seem older than they are.
const (
	keepTime  = 5 * time.Second
	keepSlack = time.Second
)

// undiscovered are directories in which reports are those of others: dependencies and their fixtures.
var undiscovered = map[string]bool{
	".git": true, "node_modules": true, "vendor": true, ".venv": true, "venv": true, "site-packages": true,
}

// reportKeeper keeps the reports of a run of the test command before the next one: test commands name one file, and
// write it anew each time.
type reportKeeper struct {
	from, to string // the source directory, and where the copies go; to is made for the first one
	since    time.Time
	seen     map[string]fileStamp
	bytes    int64
	files    int
}

// fileStamp tells one writing of a file from another.
type fileStamp struct {
	size    int64
	written time.Time
}

func stampOf(info fs.FileInfo) fileStamp { return fileStamp{info.Size(), info.ModTime()} }

var (
	errKeepTime = errors.New("looking for them took too long")
	errKeepMuch = fmt.Errorf("they are more than %d files or %d bytes", wire.MaxReportFiles, int64(wire.DefaultReportBytes))
)

// keep copies what looks like a report and was written since the last time. What it cannot keep is told; tests are more
// important than their report.
func (k *reportKeeper) keep(run string) error {
	since, end := k.since.Add(-keepSlack), time.Now().Add(keepTime)
	k.since = time.Now()
	if k.seen == nil {
		k.seen = make(map[string]fileStamp)
	}
	return filepath.WalkDir(k.from, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case time.Now().After(end):
			return errKeepTime
		case err != nil:
			return nil // gone meanwhile, or nobody's to read
		case entry.IsDir() && undiscovered[entry.Name()]:
			return fs.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		info, err := entry.Info()
		if err != nil || info.ModTime().Before(since) || k.seen[path] == stampOf(info) {
			return nil
		}
		return k.copy(path, run)
	})
}

// copy keeps one file if it looks like a report.
func (k *reportKeeper) copy(path, run string) error {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	head := make([]byte, sniff.Size)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) || sniff.Format(head[:n]) == "" {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	if k.files, k.bytes = k.files+1, k.bytes+info.Size(); k.files > wire.MaxReportFiles || k.bytes > wire.DefaultReportBytes {
		return errKeepMuch
	}
	k.seen[path] = stampOf(info)
	return k.write(f, path, run, info)
}

func (k *reportKeeper) write(f *os.File, path, run string, info fs.FileInfo) error {
	name, err := filepath.Rel(k.from, path)
	if err != nil {
		return err
	}
	if err := k.open(); err != nil {
		return err
	}
	to := filepath.Join(k.to, run, name)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Seek(0, io.SeekStart); err == nil {
		_, err = io.Copy(out, io.LimitReader(f, info.Size()))
	}
	return errors.Join(err, out.Close(), os.Chtimes(to, time.Time{}, info.ModTime()))
}

// open makes the directory of the copies.
func (k *reportKeeper) open() (err error) {
	if filepath.Base(k.to) == goReportsDir {
		k.to, err = os.MkdirTemp(k.to, keptReportsDir)
	}
	return err
}
