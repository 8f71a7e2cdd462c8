package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/runner-ci/runner/source/pack"
)

// Known returns those of the commits that the mirror of url has with all that they need, as far as they were fetched or
// sent by who asks. It is empty for a URL that was never fetched. Names that are not those of commits are passed over.
func (s *Store) Known(ctx context.Context, url, who string, commits []string) ([]string, error) {
	m, err := mirrorOf(s.opts.Dir, url)
	if err != nil || !m.exists() {
		return nil, err
	}
	all, err := s.shelf.open(ctx, m)
	if err != nil {
		return nil, err
	}
	defer all.close()
	v := all.as(ownerOf(who))
	var known []string
	for _, c := range commits {
		// Objects enter the mirror only together with all that they need, and leave it so, so to be there is enough.
		if id, err := parseCommit(c); err == nil && v.Has(id) {
			known = append(known, c)
		}
	}
	return known, nil
}

// Receive takes a packfile, as made by git pack-objects --revs --thin --stdout, into the mirror of url, which is made
// if there is none, and lets ref, which SubmitRef made, name the commit. The pack may have maxBytes. It must
// hold exactly what the commit needs beyond what Known tells its sender of; a pack without any object will do when that is
// nothing. Until all is proven to be there, nothing is changed.
func (s *Store) Receive(ctx context.Context, url, ref, commit string, r io.Reader, maxBytes int64) (Resolved, error) {
	l, err := locate(url)
	if err != nil {
		return Resolved{}, err
	}
	if _, err := parseCommit(commit); err != nil {
		return Resolved{}, err
	}
	if !strings.HasPrefix(ref, refsSubmit) || !validRef(ref) {
		return Resolved{}, fmt.Errorf("%q is not a ref below %s", ref, refsSubmit)
	}
	pack, err := s.spool(ctx, r, maxBytes)
	if err != nil {
		return Resolved{}, err
	}
	defer pack.end()
	done, err := s.turns.take(ctx, l.key())
	if err != nil {
		return Resolved{}, err
	}
	defer done()
	res, err := s.do(ctx, &request{Op: "receive", URL: l.String(), Ref: ref, Commit: commit, Path: pack.path, Max: maxBytes})
	if err != nil {
		return Resolved{}, err
	}
	return *res.Resolved, nil
}

// spool stores what a laptop sends, at whatever speed, before a child begins to spend its time on it.
func (s *Store) spool(ctx context.Context, r io.Reader, maxBytes int64) (pack *inHand, err error) {
	if pack, err = beginFile(s.tmp(), "received-*"); err != nil {
		return nil, fmt.Errorf("storing a pack: %w", err)
	}
	defer func() {
		if err != nil {
			pack.end()
		}
	}()
	f, err := os.OpenFile(pack.path, os.O_WRONLY, 0)
	if err != nil {
		return pack, fmt.Errorf("storing a pack: %w", err)
	}
	limited := r
	if maxBytes > 0 {
		limited = io.LimitReader(r, maxBytes+1)
	}
	n, err := io.Copy(f, &untilDone{ctx, limited})
	err = errors.Join(err, f.Close())
	switch {
	case err != nil && ctx.Err() != nil:
		return pack, context.Cause(ctx)
	case err != nil:
		return pack, fmt.Errorf("storing a pack: %w", err)
	case maxBytes > 0 && n > maxBytes:
		return pack, fail(KindTooLarge, "push the branch first, so that less need be sent, or ignore large files",
			"the pack has more than the %d MiB allowed", maxBytes>>20)
	}
	return pack, nil
}

