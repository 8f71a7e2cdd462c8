package worktree

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// memory is what a submit leaves to the next one of the same working tree, in a directory of the user's cache: the copy of
// the index that it worked with, in which the state of dirty and untracked files stands as well, so that they are read again
// only when they change; and the commits that it sent, of which the daemon may have kept what no branch has. All of it can
// be removed at any time. A nil memory forgets everything.
type memory struct{ dir string }

const (
	// indexAge bounds how long an index stands for objects that no ref names: git gc removes them after two weeks.
	indexAge = 7 * 24 * time.Hour
	// memoryAge is how long the memory of a working tree that nobody submits any more is kept.
	memoryAge = 60 * 24 * time.Hour
	// lastSent is how many sent commits are remembered.
	lastSent = 4
)

var errNoMemory = errors.New("nothing is remembered")

// rememberIn returns the memory of the working tree that an index belongs to; nil where the cache cannot be had.
func rememberIn(cache, index string) *memory {
	if cache == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(index))
	m := &memory{dir: filepath.Join(cache, hex.EncodeToString(sum[:16]))}
	if os.MkdirAll(m.dir, 0o700) != nil {
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(m.dir, now, now)
	forgetOld(cache, now.Add(-memoryAge))
	return m
}

// forgetOld removes the memories of working trees that were not submitted since.
func forgetOld(cache string, since time.Time) {
	entries, _ := os.ReadDir(cache)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.IsDir() && info.ModTime().Before(since) {
			_ = os.RemoveAll(filepath.Join(cache, e.Name()))
		}
	}
}

// workingIndex is a copy of the user's index to work with.
type workingIndex struct {
	path  string
	used  string // what is kept of it is called, "" when nothing is
	warm  bool   // it is that of the last submit
	clean func()
}

// index makes a copy of the user's index: that of the last submit if the user's did not change since, else the user's own.
// Taking the former is a rename, so that of two submits at once one has it.
func (m *memory) index(users string, fresh bool) (*workingIndex, error) {
	var dir string
	err := errNoMemory
	if m != nil {
		sweepWork(m.dir)
		dir, err = os.MkdirTemp(m.dir, "work-*")
	}
	if err != nil { // a cache that cannot be written to is somebody else's, or full
		m = nil
		if dir, err = os.MkdirTemp("", "runner-index-*"); err != nil {
			return nil, err
		}
	}
	w := &workingIndex{path: filepath.Join(dir, "index"), clean: func() { _ = os.RemoveAll(dir) }}
	if m != nil {
		state := "none"
		if info, err := os.Stat(users); err == nil {
			state = fmt.Sprintf("%x-%x", info.ModTime().UnixNano(), info.Size())
		}
		w.used = filepath.Join(m.dir, fmt.Sprintf("index-%s-%d", state, time.Now().Unix()))
		if kept := m.kept(state); kept != "" && !fresh && os.Rename(kept, w.path) == nil {
			w.warm, w.used = true, kept
			return w, nil
		}
	}
	if err := copyIndex(users, w.path); err != nil {
		w.clean()
		return nil, err
	}
	return w, nil
}

// kept finds the index of the last submit, if it began with the user's index in this state and is young enough. Others go.
func (m *memory) kept(state string) string {
	all, _ := filepath.Glob(filepath.Join(m.dir, "index-*"))
	found := ""
	for _, path := range all {
		made, ok := strings.CutPrefix(filepath.Base(path), "index-"+state+"-")
		at, err := strconv.ParseInt(made, 10, 64)
		if ok && err == nil && found == "" && time.Since(time.Unix(at, 0)).Abs() < indexAge {
			found = path
			continue
		}
		_ = os.Remove(path)
	}
	return found
}

// keep leaves the index to the next submit, and ends the work with it.
func (w *workingIndex) keep() {
	if w.used != "" {
		_ = os.Rename(w.path, w.used)
	}
	w.clean()
}

// sweepWork removes what submits left that were killed.
func sweepWork(dir string) {
	all, _ := filepath.Glob(filepath.Join(dir, "work-*"))
	for _, path := range all {
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > indexAge {
			_ = os.RemoveAll(path)
		}
	}
}

// copyIndex copies an index, so that files which it knows to be unchanged need not be read again.
func copyIndex(from, to string) error {
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("copying the index: %w", err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("copying the index: %w", err)
	}
	// Git takes files changed after the index was written for possibly changed: the copy is as old as the original.
	if info, statErr := in.Stat(); statErr == nil {
		err = os.Chtimes(to, info.ModTime(), info.ModTime())
	}
	return err
}

func (m *memory) sentFile() string { return filepath.Join(m.dir, "sent") }

// sent lists the commits that were sent last, newest first.
func (m *memory) sent() []string {
	if m == nil {
		return nil
	}
	text, err := os.ReadFile(m.sentFile())
	if err != nil {
		return nil
	}
	var ids []string
	for id := range strings.FieldsSeq(string(text)) {
		if isID(id) && len(ids) < lastSent {
			ids = append(ids, id)
		}
	}
	return ids
}

// hasSent remembers a commit. That it cannot is no reason to fail: the next submit sends more.
func (m *memory) hasSent(id string) {
	if m == nil {
		return
	}
	all := slices.DeleteFunc(m.sent(), func(s string) bool { return s == id })
	all = append([]string{id}, all...)
	tmp, err := os.CreateTemp(m.dir, "work-*")
	if err != nil {
		return
	}
	_, err = tmp.WriteString(strings.Join(all[:min(len(all), lastSent)], "\n") + "\n")
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), m.sentFile())
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
}

// isID tells whether a string is the name of a git object, of either hash.
func isID(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && (len(s) == 40 || len(s) == 64)
}
