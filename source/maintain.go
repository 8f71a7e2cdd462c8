package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/runner-ci/runner/source/pack"
)

// pruneEvery is how often a mirror is rewritten without what no ref reaches.
const pruneEvery = 7 * 24 * time.Hour

// ownersShare is which part of a mirror's packs may be one person's submits.
const ownersShare = 4

// deleteWait bounds how long Maintain waits for readers before it leaves the old packs to its next run.
const deleteWait = 30 * time.Second

// Maintain puts the packs of each mirror together where there are many, and from time to time leaves out what no ref
// reaches any more. Readers go on meanwhile; a fetch into the same mirror waits. A job that runs has links of its own
// to the packs it began with.
func (s *Store) Maintain(ctx context.Context) error {
	defer s.shelf.clear()
	var errs []error
	err := s.eachMirror(func(m mirror) error {
		done, err := s.turns.take(ctx, filepath.Base(m.dir))
		if err != nil {
			return err
		}
		defer done()
		_, err = s.do(ctx, &request{Op: "maintain", URL: m.url, Packs: s.opts.MaxPacks, Keep: day(time.Now().Add(-s.opts.KeepCommits))})
		if err != nil {
			errs = append(errs, fmt.Errorf("maintaining the mirror of %s: %w", m.url, err))
		}
		return ctx.Err()
	})
	return errors.Join(append(errs, err)...)
}

// eachMirror visits all mirrors. Their URLs are in their configuration.
func (s *Store) eachMirror(visit func(mirror) error) error {
	dir := filepath.Join(s.opts.Dir, "mirrors")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		url, err := configuredURL(filepath.Join(dir, e.Name(), "config"))
		if err != nil {
			continue // a directory that we did not make
		}
		if err := visit(mirror{dir: filepath.Join(dir, e.Name()), url: url}); err != nil {
			return err
		}
	}
	return nil
}

func configuredURL(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), `url = "`); ok {
			return strings.TrimSuffix(v, `"`), nil
		}
	}
	return "", errors.New("no url")
}

// maintain is Maintain's part in the child, for one mirror.
func maintain(ctx context.Context, req *request) (*response, error) {
	m, err := mirrorOf(req.Dir, req.URL)
	if err != nil {
		return nil, err
	}
	lock, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.unlock()
	if err := m.clean(); err != nil {
		return nil, err
	}
	if err := m.forget(req.Keep); err != nil {
		return nil, err
	}
	old, err := m.repack(ctx, req.Packs)
	if err != nil || len(old) == 0 {
		return &response{}, err
	}
	return &response{}, m.remove(ctx, old)
}

// forget drops the names under which commits were kept or submitted before a day.
func (m mirror) forget(before string) error {
	all, err := readRefs(m.dir)
	if err != nil {
		return err
	}
	n := len(all)
	for name := range all {
		for _, dated := range []string{refsKept, refsSubmit} {
			if rest, ok := strings.CutPrefix(name, dated); ok && rest < before {
				delete(all, name)
			}
		}
	}
	if len(all) == n {
		return nil
	}
	return all.write(m.dir)
}

// repack writes, for what was fetched and for what each person submitted, a pack that stands for several, and returns those.
func (m mirror) repack(ctx context.Context, maxPacks int) (old []string, err error) {
	v, err := m.open(ctx)
	if err != nil {
		return nil, err
	}
	defer v.close()
	prune, err := m.pruneDue()
	if err != nil {
		return nil, err
	}
	var reached map[pack.ID]bool
	if prune {
		if reached, err = m.reachable(ctx, v); err != nil {
			return nil, err
		}
	}
	for owner, packs := range v.byOwner() {
		most := maxPacks
		if owner != "" {
			most = max(1, maxPacks/ownersShare) // there may be many owners, and all packs are opened together
		}
		merge, keep := chooseSmall(packs, most), func(pack.ID) bool { return true }
		if prune {
			merge, keep = packs, func(id pack.ID) bool { return reached[id] }
			if len(merge) == 1 && all(merge[0], keep) {
				continue // nothing to gain
			}
		}
		gone, err := m.merge(ctx, merge, owner, keep)
		if err != nil {
			return nil, err
		}
		old = append(old, gone...)
	}
	if prune {
		err = m.pruned()
	}
	return old, err
}

// all tells whether every object of a pack is wanted.
func all(p *pack.Pack, want func(pack.ID) bool) bool {
	for i := range p.Len() {
		if !want(p.At(i)) {
			return false
		}
	}
	return true
}

// merge puts packs of one owner together, and returns those that it stands for.
func (m mirror) merge(ctx context.Context, merge []*pack.Pack, owner string, keep func(pack.ID) bool) (old []string, err error) {
	if len(merge) == 0 {
		return nil, nil
	}
	staged, err := pack.Merge(ctx, merge, m.staging(), keep)
	if err != nil {
		return nil, err
	}
	staged.Name = ownedPack(owner, staged.Name)
	if err := staged.Publish(m.packs()); err != nil {
		staged.Discard()
		return nil, err
	}
	for _, p := range merge {
		if filepath.Base(p.Path()) != staged.Name+".pack" {
			old = append(old, p.Path())
		}
	}
	return old, nil
}

