package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/runner-ci/runner/source/pack"
)

// ReadFile reads one file of a commit that the mirror of url holds, as it is stored, at most max bytes of it: a
// larger one is refused. It fails with fs.ErrNotExist, and a hint of near names, when the commit has no such file.
func (s *Store) ReadFile(ctx context.Context, url, commit, name string, max int64) ([]byte, error) {
	l, err := locate(url)
	if err != nil {
		return nil, err
	}
	if _, err := parseCommit(commit); err != nil {
		return nil, err
	}
	req := request{Op: "read", URL: l.String(), Commit: commit, Path: name, Max: max}
	res, err := s.here(ctx, req, readFile)
	if err != nil {
		return nil, err
	}
	if res == nil {
		if res, err = s.do(ctx, &req); err != nil {
			return nil, err
		}
	}
	return res.Data, nil
}

func readFile(ctx context.Context, req *request) (*response, error) {
	m, err := mirrorOf(req.Dir, req.URL)
	if err != nil {
		return nil, err
	}
	v, err := req.open(ctx, m)
	if err != nil {
		return nil, err
	}
	defer v.close()
	meta := req.metadata(v.Objects)
	tree, err := meta.treeOf(req.Commit)
	if err != nil {
		return nil, err
	}
	e, err := meta.lookup(tree, req.Path)
	if err != nil {
		return nil, err
	}
	data, err := meta.blob(e, req.Path, req.Max)
	return &response{Data: data}, err
}

// treeOf returns the tree of a commit that ought to be in the mirror.
func (m metadata) treeOf(commit string) (pack.ID, error) {
	id, err := parseCommit(commit)
	if err != nil {
		return id, err
	}
	if _, _, err := m.r.Header(id); errors.Is(err, pack.ErrNotFound) {
		return id, fail(KindUnknownCommit, "fetch it first", "the mirror has no commit %s", commit)
	}
	c, err := m.commit(id)
	if err != nil {
		return id, err
	}
	return c.TreeHash, nil
}

// lookup walks down to a path. Symbolic links are not followed.
func (m metadata) lookup(tree pack.ID, name string) (treeEntry, error) {
	clean := strings.TrimPrefix(path.Clean("/"+name), "/")
	at := treeEntry{mode: modeTree, id: tree}
	walked := ""
	for part := range strings.SplitSeq(clean, "/") {
		if at.mode != modeTree {
			return at, notThere(name, fmt.Sprintf("%q is not a directory", walked))
		}
		entries, err := m.tree(at.id)
		if err != nil {
			return at, err
		}
		found := false
		names := make([]string, 0, len(entries))
		for _, e := range entries {
			if e.name == part {
				at, found = e, true
				break
			}
			names = append(names, path.Join(walked, e.name))
		}
		walked = path.Join(walked, part)
		if !found {
			return at, notThere(name, nearest(walked, names))
		}
	}
	return at, nil
}

func notThere(name, hint string) error {
	return &FetchError{Kind: KindUnknownRef, Message: fmt.Sprintf("the commit has no file %q", name), Hint: hint, Err: fs.ErrNotExist}
}

// isNotThere tells whether a commit's own trees say that there is no such file: no file of ours was missing.
func isNotThere(err error) bool {
	var fe *FetchError
	return errors.As(err, &fe) && fe.Kind == KindUnknownRef && fe.Err == fs.ErrNotExist
}

func (m metadata) blob(e treeEntry, name string, limit int64) ([]byte, error) {
	switch e.mode {
	case modeFile, modeExec:
	case modeTree:
		return nil, notThere(name, "it is a directory")
	case modeSymlink:
		return nil, notThere(name, "it is a symbolic link, which is not followed: name the file itself")
	default:
		return nil, notThere(name, "it is a submodule")
	}
	_, size, err := m.r.Header(e.id)
	if err != nil {
		return nil, explainObject(err)
	}
	if limit > 0 && size > limit {
		return nil, fail(KindTooLarge, "", "the file %q has %d bytes, more than the %d allowed", name, size, limit)
	}
	return m.read(e.id, plumbing.BlobObject)
}
