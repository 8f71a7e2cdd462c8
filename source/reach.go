package source

import (
	"context"
	"errors"
	"slices"

	"github.com/runner-ci/runner/source/pack"
)

// Pushed tells whether a commit that the mirror holds is in the history of a branch or a tag of its repository, so that
// somebody who may push there has put it there. Forges give out commits of forks by their ids too, and a mirror keeps
// what laptops sent. Where the mirror says no, the remote is asked for what was pushed since.
func (s *Store) Pushed(ctx context.Context, r Remote, commit string) (bool, error) {
	l, err := locate(r.URL)
	if err != nil {
		return false, err
	}
	if _, err := parseCommit(commit); err != nil {
		return false, err
	}
	req := request{Op: "pushed", URL: l.String(), Commit: commit}
	ask := func() (bool, error) {
		res, _ := s.here(ctx, req, pushed)
		if res == nil {
			if res, err = s.do(ctx, &req); err != nil {
				return false, err
			}
		}
		return len(res.IDs) > 0, nil
	}
	if yes, err := ask(); yes || err != nil {
		return yes, err
	}
	var unknown *FetchError
	if _, err := s.fetchAs(ctx, r, Want{}, true, false); errors.As(err, &unknown) && unknown.UserFault() {
		return false, nil // a repository that is empty, or has no default branch
	} else if err != nil {
		return false, err
	}
	return ask()
}

// maxPushedHere bounds the walk that the daemon does itself, in commits. A longer one is left to a child.
const maxPushedHere = 20_000

var errLongWalk = errors.New("the history is too long to be walked here")

// pushed answers with the commit, if a branch or a tag reaches it.
func pushed(ctx context.Context, req *request) (*response, error) {
	m, err := mirrorOf(req.Dir, req.URL)
	if err != nil {
		return nil, err
	}
	id, err := parseCommit(req.Commit)
	if err != nil {
		return nil, err
	}
	all, err := listRefs(m.dir)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r namedRef) bool { return !mirrored(r.name) })
	if all.names(id) {
		return &response{IDs: []string{req.Commit}}, nil
	}
	v, err := req.open(ctx, m)
	if err != nil {
		return nil, err
	}
	defer v.close()
	meta := req.metadata(v.Objects)
	var tips []pack.ID
	for tip := range all.ids() {
		if at, err := meta.peel(tip); err == nil {
			tips = append(tips, at)
		}
	}
	res, n := &response{}, 0
	err = meta.walk(ctx, tips, func(at pack.ID) bool {
		if at == id {
			res.IDs = []string{req.Commit}
		}
		n++
		return len(res.IDs) == 0 && !(req.here && n >= maxPushedHere)
	})
	if err == nil && len(res.IDs) == 0 && req.here && n >= maxPushedHere {
		err = errLongWalk
	}
	return res, err
}
