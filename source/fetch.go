package source

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/runner-ci/runner/source/pack"
)

// Want names a commit: the tip of a ref, or one by its full name, or both. With both, the commit is what counts, and
// the ref is where it is looked for first; whether the ref reaches it is not checked: see Pushed.
type Want struct {
	Ref    string `json:"ref,omitempty"`    // refs/heads/x, refs/tags/x, refs/pull/7/head; empty: the default branch
	Commit string `json:"commit,omitempty"` // 40 hexadecimal digits; empty: the tip of Ref
}

// Fetch makes sure that the mirror holds a commit with all that it needs, and describes it. The remote is asked
// only if the mirror does not know the commit yet.
func (s *Store) Fetch(ctx context.Context, r Remote, want Want) (Resolved, error) {
	return s.fetchAs(ctx, r, want, false, false)
}

// fetchAs also says whether the remote must be asked in any case, and kept away from this machine.
func (s *Store) fetchAs(ctx context.Context, r Remote, want Want, ask, guarded bool) (Resolved, error) {
	l, err := locate(r.URL)
	if err != nil {
		return Resolved{}, err
	}
	if want.Ref != "" && !validRef(want.Ref) {
		return Resolved{}, fail(KindBadURL, "write refs/heads/NAME or refs/tags/NAME", "%q is not the name of a ref", want.Ref)
	}
	if want.Commit != "" {
		if _, err := parseCommit(want.Commit); err != nil {
			return Resolved{}, err
		}
	}
	req := request{Op: "fetch", URL: l.String(), Remote: &r, Want: want, Ask: ask, Guarded: guarded}
	known := func() *Resolved {
		if ask {
			return nil
		}
		if res, _ := s.here(ctx, req, fetchKnown); res != nil {
			return res.Resolved
		}
		return nil
	}
	if res := known(); res != nil {
		return *res, nil
	}
	done, err := s.turns.take(ctx, l.key())
	if err != nil {
		return Resolved{}, err
	}
	defer done()
	if res := known(); res != nil {
		return *res, nil // somebody fetched it while we waited
	}
	res, err := s.do(ctx, &req)
	if err != nil {
		return Resolved{}, err
	}
	return *res.Resolved, nil
}

// fetchKnown answers from the mirror alone, if it can.
func fetchKnown(ctx context.Context, req *request) (*response, error) {
	l, err := locate(req.Remote.URL)
	if err != nil {
		return nil, err
	}
	f := &fetching{mirror: openMirror(req.Dir, l), req: req, loc: l}
	res, err := f.known(ctx)
	return &response{Resolved: res}, err
}

// fetching is one fetch, in the child.
type fetching struct {
	mirror
	req  *request
	loc  location
	view *view
	meta metadata
	refs refs
}

func fetch(ctx context.Context, req *request) (*response, error) {
	l, err := locate(req.Remote.URL)
	if err != nil {
		return nil, err
	}
	f := &fetching{mirror: openMirror(req.Dir, l), req: req, loc: l}
	if !req.Ask {
		if res, err := f.known(ctx); res != nil || err != nil {
			return &response{Resolved: res}, err
		}
	}
	if strings.HasPrefix(req.Want.Ref, refsOurs) {
		return nil, fail(KindUnknownCommit, "submit it again", "the mirror of %s no longer has %s", l, req.Want.Ref)
	}
	lock, err := f.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.unlock()
	f.used()
	if !req.Ask { // somebody may have fetched it while we waited
		if res, err := f.known(ctx); res != nil || err != nil {
			return &response{Resolved: res}, err
		}
	}
	made, err := f.create()
	if err != nil {
		return nil, err
	}
	res, err := f.update(ctx)
	if err != nil && made {
		// A URL that leads nowhere leaves nothing behind.
		if packs, _ := os.ReadDir(f.packs()); len(packs) == 0 {
			_ = os.RemoveAll(f.dir)
		}
	}
	return &response{Resolved: res}, err
}

// read opens the mirror as it is now, without what was submitted.
func (f *fetching) read(ctx context.Context) (err error) {
	if f.refs, err = readRefs(f.dir); err != nil {
		return err
	}
	if f.view, err = f.openAs(ctx, ""); err != nil {
		return err
	}
	f.meta = f.req.metadata(f.view.Objects)
	return nil
}

// maxKnownWalk bounds the search for a commit below the tips. Asking the remote is quicker than a longer one.
const maxKnownWalk = 20_000

