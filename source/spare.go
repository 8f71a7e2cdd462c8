package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A spare is a copy of a snapshot in which every file is a link, made by Prepare when nothing waits for it. The next commit
// of the repository takes it by a rename and changes in it what changed, as a checkout does in a working tree, so that it
// costs what changed and not what is there. Nobody ever uses a spare as it is, and losing one loses nothing.

func spareOf(dir, kin string) string {
	return filepath.Join(dir, "spares", strings.TrimPrefix(kin, "-"))
}

// takeSpare moves the spare for a request to where it will be changed, and opens it. It returns nil if there is none.
func takeSpare(req *request) (*lender, error) {
	if req.Kin == "" {
		return nil, nil
	}
	to := filepath.Join(req.Target, "spare")
	if err := os.Rename(spareOf(req.Dir, req.Kin), to); err != nil {
		return nil, nil
	}
	l := openLaid(to)
	if l == nil {
		return nil, os.RemoveAll(to)
	}
	l.spare = to
	return l, nil
}

// empty removes what is in a directory.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// begin makes the directory of the tree, empty or out of the spare.
func (w *writer) begin(tree string) error {
	if w.lender == nil || w.lender.spare == "" {
		return os.Mkdir(tree, 0o755)
	}
	w.touched = make(map[string]bool)
	if err := os.Rename(filepath.Join(w.lender.spare, "tree"), tree); err != nil {
		return err
	}
	return os.RemoveAll(w.lender.spare)
}

// keeps tells whether a name is there already, because the tree began as a spare.
func (w *writer) keeps(f *planned) bool { return f.had != nil && w.lender.spare != "" }

// touch notes that the time of a name's directory must be set again.
func (w *writer) touch(name string) {
	if w.touched != nil {
		w.touched[path.Dir(name)] = true
	}
}

