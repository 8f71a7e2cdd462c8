package source

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runner-ci/runner/source/pack"
)

// lender is an earlier snapshot of the same repository, from which a new one takes the files that are the same. It cannot
// be evicted while it lends; afterwards each name of a file stands for itself.
type lender struct {
	*layout
	spare string    // where it lies, for a spare: it is nobody else's, so that its tree is not linked but changed
	lock  *fileLock // of a snapshot
	root  int       // descriptor of its tree
	files map[string]*laid
}

func (l *lender) close() {
	if l == nil {
		return
	}
	_ = unix.Close(l.root)
	if l.lock != nil {
		l.lock.unlock()
	}
}

// Bounds of the search for a lender: how many commits down, and how many snapshots that prove unfit.
const (
	maxAncestors = 64
	maxLenders   = 4
)

// findLender looks among the snapshots whose names end with kin, which are those of the same repository, made in the same
// way. The nearest ancestor by first parents shares the most; else it is the one that was used last. Having none is no error.
func findLender(ctx context.Context, dir, kin string, meta metadata, commit pack.ID) *lender {
	if kin == "" {
		return nil
	}
	there := snapshotsOf(filepath.Join(dir, "snapshots"), kin)
	if len(there) == 0 {
		return nil
	}
	tried := 0
	try := func(name string) *lender {
		tried++
		delete(there, name)
		return openLender(filepath.Join(dir, "snapshots", name))
	}
	for range maxAncestors {
		parents, ok, err := meta.parents(commit)
		if !ok || err != nil || len(parents) == 0 || ctx.Err() != nil {
			break
		}
		commit = parents[0]
		if name := commit.String() + kin; !there[name].IsZero() {
			if l := try(name); l != nil {
				return l
			}
		}
	}
	names := make([]string, 0, len(there))
	for name := range there {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(there[b].Compare(there[a]), strings.Compare(a, b)) })
	for _, name := range names {
		if tried >= maxLenders {
			break
		}
		if l := try(name); l != nil {
			return l
		}
	}
	return nil
}

// snapshotsOf lists the snapshots whose names end with kin, with the times when they were last used.
func snapshotsOf(dir, kin string) map[string]time.Time {
	entries, _ := os.ReadDir(dir)
	out := make(map[string]time.Time)
	for _, e := range entries {
		if !e.IsDir() || !strings.HasSuffix(e.Name(), kin) {
			continue
		}
		if info, err := os.Stat(filepath.Join(dir, e.Name()+".lock")); err == nil {
			out[e.Name()] = info.ModTime()
		}
	}
	return out
}

// openLender takes a snapshot into use, or returns nil if it cannot lend: it is being evicted, was made before the machine
// was started, or by a release that wrote no manifest.
func openLender(home string) *lender {
	lock, err := tryLock(home+".lock", shared)
	if err != nil {
		return nil
	}
	l := openLaid(home)
	if l == nil {
		lock.unlock()
		return nil
	}
	l.lock = lock
	return l
}

// openLaid opens what lies in a directory that is nobody else's, or returns nil.
func openLaid(home string) *lender {
	l := &lender{}
	var err error
	if l.layout, err = readLayout(home); err != nil || l.Boot != bootID() || l.ID == "" {
		return nil
	}
	if l.files, err = readManifest(filepath.Join(home, manifest)); err != nil {
		return nil
	}
	if l.root, err = openTree(filepath.Join(home, "tree")); err != nil {
		return nil
	}
	return l
}

// offer returns the record of what is the same as something that is planned: it lies at the same path, comes from the same
// repository, and was made of the same bytes in the same way. Of a directory the path is all that counts.
func (l *lender) offer(f *planned, from module) *laid {
	if l == nil {
		return nil
	}
	had, ok := l.files[f.path]
	if !ok || had.id != f.id || had.mode != f.mode || had.conv != f.conv.Key() {
		return nil
	}
	if had.part >= len(l.Parts) || l.Parts[had.part].URL != from.URL {
		return nil
	}
	return had
}

// borrow makes names for the files that the lender has, and returns those that must be written all the same: a file has as
// many names as it may have, or is not what the manifest says.
func (w *writer) borrow(files []*planned) (unlike []*planned, err error) {
	for i, f := range files {
		if i%chunk == 0 && w.ctx.Err() != nil {
			return nil, context.Cause(w.ctx)
		}
		switch err := unix.Linkat(w.lender.root, f.path, w.root, f.path, 0); err {
		case nil:
		case unix.EEXIST:
			return nil, made("file", f.path, err)
		default:
			unlike = append(unlike, f)
			continue
		}
		if w.isLaid(f) {
			if err := w.holds(f); err != nil {
				return nil, err
			}
			continue
		}
		if err := unix.Unlinkat(w.root, f.path, 0); err != nil {
			return nil, err
		}
		unlike = append(unlike, f)
	}
	return unlike, nil
}

// holds takes a file's state from the record of it.
func (w *writer) holds(f *planned) error {
	f.size, f.when = f.had.size, f.had.when
	w.lent += f.size
	return w.count(f.size)
}

// isLaid tells whether a file that was linked is still what it was when it was written.
func (w *writer) isLaid(f *planned) bool {
	var st unix.Stat_t
	err := unix.Fstatat(w.root, f.path, &st, unix.AT_SYMLINK_NOFOLLOW)
	m := mode(st.Mode)
	if f.mode == modeSymlink {
		m &^= 0o7777
	}
	return err == nil && m == f.mode && st.Size == f.had.size && st.Mtim.Sec == f.had.when.Unix() && st.Mtim.Nsec == 0
}
