package source

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/runner-ci/runner/source/pack"
)

// lendFew gives a stranger's job a pack of its own: what branches, tags and its commit reach. A mirror holds more, such
// as what people submitted from their working trees.
func (s *Store) lendFew(ctx context.Context, url string, id pack.ID, to string) (refList, error) {
	res, err := s.do(ctx, &request{Op: "lend", URL: url, Commit: id.String(), Target: to})
	if err != nil {
		return nil, err
	}
	lent := make(refList, 0, len(res.IDs))
	for _, ref := range res.IDs {
		id, name, _ := strings.Cut(ref, " ")
		lent = append(lent, namedRef{id, name})
	}
	return lent, nil
}

// lend writes the pack, in the child, and answers with the refs that it satisfies: "ID NAME".
func lend(ctx context.Context, req *request) (*response, error) {
	m, err := mirrorOf(req.Dir, req.URL)
	if err != nil {
		return nil, err
	}
	id, err := parseCommit(req.Commit)
	if err != nil {
		return nil, err
	}
	all, v, err := m.openAt(ctx, id, func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	defer v.close()
	res := &response{}
	r := &reach{ctx: ctx, meta: newMetadata(v.Objects), seen: make(map[pack.ID]bool), queue: []pack.ID{id}}
	for _, ref := range all {
		if mirrored(ref.name) {
			r.queue, res.IDs = append(r.queue, plumbing.NewHash(ref.id)), append(res.IDs, ref.id+" "+ref.name)
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