// clear removes from a tree that began as a spare what the plan does not keep, before anything is made. So whatever a name is
// then on the disk was made in its place by us: nothing new is written through a symbolic link that is kept, as a plan that
// needs a directory where one stays cannot have it.
func (w *writer) clear(p *plan) error {
	if w.touched == nil {
		return nil
	}
	for _, f := range slices.Concat(p.dirs, p.files, p.links) {
		if f.had == nil {
			continue
		}
		if f.had.kept {
			return made("file", f.path, unix.EEXIST)
		}
		f.had.kept = true
	}
	var dirs []string
	for name, had := range w.lender.files {
		switch {
		case had.kept:
			continue
		case had.mode == modeTree:
			dirs = append(dirs, name)
			continue
		}
		if err := w.remove(name, 0); err != nil {
			return err
		}
	}
	slices.Sort(dirs)
	for _, name := range slices.Backward(dirs) { // children before parents
		if err := w.remove(name, unix.AT_REMOVEDIR); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) remove(name string, flags int) error {
	if err := unix.Unlinkat(w.root, name, flags); err != nil {
		return fmt.Errorf("removing %q from a spare: %w", name, err)
	}
	w.touch(name)
	return nil
}

// Prepare makes a spare for each repository, from its newest snapshot, so that the next commit costs what changed in it. Call
// it when the machine has little else to do: it makes a link for every file. Evict removes spares of which the snapshot is
// gone.
func (s *Store) Prepare(ctx context.Context) error {
	dir := filepath.Join(s.opts.Dir, "snapshots")
	newest, when := make(map[string]string), make(map[string]time.Time)
	for name := range snapshotsOf(dir, "") {
		commit, _, _ := strings.Cut(name, "-")
		kin := strings.TrimPrefix(name, commit)
		if info, err := os.Stat(filepath.Join(dir, name, manifest)); err == nil && info.ModTime().After(when[kin]) {
			newest[kin], when[kin] = name, info.ModTime()
		}
	}
	var errs []error
	for kin, name := range newest {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if current(spareOf(s.opts.Dir, kin), filepath.Join(dir, name)) {
			continue
		}
		req := &request{Op: "spare", URL: "the snapshot " + name, Path: name, Kin: kin}
		if _, err := s.do(ctx, req); err != nil {
			errs = append(errs, fmt.Errorf("preparing for what follows %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// current tells whether a spare is that of a snapshot.
func current(spare, home string) bool {
	had, err := readLayout(spare)
	if err != nil {
		return false
	}
	now, err := readLayout(home)
	return err != nil || now.ID == had.ID && now.Boot == had.Boot
}

// makeSpare is Prepare's part in the child, for one snapshot.
func makeSpare(ctx context.Context, req *request) (*response, error) {
	home, spare := filepath.Join(req.Dir, "snapshots", req.Path), spareOf(req.Dir, req.Kin)
	from := openLender(home)
	if from == nil {
		return &response{}, nil // it is being made or removed, or was made before this boot
	}
	defer from.close()
	work, err := beginDir(filepath.Join(req.Dir, "tmp"), "spare-*")
	if err != nil {
		return nil, err
	}
	defer work.end()
	if err := from.copyTo(ctx, work.path, home); errors.Is(err, unix.EMLINK) || errors.Is(err, unix.EPERM) {
		return &response{}, nil // not every file can have one more name, or no file here: then there is no spare
	} else if err != nil {
		return nil, err
	}
	if err := discard(req.Dir, spare); err != nil {
		return nil, err
	}
	if err := os.Rename(work.path, spare); err != nil && !errors.Is(err, os.ErrExist) { // somebody else made one
		return nil, fmt.Errorf("publishing a spare: %w", err)
	}
	return &response{}, nil
}

// copyTo links a snapshot's names into a directory, and lays what describes them beside.
func (l *lender) copyTo(ctx context.Context, to, home string) error {
	tree := filepath.Join(to, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil {
		return err
	}
	root, err := openTree(tree)
	if err != nil {
		return err
	}
	defer unix.Close(root)
	w := &writer{lender: l, root: root}
	dirs, leaves := l.names()
	for _, name := range dirs {
		if err := unix.Mkdirat(root, name, 0o755); err != nil {
			return made("directory", name, err)
		}
	}
	for _, name := range leaves {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := unix.Linkat(l.root, name, root, name, 0); err != nil {
			return fmt.Errorf("linking %q: %w", name, err)
		}
		if f := (&planned{path: name, mode: l.files[name].mode, had: l.files[name]}); !w.isLaid(f) {
			return fmt.Errorf("%q is not what was written: runner check tells more", name)
		}
	}
	for _, name := range slices.Backward(dirs) {
		w.when = l.files[name].when
		if err := w.setTime(name); err != nil {
			return err
		}
	}
	for _, name := range []string{manifest, "meta.json"} {
		if err := copyFile(filepath.Join(home, name), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}

// names lists the directories, parents before children, and all else.
func (l *lender) names() (dirs, leaves []string) {
	for name, had := range l.files {
		if had.mode == modeTree {
			dirs = append(dirs, name)
		} else {
			leaves = append(leaves, name)
		}
	}
	slices.Sort(dirs)
	slices.Sort(leaves)
	return dirs, leaves
}

// evictSpares removes the spares of snapshots that are gone: they would keep what was evicted on the disk.
func (s *Store) evictSpares() error {
	spares, err := os.ReadDir(filepath.Join(s.opts.Dir, "spares"))
	if err != nil {
		return err
	}
	there := make(map[string]bool)
	for name := range snapshotsOf(filepath.Join(s.opts.Dir, "snapshots"), "") {
		if l, err := readLayout(filepath.Join(s.opts.Dir, "snapshots", name)); err == nil {
			there[l.ID] = true
		}
	}
	var errs []error
	for _, e := range spares {
		home := filepath.Join(s.opts.Dir, "spares", e.Name())
		if l, err := readLayout(home); errors.Is(err, os.ErrNotExist) || err == nil && l.Boot == bootID() && there[l.ID] {
			continue // taken meanwhile, or good
		}
		errs = append(errs, discard(s.opts.Dir, home))
	}
	return errors.Join(errs...)
}
