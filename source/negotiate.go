package source

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/runner-ci/runner/source/pack"
)

// mirrored tells which of the remote's refs the mirror always has.
func mirrored(ref string) bool {
	return strings.HasPrefix(ref, "refs/heads/") || strings.HasPrefix(ref, "refs/tags/")
}

// wants lists what is advertised, wanted, and not here yet.
func (f *fetching) wants(adv *advert, target pack.ID) []pack.ID {
	wanted := make(map[pack.ID]bool)
	for name, id := range adv.refs {
		if (mirrored(name) || name == f.req.Want.Ref || id == target) && !f.view.Has(id) {
			wanted[id] = true
		}
	}
	return slices.Collect(maps.Keys(wanted))
}

// pull fetches objects and takes them into the mirror.
func (f *fetching) pull(ctx context.Context, conn connection, wants []pack.ID) error {
	if len(wants) == 0 {
		return nil
	}
	haves, err := f.haves(ctx, conn)
	if err != nil {
		return err
	}
	stream, err := conn.fetch(ctx, wants, haves)
	if err != nil {
		return err
	}
	defer stream.Close()
	staged, err := pack.Ingest(ctx, stream, f.staging(), f.view.Objects, pack.Limits{ObjectBytes: f.req.objectLimit()})
	if err != nil {
		return err
	}
	if err := staged.Publish(f.packs()); err != nil {
		staged.Discard()
		return err
	}
	f.view.close()
	return f.read(ctx)
}

// maxHaves bounds what the remote is told that we have.
const maxHaves = 512

// haves lists commits of the mirror: the tips, and ever older ones below them, since tips may have been replaced.
func (f *fetching) haves(ctx context.Context, conn connection) ([]pack.ID, error) {
	var out []pack.ID
	seen := make(map[pack.ID]bool)
	add := func(id pack.ID) {
		if !seen[id] && len(out) < maxHaves && f.view.Has(id) && conn.has(id) {
			seen[id] = true
			out = append(out, id)
		}
	}
	names := slices.SortedFunc(maps.Keys(f.refs), func(a, b string) int {
		if heads := func(s string) bool { return strings.HasPrefix(s, "refs/heads/") }; heads(a) != heads(b) {
			if heads(a) {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		if !strings.HasPrefix(name, refsSubmit) { // nobody else knows those
			add(f.refs[name])
		}
	}
	n, next := 0, 1
	from := slices.Collect(maps.Values(f.refs)) // those of submits are not in this view, and passed over
	if head, ok := f.refs[f.head()]; ok {
		from = []pack.ID{head}
	}
	err := f.meta.walk(ctx, from, func(id pack.ID) bool {
		if n++; n == next {
			add(id)
			next *= 2
		}
		return n < maxKnownWalk
	})
	return out, err
}

// pullUnnamed asks for a commit that no ref of the remote names. Many servers allow it.
func (f *fetching) pullUnnamed(ctx context.Context, adv *advert, target pack.ID) error {
	if adv.any {
		conn, err := connect(f.req.Remote, f.loc, f.req.Guarded)
		if err != nil {
			return explain(err, f.loc)
		}
		defer conn.close()
		if _, err := conn.advertise(ctx); err != nil {
			return explain(err, f.loc)
		}
		if err := f.pull(ctx, conn, []pack.ID{target}); err != nil {
			return f.explainPull(err, target)
		}
		if f.view.Has(target) {
			return nil
		}
	}
	return f.unknown(target)
}
