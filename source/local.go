package source

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/revlist"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"github.com/runner-ci/runner/source/pack"
)

// local is a repository on this machine, read without a git binary.
type local struct {
	store *filesystem.Storage
}

func openLocal(path string) (connection, error) {
	dir, err := gitDirectory(path)
	if err != nil {
		return nil, err
	}
	return &local{filesystem.NewStorage(osfs.New(dir), cache.NewObjectLRUDefault())}, nil
}

// gitDirectory finds the repository at a path: bare, or .git of a working tree.
func gitDirectory(path string) (string, error) {
	if _, err := os.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", fail(KindNotFound, "correct the path", "there is no %s", path)
		}
		return "", fail(KindNotFound, "let the daemon's user read it", "%s cannot be looked into: %v", path, err)
	}
	for _, dir := range []string{filepath.Join(path, ".git"), path} {
		if _, err := os.Stat(filepath.Join(dir, "objects")); err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "HEAD")); err == nil {
			return dir, nil
		}
	}
	if info, err := os.Stat(filepath.Join(path, ".git")); err == nil && !info.IsDir() {
		return "", fail(KindNotGit, "name the main repository, in which the commits lie", "%s is a linked working tree", path)
	}
	return "", fail(KindNotGit, "correct the path", "%s is not a git repository", path)
}

func (l *local) close() {}

// has keeps go-git from walking from what is not here.
func (l *local) has(id pack.ID) bool { return l.store.HasEncodedObject(id) == nil }

func (l *local) advertise(context.Context) (*advert, error) {
	iter, err := l.store.IterReferences()
	if err != nil {
		return nil, err
	}
	defer iter.Close()
	a := &advert{refs: refs{}, peeled: refs{}, any: true}
	err = iter.ForEach(func(r *plumbing.Reference) error {
		name := r.Name().String()
		switch {
		case r.Type() == plumbing.HashReference && validRef(name) && !strings.HasPrefix(name, refsOurs):
			a.refs[name] = r.Hash()
			if tag, err := object.GetTag(l.store, r.Hash()); err == nil && strings.HasPrefix(name, "refs/tags/") {
				a.peeled[name] = peel(l.store, tag)
			}
		case r.Name() == plumbing.HEAD && r.Type() == plumbing.SymbolicReference && validRef(r.Target().String()):
			a.head = r.Target().String()
		}
		return nil
	})
	return a, err
}

// maxPeel bounds how many tags may point to each other.
const maxPeel = 10

// peel is what a tag points to in the end.
func peel(store *filesystem.Storage, tag *object.Tag) pack.ID {
	for range maxPeel {
		next, err := object.GetTag(store, tag.Target)
		if err != nil {
			break
		}
		tag = next
	}
	return tag.Target
}

// fetch packs what is wanted, reusing the repository's own deltas.
func (l *local) fetch(ctx context.Context, wants, haves []pack.ID) (io.ReadCloser, error) {
	for _, id := range wants {
		if !l.has(id) {
			return nil, fail(KindUnknownCommit, "push it there first", "the repository has no commit %s", id)
		}
	}
	known, err := revlist.Objects(l.store, haves, nil)
	if err != nil {
		return nil, err
	}
	ids, err := revlist.Objects(l.store, wants, known)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	pr, pw := io.Pipe()
	go func() {
		_, err := packfile.NewEncoder(pw, l.store, false).Encode(ids, 10)
		pw.CloseWithError(err)
	}()
	return pr, nil
}
