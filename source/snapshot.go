package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// SnapshotOptions choose what a snapshot holds.
type SnapshotOptions struct {
	Submodules bool // with the trees of all submodules, recursively
	// Stranger has submodules fetched without the remote's credentials: whoever wrote the commit could name any
	// repository that they open, and read it.
	Stranger bool
}

// Snapshot is a commit's tree on disk. Nothing may write to it. It is not evicted before Release.
type Snapshot struct {
	Dir    string // the tree
	Commit string
	Tree   string // name of the git tree
	Files  int
	Bytes  int64

	home    string // where index and meta.json are
	url     string
	release func()
}

// Release lets Evict have the snapshot. Calling it again does nothing.
func (s *Snapshot) Release() { s.release() }

// snapshotName is where a snapshot lies. Different repositories never share one, so that a commit's name alone
// opens nothing; with and without submodules are different trees, and a stranger is not given what was fetched with
// credentials.
func (s *Store) snapshotName(l location, commit string, opts SnapshotOptions) string {
	key := fmt.Appendf(nil, "%s\n%v", l, opts.Submodules)
	if opts.Submodules && opts.Stranger {
		key = append(key, "\nstranger"...)
	}
	sum := sha256.Sum256(key)
	return filepath.Join(s.opts.Dir, "snapshots", commit+"-"+hex.EncodeToString(sum[:6]))
}

// Snapshot lays out the tree of a commit that the mirror holds, unless that was done before. Of several callers at
// once, in however many processes, one does it and the others wait. r is needed for submodules only.
func (s *Store) Snapshot(ctx context.Context, r Remote, commit string, opts SnapshotOptions) (*Snapshot, error) {
	l, err := locate(r.URL)
	if err != nil {
		return nil, err
	}
	if _, err := parseCommit(commit); err != nil {
		return nil, err
	}
	home := s.snapshotName(l, commit, opts)
	for {
		lock, err := lockFile(ctx, home+".lock", shared)
		if err != nil {
			return nil, err
		}
		if snap := openSnapshot(home, lock); snap != nil {
			return snap, nil
		}
		lock.unlock()
		if lock, err = lockFile(ctx, home+".lock", exclusive); err != nil {
			return nil, err
		}
		err = s.makeSnapshot(ctx, home, r, commit, opts)
		lock.unlock()
		if err != nil {
			return nil, err
		}
	}
}

// openSnapshot takes a finished snapshot into use, or returns nil if there is none that can be trusted.
func openSnapshot(home string, lock *fileLock) *Snapshot {
	l, err := readLayout(home)
	if err != nil || l.Boot != bootID() {
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(home+".lock", now, now) // only the order of eviction depends on it
	return &Snapshot{
		Dir: filepath.Join(home, "tree"), Commit: l.Commit, Tree: l.Tree, Files: l.Files, Bytes: l.Bytes,
		home: home, url: l.URL, release: sync.OnceFunc(lock.unlock),
	}
}

func readLayout(home string) (*layout, error) {
	data, err := os.ReadFile(filepath.Join(home, "meta.json"))
	if err != nil {
		return nil, err
	}
	l := &layout{}
	return l, json.Unmarshal(data, l)
}

// makeSnapshot lays a snapshot out beside its place and renames it. The caller holds the lock exclusively.
func (s *Store) makeSnapshot(ctx context.Context, home string, r Remote, commit string, opts SnapshotOptions) error {
	if l, err := readLayout(home); err == nil && l.Boot == bootID() {
		return nil // somebody else made it while we waited
	}
	if err := discard(s.opts.Dir, home); err != nil {
		return err
	}
	withheld := opts.Stranger && (r.Token != "" || len(r.SSHKey) > 0)
	if withheld {
		r.Username, r.Token, r.SSHKey = "", "", nil
	}
	parts, err := s.modulesBelow(ctx, r, commit, opts.Submodules)
	var fe *FetchError
	if withheld && errors.As(err, &fe) && fe.Kind == KindSubmodule {
		fe.Hint = "a stranger's commit is not given the project's credentials, so that only public submodules can be had"
	}
	if err != nil {
		return err
	}
	work, err := beginDir(s.tmp(), "snapshot-*")
	if err != nil {
		return fmt.Errorf("making a snapshot: %w", err)
	}
	defer work.end()
	if err := os.Chmod(work.path, 0o755); err != nil {
		return err
	}
	_, err = s.do(ctx, &request{
		Op: "layout", URL: parts[0].URL, Commit: commit, Target: work.path, Parts: parts, Max: s.opts.TreeBytes, Files: s.opts.TreeFiles,
		Kin: strings.TrimPrefix(filepath.Base(home), commit),
	})
	if err != nil {
		return err
	}
	if err := os.Rename(work.path, home); err != nil {
		return fmt.Errorf("publishing a snapshot: %w", err)
	}
	return nil
}

// discard removes a snapshot, first from its name, so that nobody meets half of it.
func discard(dir, home string) error {
	work, err := beginDir(filepath.Join(dir, "tmp"), "discarded-*")
	if err != nil {
		return err
	}
	defer work.end()
	if err := os.Rename(home, filepath.Join(work.path, "snapshot")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing a snapshot: %w", err)
	}
	return os.RemoveAll(work.path)
}

// bootID names this boot of the machine, as far as the system tells.
var bootID = sync.OnceValue(func() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
})
