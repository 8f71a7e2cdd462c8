package source

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/runner-ci/runner/source/pack"
)

// Resolved is a commit that the mirror holds, with all that it needs.
type Resolved struct {
	Commit        string
	Ref           string // as asked for; the default branch if none was
	Tree          string
	DefaultBranch string // of the remote: "refs/heads/main"; empty if it does not say
	Author        string
	AuthorEmail   string
	Subject       string // the message's first line
	When          time.Time
}

// maxMetadata bounds commits, tags and trees that are held in memory. Git itself makes them small; a tree of a
// million files in one directory has 40 MB.
const maxMetadata = 256 << 20

// metadata reads commits and trees.
type metadata struct {
	r *pack.Reader
}

func newMetadata(o *pack.Objects) metadata { return metadata{o.NewReader(maxMetadata)} }

// maxHere is the same bound for what the daemon reads itself, to spare a child's start: see here.
const maxHere = 4 << 20

// metadata returns a reader within the bounds of a request.
func (r *request) metadata(o *pack.Objects) metadata {
	if r.here {
		return metadata{o.NewReader(maxHere)}
	}
	return newMetadata(o)
}

func (m metadata) read(id pack.ID, want pack.Type) ([]byte, error) {
	kind, data, err := m.r.Read(id)
	if err != nil {
		return nil, explainObject(err)
	}
	if kind != want {
		return nil, fail(KindCorrupt, "", "%s is a %s where a %s was expected", id, kind, want)
	}
	return data, nil
}

// explainObject says what a damaged or missing object means.
func explainObject(err error) error {
	var corrupt *pack.CorruptError
	var limit *pack.LimitError
	switch {
	case errors.Is(err, pack.ErrNotFound):
		return fail(KindCorrupt, "", "the mirror lacks an object that it needs: %v", err)
	case errors.As(err, &corrupt):
		return fail(KindCorrupt, "", "the mirror holds a %v", err)
	case errors.As(err, &limit):
		return fail(KindTooLarge, "", "%v bytes", err)
	}
	return err
}

// peel follows tags to what they name.
func (m metadata) peel(id pack.ID) (pack.ID, error) {
	for range 16 {
		kind, data, err := m.r.Read(id)
		if err != nil {
			return id, explainObject(err)
		}
		if kind != plumbing.TagObject {
			return id, nil
		}
		line, _, _ := strings.Cut(string(data[:min(len(data), 64)]), "\n")
		target, ok := strings.CutPrefix(line, "object ")
		if !ok || !plumbing.IsHash(target) {
			return id, fail(KindCorrupt, "", "the tag %s is malformed", id)
		}
		id = plumbing.NewHash(target)
	}
	return id, fail(KindCorrupt, "", "the tag %s names a tag, which names a tag, and so on", id)
}

// commit reads a commit.
func (m metadata) commit(id pack.ID) (*object.Commit, error) {
	data, err := m.read(id, plumbing.CommitObject)
	if err != nil {
		return nil, err
	}
	raw := &plumbing.MemoryObject{}
	raw.SetType(plumbing.CommitObject)
	if _, err := raw.Write(data); err != nil {
		return nil, err
	}
	c := &object.Commit{}
	if err := c.Decode(raw); err != nil || c.TreeHash.IsZero() {
		return nil, fail(KindCorrupt, "", "the commit %s is malformed", id)
	}
	return c, nil
}

// resolve describes a commit, which may be named by a tag, after a look whether its tree is there.
func (m metadata) resolve(id pack.ID) (*Resolved, error) {
	id, err := m.peel(id)
	if err != nil {
		return nil, err
	}
	c, err := m.commit(id)
	if err != nil {
		return nil, err
	}
	if _, err := m.read(c.TreeHash, plumbing.TreeObject); err != nil {
		return nil, err
	}
	subject, _, _ := strings.Cut(strings.TrimLeft(c.Message, "\n"), "\n")
	return &Resolved{
		Commit: id.String(), Tree: c.TreeHash.String(), When: c.Committer.When,
		Author: text(c.Author.Name), AuthorEmail: text(c.Author.Email), Subject: text(subject),
	}, nil
}

// text makes a commit's words fit to be shown: UTF-8, of bounded length.
func text(s string) string {
	const limit = 500
	s = strings.TrimSpace(strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) > limit {
		s = s[:limit]
		for !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
		s += "…"
	}
	return s
}

// fileTime is the modification time of a commit's files: that of the commit, in what an index can hold.
func fileTime(when time.Time) time.Time {
	return time.Unix(min(max(when.Unix(), 1), math.MaxUint32), 0)
}

// walk visits commits, each once, parents after children but otherwise in no order that matters. visit returns
// false to end it. Commits that the mirror lacks are passed over.
func (m metadata) walk(ctx context.Context, from []pack.ID, visit func(pack.ID) bool) error {
	seen := make(map[pack.ID]bool)
	queue := append([]pack.ID(nil), from...)
	for n := 0; len(queue) > 0; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		id := queue[0]
		queue = queue[1:]
		if seen[id] {
			continue
		}
		seen[id] = true
		parents, ok, err := m.parents(id)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if !visit(id) {
			return nil
		}
		queue = append(queue, parents...)
	}
	return nil
}

// parents reads only the head of a commit; ok is false for what is no commit.
func (m metadata) parents(id pack.ID) (parents []pack.ID, ok bool, err error) {
	kind, data, err := m.r.Read(id)
	if errors.Is(err, pack.ErrNotFound) || err == nil && kind != plumbing.CommitObject {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, explainObject(err)
	}
	_, parents, err = commitLinks(id, data)
	return parents, err == nil, err
}

// commitLinks reads the tree and the parents of a commit.
func commitLinks(id pack.ID, data []byte) (tree pack.ID, parents []pack.ID, err error) {
	for n := 0; ; n++ {
		line, _, _ := strings.Cut(string(data[:min(len(data), 64)]), "\n")
		word, value, _ := strings.Cut(line, " ")
		switch {
		case n == 0 && word == "tree" && plumbing.IsHash(value):
			tree = plumbing.NewHash(value)
		case n > 0 && word == "parent" && plumbing.IsHash(value):
			parents = append(parents, plumbing.NewHash(value))
		case n > 0:
			return tree, parents, nil
		default:
			return tree, nil, fail(KindCorrupt, "", "the commit %s is malformed", id)
		}
		data = data[min(len(line)+1, len(data)):]
	}
}