// untilDone reads until a context ends.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u *untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// receive is Receive's part in the child.
func receive(ctx context.Context, req *request) (*response, error) {
	m, err := mirrorOf(req.Dir, req.URL)
	if err != nil {
		return nil, err
	}
	lock, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.unlock()
	m.used()
	if _, err := m.create(); err != nil {
		return nil, err
	}
	if err := m.clean(); err != nil {
		return nil, err
	}
	v, err := m.openAs(ctx, refOwner(req.Ref))
	if err != nil {
		return nil, err
	}
	defer v.close()
	f, err := os.Open(req.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	staged, err := pack.Ingest(ctx, f, m.staging(), v.Objects, pack.Limits{PackBytes: req.Max, ObjectBytes: req.objectLimit()})
	if err != nil {
		return nil, explainPack(req.memoryOr(err))
	}
	res, err := admit(ctx, m, v, staged, req)
	if err != nil {
		staged.Discard()
	}
	return &response{Resolved: res}, err
}

func explainPack(err error) error {
	var corrupt *pack.CorruptError
	var limit *pack.LimitError
	switch {
	case errors.As(err, &corrupt):
		return fail(KindCorrupt, "submit again; if it stays, run git fsck", "what was sent cannot be used: %v", corrupt)
	case errors.As(err, &limit):
		return fail(KindTooLarge, "push the branch first, or ignore large files", "what was sent is too large: %v", limit)
	}
	return err
}

// admit proves that a pack brings what its commit needs, then publishes it and writes the ref.
func admit(ctx context.Context, m mirror, v *view, staged *pack.Staged, req *request) (*Resolved, error) {
	id, err := parseCommit(req.Commit)
	if err != nil {
		return nil, err
	}
	all := v.Objects
	var fresh *pack.Pack
	if staged.Path != "" {
		if fresh, err = staged.Open(); err != nil {
			return nil, err
		}
		defer fresh.Close()
		all = v.With(fresh)
	}
	meta := newMetadata(all)
	c := &closure{ctx: ctx, meta: meta, base: v.Objects, fresh: fresh, seen: make(map[pack.ID]bool)}
	if err := c.check(id); err != nil {
		return nil, err
	}
	res, err := meta.resolve(id)
	if err != nil {
		return nil, err
	}
	if res.Commit != req.Commit {
		return nil, fail(KindCorrupt, "", "%s is not a commit", req.Commit)
	}
	if staged.Path != "" {
		staged.Name = ownedPack(refOwner(req.Ref), staged.Name)
	}
	if err := staged.Publish(m.packs()); err != nil {
		return nil, err
	}
	refs, err := readRefs(m.dir)
	if err != nil {
		return nil, err
	}
	refs[req.Ref] = id
	res.Ref, res.DefaultBranch = req.Ref, m.head()
	return res, refs.write(m.dir)
}

// closure proves that everything which a commit needs is there, and nothing else came along. What a stranger sends
// must not be able to plant an object whose own needs are unmet: a later fetch would take it for complete.
type closure struct {
	ctx   context.Context
	meta  metadata
	base  *pack.Objects
	fresh *pack.Pack
	seen  map[pack.ID]bool // objects of fresh
	queue []needed
}

type needed struct {
	id   pack.ID
	kind pack.Type
}

func (c *closure) check(commit pack.ID) error {
	if err := c.need(commit, plumbing.CommitObject); err != nil {
		return err
	}
	for n := 0; len(c.queue) > 0; n++ {
		if n%1024 == 0 && c.ctx.Err() != nil {
			return context.Cause(c.ctx)
		}
		at := c.queue[len(c.queue)-1]
		c.queue = c.queue[:len(c.queue)-1]
		if err := c.follow(at); err != nil {
			return err
		}
	}
	if c.fresh == nil {
		return nil
	}
	for i := range c.fresh.Len() {
		if id := c.fresh.At(i); !c.seen[id] && !c.base.Has(id) {
			return fail(KindCorrupt, "send what git pack-objects --revs makes of the commit alone",
				"the pack holds the object %s, which the commit does not need", id)
		}
	}
	return nil
}

// need asks for an object. One that came is followed even if the mirror has it too.
func (c *closure) need(id pack.ID, kind pack.Type) error {
	if c.seen[id] {
		return nil
	}
	if c.fresh == nil || !c.fresh.Has(id) {
		if c.base.Has(id) {
			return nil
		}
		return fail(KindCorrupt, "submit again", "the pack lacks the %s %s, which the commit needs and the mirror does not have", kind, id)
	}
	c.seen[id] = true
	c.queue = append(c.queue, needed{id, kind})
	return nil
}

func (c *closure) follow(at needed) error {
	if at.kind == plumbing.BlobObject {
		kind, _, err := c.meta.r.Header(at.id)
		if err != nil {
			return explainObject(err)
		}
		if kind != at.kind {
			return fail(KindCorrupt, "", "%s is a %s where a blob was expected", at.id, kind)
		}
		return nil
	}
	data, err := c.meta.read(at.id, at.kind)
	if err != nil {
		return err
	}
	if at.kind == plumbing.CommitObject {
		return c.followCommit(at.id, data)
	}
	entries, err := parseTree(at.id, data)
	if err != nil {
		return err
	}
	for _, e := range entries {
		kind := plumbing.BlobObject
		switch e.mode {
		case modeModule:
			continue
		case modeTree:
			kind = plumbing.TreeObject
		}
		if err := c.need(e.id, kind); err != nil {
			return err
		}
	}
	return nil
}

func (c *closure) followCommit(id pack.ID, data []byte) error {
	tree, parents, err := commitLinks(id, data)
	if err != nil {
		return err
	}
	if err := c.need(tree, plumbing.TreeObject); err != nil {
		return err
	}
	for _, p := range parents {
		if err := c.need(p, plumbing.CommitObject); err != nil {
			return err
		}
	}
	return nil
}
