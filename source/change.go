package source

import (
	"context"
	"errors"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/runner-ci/runner/source/pack"
)

// Change is what came with a commit, as git itself has it.
type Change struct {
	Message string   `json:"message"`           // the commit's; of a very long one the beginning
	Files   []string `json:"files,omitempty"`   // that were added, changed or removed, sorted
	Unknown string   `json:"unknown,omitempty"` // why the files cannot be told
}

// Since says what a commit is compared with. One field is set; with none, only the message is read.
type Since struct {
	Commit string `json:"commit,omitempty"` // the commit that the ref pointed to before
	New    string `json:"new,omitempty"`    // the ref did not exist: what the default branch lacks, or all where this is it
	Base   string `json:"base,omitempty"`   // a pull request into this ref: what came since the two parted
}

// MaxChanged bounds the files of a change that are told.
const MaxChanged = 50_000

const (
	// maxMessage bounds a commit's message in bytes. Its trailers are at its end, and a message longer than this is none that
	// a person wrote.
	maxMessage = 256 << 10
	// maxBaseWalk bounds the search for where two histories part, and maxBaseWalkHere what of it the daemon does itself.
	maxBaseWalk, maxBaseWalkHere = 300_000, 2_000
	// maxTrees bounds the trees that are compared: a hostile one can hold more of them than files.
	maxTrees, maxTreesHere = 200_000, 2_000
)

// Change tells what came with a commit that the mirror of r holds. That the files cannot be told is no error.
func (s *Store) Change(ctx context.Context, r Remote, commit string, since Since) (Change, error) {
	l, err := locate(r.URL)
	if err != nil {
		return Change{}, err
	}
	if _, err := parseCommit(commit); err != nil {
		return Change{}, err
	}
	req := request{Op: "change", URL: l.String(), Commit: commit, Since: since}
	res, _ := s.here(ctx, req, compareCommits)
	if res == nil {
		if res, err = s.do(ctx, &req); err != nil {
			return Change{}, err
		}
	}
	return *res.Change, nil
}

// DefaultBranch is the default branch of a remote as its mirror has it, a full ref; "" where that is not known.
func (s *Store) DefaultBranch(url string) string {
	m, err := mirrorOf(s.opts.Dir, url)
	if err != nil {
		return ""
	}
	head := m.head()
	// A mirror that is new says main before it knows.
	if all, err := listRefs(m.dir); err != nil || !all.has(head) {
		return ""
	}
	return head
}

// compareCommits is done here, or in a child.
func compareCommits(ctx context.Context, req *request) (*response, error) {
	m, err := mirrorOf(req.Dir, req.URL)
	if err != nil {
		return nil, err
	}
	all, err := readRefs(m.dir)
	if err != nil {
		return nil, err
	}
	v, err := req.open(ctx, m)
	if err != nil {
		return nil, err
	}
	defer v.close()
	c := &comparison{ctx: ctx, meta: req.metadata(v.Objects), refs: all, head: m.head(), commits: maxBaseWalk, trees: maxTrees}
	if req.here {
		c.commits, c.trees = maxBaseWalkHere, maxTreesHere
	}
	out, err := c.change(req.Commit, req.Since)
	if errors.Is(err, errLongWalk) && !req.here {
		out.Unknown, err = "the history or the tree is too large to be compared", nil
	}
	return &response{Change: out}, err
}

// comparison finds the files that differ between two commits.
type comparison struct {
	ctx     context.Context
	meta    metadata
	refs    refs
	head    string // the default branch
	commits int    // that may be walked still
	trees   int    // that may be read still
	files   []string
}

var errManyFiles = errors.New("more files differ than are told")

