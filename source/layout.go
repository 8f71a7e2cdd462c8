package source

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"golang.org/x/sys/unix"

	"github.com/runner-ci/runner/source/attributes"
	"github.com/runner-ci/runner/source/pack"
)

// module is a repository within the tree: a submodule at a path, or the commit's own at "".
type module struct {
	Path   string `json:"path"`
	URL    string `json:"url"` // of the mirror
	Commit string `json:"commit"`
}

// layout describes a finished snapshot. It is the snapshot's meta.json.
type layout struct {
	Commit string    `json:"commit"`
	Tree   string    `json:"tree"`
	URL    string    `json:"url"`
	Parts  []module  `json:"parts"`
	Files  int       `json:"files"`
	Bytes  int64     `json:"bytes"`
	When   time.Time `json:"when"`
	// ID is this laying out's own, and Base that of the one which lent Lent of the bytes. Files that were lent lie on the disk
	// once for both.
	ID   string `json:"id,omitempty"`
	Base string `json:"base,omitempty"`
	Lent int64  `json:"lent,omitempty"`
	// Boot is the boot of the machine that wrote it. The files were not synced to the disk, which would cost as much
	// as writing them, so after another boot the snapshot is made anew.
	Boot string `json:"boot"`
}

// writer writes a plan below an open directory.
type writer struct {
	ctx      context.Context
	req      *request
	root     int // descriptor of the tree's directory
	objects  []*pack.Objects
	when     time.Time
	lender   *lender         // nil if no other snapshot can lend files
	lent     int64           // bytes
	touched  map[string]bool // directories of a spare in which names were made or removed
	bytes    atomic.Int64
	maxBytes int64
	memory   int64
}

// layOut writes tree/, index, manifest and meta.json into the directory req.Target, which is empty. It turns a spare into
// what is wanted, if there is one; whatever that fails with, it is tried again from nothing, and what that says counts.
func layOut(ctx context.Context, req *request) (*response, error) {
	spare, err := takeSpare(req)
	if spare != nil {
		res, failed := layOutFrom(ctx, req, spare)
		if failed == nil || ctx.Err() != nil {
			return res, failed
		}
		err = empty(req.Target)
	}
	if err != nil {
		return nil, err
	}
	return layOutFrom(ctx, req, nil)
}

// layOutFrom does it with the files of a spare, which it makes its own, or with what another snapshot lends.
func layOutFrom(ctx context.Context, req *request, spare *lender) (*response, error) {
	l := &layout{Parts: req.Parts, URL: req.URL, Boot: bootID(), ID: rand.Text()}
	w := &writer{ctx: ctx, req: req, maxBytes: req.Max, memory: req.objectLimit(), lender: spare}
	defer func() { w.lender.close() }()
	p := &plan{}
	for i, part := range req.Parts {
		v, err := w.plan(p, i, part, req, l)
		if v != nil {
			defer v.close()
		}
		if err != nil {
			return nil, err
		}
	}
	tree := filepath.Join(req.Target, "tree")
	if err := w.begin(tree); err != nil {
		return nil, err
	}
	root, err := openTree(tree)
	if err != nil {
		return nil, err
	}
	defer unix.Close(root)
	w.root = root
	if err := w.write(p); err != nil {
		return nil, err
	}
	l.Files, l.Bytes = len(p.files)+len(p.links), w.bytes.Load()
	if w.lent > 0 {
		l.Base, l.Lent = w.lender.ID, w.lent
	}
	if err := writeIndex(filepath.Join(req.Target, "index"), p); err != nil {
		return nil, err
	}
	if err := writeManifest(filepath.Join(req.Target, manifest), p); err != nil {
		return nil, err
	}
	meta, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	return &response{Layout: l}, os.WriteFile(filepath.Join(req.Target, "meta.json"), meta, 0o644)
}

func openTree(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("opening %s: %w", path, err)
	}
	return fd, nil
}

// plan adds one repository to the plan.
func (w *writer) plan(p *plan, i int, part module, req *request, l *layout) (*view, error) {
	m, err := mirrorOf(req.Dir, part.URL)
	if err != nil {
		return nil, err
	}
	v, err := m.open(w.ctx)
	if err != nil {
		return nil, err
	}
	w.objects = append(w.objects, v.Objects)
	id, err := parseCommit(part.Commit)
	if err != nil {
		return v, err
	}
	if !v.Has(id) {
		return v, fail(KindUnknownCommit, "fetch it first", "the mirror of %s has no commit %s", part.URL, id)
	}
	meta := newMetadata(v.Objects)
	c, err := meta.commit(id)
	if err != nil {
		return v, err
	}
	pl := &planner{
		ctx: w.ctx, plan: p, maxFiles: req.Files, part: i, objects: v.Objects, meta: meta, table: attributes.NewTable(),
	}
	if part.Path != "" {
		pl.top = part.Path + "/"
	} else {
		if w.lender == nil {
			w.lender = findLender(w.ctx, req.Dir, req.Kin, meta, id)
		}
		w.when = fileTime(c.Committer.When)
		l.Commit, l.Tree, l.When = part.Commit, c.TreeHash.String(), w.when
	}
	pl.offer = func(f *planned) *laid { return w.lender.offer(f, part) }
	return v, pl.tree(c.TreeHash, pl.top, nil)
}

