package source

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/runner-ci/runner/source/pack"
)

// lendFew gives a stranger's job a pack of its own: what branches, tags and its commit reach. A mirror holds more, such
// as what people submitted from their working trees.
func (s *Store) lendFew(ctx context.Context, m mirror, url string, id pack.ID, to string) (refs, error) {
	res, err := s.do(ctx, &request{Op: "lend", URL: url, Commit: id.String(), Target: to})
	if err != nil {
		return nil, err
	}
	all, err := readRefs(m.dir)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(all, func(name string, _ pack.ID) bool { return !slices.Contains(res.IDs, name) })
	return all, nil
}

// lend writes the pack, in the child, and answers with the refs that it satisfies.
func lend(ctx context.Context, req *request) (*response, error) {
	m, err := mirrorOf(req.Dir, req.URL)
	if err != nil {
		return nil, err
	}
	id, err := parseCommit(req.Commit)
	if err != nil {
		return nil, err
	}
	all, v, err := m.openAt(ctx, id)
	if err != nil {
		return nil, err
	}
	defer v.close()
	res := &response{}
	r := &reach{ctx: ctx, meta: newMetadata(v.Objects), seen: make(map[pack.ID]bool), queue: []pack.ID{id}}
	for name, tip := range all {
		if mirrored(name) && v.Has(tip) {
			r.queue, res.IDs = append(r.queue, tip), append(res.IDs, name)
		}
	}
	if err := r.run(); err != nil {
		return nil, err
	}
	dir := filepath.Join(req.Target, "pack")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("lending objects to a job: %w", err)
	}
	staged, err := pack.Merge(ctx, v.Packs(), dir, func(id pack.ID) bool { return r.seen[id] })
	if err != nil {
		return nil, err
	}
	if err := staged.Publish(dir); err != nil {
		staged.Discard()
		return nil, err
	}
	return res, nil
}