func (c *comparison) change(commit string, since Since) (*Change, error) {
	id, err := parseCommit(commit)
	if err != nil {
		return nil, err
	}
	of, err := c.meta.commit(id)
	if err != nil {
		return nil, err
	}
	out := &Change{Message: of.Message[:min(len(of.Message), maxMessage)]}
	if since == (Since{}) {
		return out, nil
	}
	before, why, err := c.before(id, since)
	if err != nil || why != "" {
		out.Unknown = why
		return out, err
	}
	err = c.compare("", before, of.TreeHash)
	if errors.Is(err, errManyFiles) {
		out.Unknown = "more than 50,000 files differ"
		return out, nil
	}
	slices.Sort(c.files)
	out.Files = c.files
	return out, err
}

// before is the tree that a commit is compared with, zero for an empty one; or why there is none.
func (c *comparison) before(id pack.ID, since Since) (tree pack.ID, why string, err error) {
	switch {
	case since.Commit != "":
		was, err := parseCommit(since.Commit)
		if err != nil {
			return tree, "the commit before the push is malformed", nil
		}
		if tree, err = c.meta.treeOf(since.Commit); kindIs(err, KindUnknownCommit) {
			return tree, "the commit before the push, " + was.String()[:12] + ", is gone, as after a force push", nil
		}
		return tree, "", err
	case since.New != "":
		tip, ok := c.refs[c.head]
		if since.New == c.head || !ok {
			return tree, "", nil
		}
		return c.parting(id, tip)
	}
	tip, ok := c.refs[since.Base]
	if !ok {
		return tree, "the repository has no " + since.Base + ", into which the pull request is to go", nil
	}
	base, found, err := c.mergeBase(id, tip)
	switch {
	case err != nil:
	case found && base == id:
		why = "the pull request's commits are in " + since.Base + " already"
	case found:
		tree, err = c.meta.treeOf(base.String())
	}
	return tree, why, err
}

// parting is the tree from which a commit and a tip parted, an empty one if they have nothing in common.
func (c *comparison) parting(id, tip pack.ID) (tree pack.ID, why string, err error) {
	base, found, err := c.mergeBase(id, tip)
	if err == nil && found {
		tree, err = c.meta.treeOf(base.String())
	}
	return tree, "", err
}

func kindIs(err error, kind Kind) bool {
	var fe *FetchError
	return errors.As(err, &fe) && fe.Kind == kind
}

// compare adds the files below two trees that differ. What is the same in both is not read.
func (c *comparison) compare(prefix string, a, b pack.ID) error {
	if a == b {
		return nil
	}
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	olds, err := c.entries(a)
	if err != nil {
		return err
	}
	news, err := c.entries(b)
	if err != nil {
		return err
	}
	was := make(map[string]treeEntry, len(olds))
	for _, e := range olds {
		was[e.name] = e
	}
	for _, e := range news {
		old := was[e.name]
		delete(was, e.name)
		if err := c.differ(prefix+e.name, old, e); err != nil {
			return err
		}
	}
	for name, e := range was {
		if err := c.differ(prefix+name, e, treeEntry{}); err != nil {
			return err
		}
	}
	return nil
}

// differ compares what stands at one path, where it may be a file in one tree and a directory in the other.
func (c *comparison) differ(path string, old, now treeEntry) error {
	if old.id == now.id && old.mode == now.mode {
		return nil
	}
	if len(path) > maxPath {
		return errLongWalk
	}
	var below, above pack.ID
	if old.mode == modeTree {
		below = old.id
	}
	if now.mode == modeTree {
		above = now.id
	}
	if file(old) || file(now) {
		if len(c.files) >= MaxChanged {
			return errManyFiles
		}
		c.files = append(c.files, path)
	}
	return c.compare(path+"/", below, above)
}

// file is true of what a tree has that is no directory.
func file(e treeEntry) bool { return e.mode != 0 && e.mode != modeTree }

func (c *comparison) entries(id pack.ID) ([]treeEntry, error) {
	if id == plumbing.ZeroHash {
		return nil, nil
	}
	if c.trees--; c.trees < 0 {
		return nil, errLongWalk
	}
	return c.meta.tree(id)
}