// write makes directories, then files, then symbolic links. As no link exists before the last file is written, none
// can be followed, and as every name is made exclusively, none can be taken twice.
func (w *writer) write(p *plan) error {
	if err := w.clear(p); err != nil {
		return err
	}
	for _, dir := range p.dirs {
		if w.keeps(dir) {
			continue
		}
		if err := unix.Mkdirat(w.root, dir.path, 0o755); err != nil {
			return made("directory", dir.path, err)
		}
		w.touch(dir.path)
	}
	if err := w.regular(p); err != nil {
		return err
	}
	if err := w.links(p.links); err != nil {
		return err
	}
	// Directories last: writing into one changes its time.
	for _, dir := range slices.Backward(p.dirs) {
		if w.keeps(dir) && !w.touched[dir.path] {
			dir.when = dir.had.when
			continue
		}
		dir.when = w.when
		if err := w.setTime(dir.path); err != nil {
			return err
		}
	}
	return w.setTime(".")
}

// regular borrows what can be borrowed, and writes the rest.
func (w *writer) regular(p *plan) error {
	var same, fresh []*planned
	for _, f := range p.files {
		switch {
		case w.keeps(f):
			if err := w.holds(f); err != nil {
				return err
			}
		case f.had != nil:
			same = append(same, f)
		default:
			w.touch(f.path)
			fresh = append(fresh, f)
		}
	}
	unlike, err := w.borrow(same)
	if err != nil {
		return err
	}
	for _, f := range unlike {
		if err := f.locate(w.objects[f.part]); err != nil {
			return err
		}
	}
	return w.files(append(fresh, unlike...))
}

// made explains why a name could not be made.
func made(what, path string, err error) error {
	if errors.Is(err, unix.EEXIST) {
		return fail(KindUnsafe, "remove one of them from the commit", "the tree is not safe to write: it names %q twice", path)
	}
	return fmt.Errorf("writing the %s %q of a snapshot: %w", what, path, err)
}

func (w *writer) setTime(path string) error {
	ts := unix.NsecToTimespec(w.when.UnixNano())
	err := unix.UtimesNanoAt(w.root, path, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return fmt.Errorf("setting the time of %q: %w", path, err)
	}
	return nil
}

// chunk is how many files a worker takes at once: neighbours in the pack, so that bases of deltas stay at hand.
const chunk = 64

// files writes all files, in parallel, in the order in which their objects lie in the packs.
func (w *writer) files(all []*planned) error {
	order := all
	slices.SortFunc(order, func(a, b *planned) int {
		return cmp.Or(a.part-b.part, a.place.Pack-b.place.Pack, cmp.Compare(a.place.Offset, b.place.Offset))
	})
	var next atomic.Int64
	var failed atomic.Bool
	errs := make([]error, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for n := range errs {
		wg.Go(func() {
			fw := &fileWriter{writer: w}
			for !failed.Load() {
				from := int(next.Add(chunk)) - chunk
				if from >= len(order) {
					return
				}
				for _, f := range order[from:min(from+chunk, len(order))] {
					if errs[n] = fw.file(f); errs[n] != nil {
						failed.Store(true)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	return cmp.Or(errs...)
}

func (w *writer) links(all []*planned) error {
	fw := &fileWriter{writer: w}
	for _, f := range all {
		if w.keeps(f) {
			f.size, f.when = f.had.size, f.had.when
			continue
		}
		w.touch(f.path)
		kind, target, err := fw.reader(f.part).Read(f.id)
		if err != nil {
			return explainObject(err)
		}
		if kind != plumbing.BlobObject || len(target) == 0 || len(target) > maxPath || slices.Contains(target, 0) {
			return fail(KindUnsafe, "remove it from the commit", "the tree is not safe to write: the symbolic link %q has no target that can be", f.path)
		}
		if err := unix.Symlinkat(string(target), w.root, f.path); err != nil {
			return made("symbolic link", f.path, err)
		}
		f.size, f.when = int64(len(target)), w.when
		if err := w.setTime(f.path); err != nil {
			return err
		}
	}
	return nil
}