// known answers from the mirror alone, or with nothing.
func (f *fetching) known(ctx context.Context) (*Resolved, error) {
	if f.req.Want.Commit == "" || !f.exists() {
		return nil, nil
	}
	id, _ := parseCommit(f.req.Want.Commit)
	list, err := listRefs(f.dir)
	if err != nil {
		return nil, err
	}
	if f.view, err = f.req.open(ctx, f.mirror); err != nil {
		return nil, err
	}
	defer f.view.close()
	// For a push, what somebody submitted does not count: the branch has to have it, too.
	seen := f.view.as(refOwner(f.req.Want.Ref))
	if !seen.Has(id) {
		return nil, nil
	}
	f.meta = f.req.metadata(seen)
	found := list.names(id)
	if !found {
		n := 0
		err := f.meta.walk(ctx, slices.Collect(maps.Keys(list.ids())), func(at pack.ID) bool {
			n++
			found = at == id
			return !found && n < maxKnownWalk
		})
		if err != nil || !found {
			return nil, err
		}
	}
	return f.describe(id)
}

func (f *fetching) describe(id pack.ID) (*Resolved, error) {
	res, err := f.meta.resolve(id)
	if err != nil {
		return nil, err
	}
	res.DefaultBranch = f.head()
	res.Ref = f.req.Want.Ref
	if res.Ref == "" {
		res.Ref = res.DefaultBranch
	}
	return res, nil
}

// update asks the remote, fetches what is new, and writes the refs.
func (f *fetching) update(ctx context.Context) (*Resolved, error) {
	if err := f.clean(); err != nil {
		return nil, err
	}
	conn, err := connect(f.req.Remote, f.loc, f.req.Guarded)
	if err != nil {
		return nil, explain(err, f.loc)
	}
	defer conn.close()
	adv, err := conn.advertise(ctx)
	if err != nil {
		return nil, explain(err, f.loc)
	}
	if err := f.read(ctx); err != nil {
		return nil, err
	}
	defer func() { f.view.close() }()
	target, err := f.target(adv)
	if err != nil {
		return nil, err
	}
	if err := f.pull(ctx, conn, f.wants(adv, target)); err != nil {
		return nil, f.explainPull(err, target)
	}
	if !f.view.Has(target) {
		conn.close()
		if err := f.pullUnnamed(ctx, adv, target); err != nil {
			return nil, err
		}
	}
	return f.finish(adv, target)
}

// target is the object that is wanted.
func (f *fetching) target(adv *advert) (pack.ID, error) {
	want := f.req.Want
	if want.Commit != "" {
		return parseCommit(want.Commit)
	}
	ref := want.Ref
	if ref == "" {
		ref = adv.head
	}
	if id, ok := adv.refs[ref]; ok {
		return id, nil
	}
	if len(adv.refs) == 0 {
		return pack.ID{}, fail(KindUnknownRef, "push a commit first", "the repository %s is empty", f.loc)
	}
	if ref == "" {
		return pack.ID{}, fail(KindUnknownRef, "name a branch", "the repository %s has no default branch", f.loc)
	}
	return pack.ID{}, fail(KindUnknownRef, "it may have been deleted or renamed; "+nearest(ref, slices.Collect(maps.Keys(adv.refs))),
		"the repository %s has no ref %s", f.loc, ref)
}

func (f *fetching) unknown(target pack.ID) error {
	return fail(KindUnknownCommit, "it may have been replaced by a force push or never pushed: push it, or build the branch's tip",
		"the repository %s has no commit %s", f.loc, target)
}

func (f *fetching) explainPull(err error, target pack.ID) error {
	err = explain(f.req.memoryOr(err), f.loc)
	var fe *FetchError
	if errors.As(err, &fe) && fe.Kind == KindUnknownCommit {
		return f.unknown(target)
	}
	return err
}

// finish writes the refs as the remote has them now, and keeps the commit.
func (f *fetching) finish(adv *advert, target pack.ID) (*Resolved, error) {
	all := make(refs, len(adv.refs)+16)
	for name, id := range f.refs {
		if !mirrored(name) {
			all[name] = id
		}
	}
	for name, id := range adv.refs {
		if (mirrored(name) || name == f.req.Want.Ref) && f.view.Has(id) {
			all[name] = id
		}
	}
	id, err := f.meta.peel(target)
	if err != nil {
		return nil, err
	}
	if !f.refs.kept(id) {
		all[refsKept+day(time.Now())+"/"+id.String()] = id
	}
	if !maps.Equal(all, f.refs) {
		if err := all.write(f.dir); err != nil {
			return nil, err
		}
	}
	if adv.head != "" {
		if err := f.setHead(adv.head); err != nil {
			return nil, err
		}
	}
	return f.describe(id)
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// kept tells whether a commit was fetched for a build before.
func (r refs) kept(id pack.ID) bool {
	for name, v := range r {
		if v == id && strings.HasPrefix(name, refsKept) {
			return true
		}
	}
	return false
}