// chooseSmall picks what to put together when there are too many packs: the small ones, up to the first that is
// larger than all before it together, so that a large pack is not rewritten for the sake of small ones.
func chooseSmall(packs []*pack.Pack, maxPacks int) []*pack.Pack {
	if len(packs) <= maxPacks {
		return nil
	}
	bySize := slices.SortedFunc(slices.Values(packs), func(a, b *pack.Pack) int { return int(min(1, max(-1, a.Size()-b.Size()))) })
	sum, n := int64(0), 0
	for i, p := range bySize {
		if p.Size() <= sum || i < 2 {
			n = i + 1
		}
		sum += p.Size()
	}
	return bySize[:max(n, len(packs)-maxPacks+1)]
}

func (m mirror) pruneMark() string { return filepath.Join(m.dir, "pruned") }

// pruneDue tells whether the last pruning was long ago. A mirror that was never pruned begins to count now.
func (m mirror) pruneDue() (bool, error) {
	info, err := os.Stat(m.pruneMark())
	if errors.Is(err, os.ErrNotExist) {
		return false, m.pruned()
	}
	return err == nil && time.Since(info.ModTime()) > pruneEvery, err
}

func (m mirror) pruned() error { return os.WriteFile(m.pruneMark(), nil, 0o644) }

// reachable is everything that the refs reach, and what that needs: where an object that is kept stands as a delta
// on one that no ref reaches, that one stays too, with all that it reaches in turn. So whatever is in a mirror is
// there with all that it needs, which Known and Receive rely on.
func (m mirror) reachable(ctx context.Context, v *view) (map[pack.ID]bool, error) {
	all, err := readRefs(m.dir)
	if err != nil {
		return nil, err
	}
	r := &reach{ctx: ctx, meta: newMetadata(v.Objects), seen: make(map[pack.ID]bool)}
	for _, id := range all {
		r.queue = append(r.queue, id)
	}
	for len(r.queue) > 0 {
		if err := r.run(); err != nil {
			return nil, err
		}
		for _, p := range v.Packs() {
			err := p.Bases(func(id, base pack.ID) {
				if r.seen[id] && !r.seen[base] {
					r.queue = append(r.queue, base)
				}
			})
			if err != nil {
				return nil, explainObject(err)
			}
		}
	}
	return r.seen, nil
}

// reach marks objects.
type reach struct {
	ctx   context.Context
	meta  metadata
	seen  map[pack.ID]bool
	queue []pack.ID
}

func (r *reach) run() error {
	for n := 0; len(r.queue) > 0; n++ {
		if n%1024 == 0 && r.ctx.Err() != nil {
			return context.Cause(r.ctx)
		}
		id := r.queue[len(r.queue)-1]
		r.queue = r.queue[:len(r.queue)-1]
		if r.seen[id] {
			continue
		}
		links, err := r.links(id)
		if errors.Is(err, pack.ErrNotFound) {
			continue // what is missing cannot be kept; Check reports it
		}
		if err != nil {
			return explainObject(err)
		}
		r.seen[id] = true
		r.queue = append(r.queue, links...)
	}
	return nil
}

// links lists what an object names. Blobs are marked by the tree that names them, without being read.
func (r *reach) links(id pack.ID) ([]pack.ID, error) {
	kind, _, err := r.meta.r.Header(id)
	if err != nil || kind == plumbing.BlobObject {
		return nil, err
	}
	if kind == plumbing.TagObject {
		next, err := r.meta.peel(id)
		return []pack.ID{next}, err
	}
	data, err := r.meta.read(id, kind)
	if err != nil {
		return nil, err
	}
	if kind == plumbing.CommitObject {
		tree, parents, err := commitLinks(id, data)
		return append(parents, tree), err
	}
	entries, err := parseTree(id, data)
	var out []pack.ID
	for _, e := range entries {
		if e.mode == modeTree {
			out = append(out, e.id)
		} else if e.mode != modeModule {
			r.seen[e.id] = true
		}
	}
	return out, err
}

// remove deletes packs for which another stands, as soon as nobody reads them. Indexes go first: by them readers
// find packs.
func (m mirror) remove(ctx context.Context, old []string) error {
	waiting, cancel := context.WithTimeout(ctx, deleteWait)
	defer cancel()
	use, err := lockFile(waiting, m.dir+".use", exclusive)
	if waiting.Err() != nil && ctx.Err() == nil {
		return nil // readers are busy; the next run finds the packs again
	}
	if err != nil {
		return err
	}
	defer use.unlock()
	var errs []error
	for _, path := range old {
		base := strings.TrimSuffix(path, ".pack")
		errs = append(errs, os.Remove(base+".idx"), os.Remove(path))
	}
	return errors.Join(errs...)
}
