package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runner-ci/runner/source/pack"
)

// GitDirOptions shape the .git of one job.
type GitDirOptions struct {
	Ref       string // what is built: a branch is checked out, anything else leaves HEAD detached
	Depth     int    // of the history to be seen; 0 is all of it
	RemoteURL string // of the remote "origin"; credentials in it are dropped

	// ObjectsPath is where the job will see HostObjectsDir, a directory of this machine into which the mirror's packs,
	// but for those of other people's submits, are hard-linked: what happens to the mirror afterwards cannot hurt the job. The job should see it read-only.
	ObjectsPath    string
	HostObjectsDir string

	// Stranger has a pack of its own written there instead, with what branches, tags and the commit reach.
	Stranger bool
}

// GitDir writes dst/.git for a snapshot. Laid over the snapshot's tree, or over a copy of it that keeps the times, it
// is a working tree as "git clone" leaves it: "git status" is clean, "git log" and "git describe" work. The files
// belong to whoever runs the daemon, so the job needs safe.directory set to its source directory.
func (s *Store) GitDir(ctx context.Context, snap *Snapshot, dst string, opts GitDirOptions) error {
	m, err := mirrorOf(s.opts.Dir, snap.url)
	if err != nil {
		return err
	}
	id, err := parseCommit(snap.Commit)
	if err != nil {
		return err
	}
	var all refList
	if opts.Stranger {
		all, err = s.lendFew(ctx, snap.url, id, opts.HostObjectsDir)
	} else {
		all, err = m.lend(ctx, id, refOwner(opts.Ref), opts.HostObjectsDir)
	}
	if err != nil {
		return err
	}
	boundary, err := s.boundary(ctx, snap, opts.Depth)
	if err != nil {
		return err
	}
	git := filepath.Join(dst, ".git")
	for _, d := range []string{"objects/info", "objects/pack", "refs/heads", "refs/tags", "refs/remotes/origin", "info"} {
		if err := os.MkdirAll(filepath.Join(git, d), 0o755); err != nil {
			return fmt.Errorf("making .git: %w", err)
		}
	}
	files := gitFiles(m, all, id, opts)
	if len(boundary) > 0 {
		files["shallow"] = []byte(strings.Join(boundary, "\n") + "\n")
	}
	for name, body := range files {
		if err := os.WriteFile(filepath.Join(git, name), body, 0o644); err != nil {
			return fmt.Errorf("writing .git: %w", err)
		}
	}
	return copyFile(filepath.Join(snap.home, "index"), filepath.Join(git, "index"))
}

// gitFiles are the small files of a .git, by name.
func gitFiles(m mirror, all refList, id pack.ID, opts GitDirOptions) map[string][]byte {
	branch, onBranch := strings.CutPrefix(opts.Ref, "refs/heads/")
	onBranch = onBranch && validRef(opts.Ref)
	head := id.String() + "\n"
	if onBranch {
		head = "ref: " + opts.Ref + "\n"
	}
	config := "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n" +
		// The index holds of a file's state only what survives being mounted elsewhere.
		"\tcheckStat = minimal\n\ttrustctime = false\n" +
		"\tautocrlf = false\n[gc]\n\tauto = 0\n"
	if opts.RemoteURL != "" {
		config += "[remote \"origin\"]\n\turl = " + quoteConfig(redact(opts.RemoteURL)) + "\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n"
		if onBranch {
			config += "[branch " + quoteConfig(branch) + "]\n\tremote = origin\n\tmerge = " + quoteConfig(opts.Ref) + "\n"
		}
	}
	visible := jobRefs(all, id, opts)
	files := map[string][]byte{
		"HEAD": []byte(head), "config": []byte(config), "packed-refs": visible.text(), "info/exclude": nil,
		"objects/info/alternates": []byte(opts.ObjectsPath + "\n"),
	}
	if base, ok := strings.CutPrefix(m.head(), "refs/heads/"); ok && opts.RemoteURL != "" {
		if visible.has("refs/remotes/origin/" + base) {
			files["refs/remotes/origin/HEAD"] = []byte("ref: refs/remotes/origin/" + base + "\n")
		}
	}
	return files
}

// jobRefs are the refs that a job sees: the branch it is on, all tags, and the remote's branches; with a depth, only
// its own branch of those.
func jobRefs(all refList, id pack.ID, opts GitDirOptions) refList {
	own := ownRefs(all, id, opts)
	out := make(refList, 0, len(all)+len(own))
	for _, r := range all {
		branch, isBranch := strings.CutPrefix(r.name, "refs/heads/")
		switch {
		case strings.HasPrefix(r.name, "refs/tags/"):
		case isBranch && opts.RemoteURL != "" && (opts.Depth == 0 || r.name == opts.Ref):
			r.name = "refs/remotes/origin/" + branch
		default:
			continue
		}
		if !own.has(r.name) {
			out = append(out, r)
		}
	}
	out = append(out, own...)
	slices.SortFunc(out, func(a, b namedRef) int { return strings.Compare(a.name, b.name) })
	return out
}

// ownRefs are those that a job has for what it builds, in place of what the mirror says of them.
func ownRefs(all refList, id pack.ID, opts GitDirOptions) (own refList) {
	at := func(name string) { own = append(own, namedRef{id.String(), name}) }
	switch rest, _ := strings.CutPrefix(opts.Ref, "refs/"); {
	case !validRef(opts.Ref), strings.HasPrefix(opts.Ref, refsOurs):
	case strings.HasPrefix(opts.Ref, "refs/heads/"):
		at(opts.Ref)
		if opts.RemoteURL != "" && opts.Depth > 0 {
			at("refs/remotes/origin/" + strings.TrimPrefix(rest, "heads/"))
		}
	case strings.HasPrefix(opts.Ref, "refs/tags/"):
		if !all.has(opts.Ref) {
			at(opts.Ref) // the remote deleted it since
		}
	case opts.RemoteURL != "":
		at("refs/remotes/origin/" + rest) // a pull request's head
	}
	return own
}

// openAt opens the mirror's objects for a job of a commit, with its refs: what they name is there. No pack goes while the lock
// is held, and refs name only what is in the packs that were there when they were written. The caller closes the view.
func (m mirror) openAt(ctx context.Context, id pack.ID, want func(file string) bool) (refList, *view, error) {
	use, err := m.use(ctx)
	if err != nil {
		return nil, nil, err
	}
	all, err := listRefs(m.dir)
	if err != nil {
		use.unlock()
		return nil, nil, err
	}
	v, err := m.openUsed(use, want)
	if err != nil {
		return nil, nil, err
	}
	if !v.Has(id) {
		v.close()
		return nil, nil, fail(KindUnknownCommit, "fetch it again", "the mirror no longer has the commit %s", id)
	}
	return all, v, nil
}

// lend hard-links those of the mirror's packs that an owner may see into a directory of objects, and returns the refs that
// they satisfy. It opens them only for a commit that no ref names.
func (m mirror) lend(ctx context.Context, id pack.ID, owner, to string) (refList, error) {
	use, err := m.use(ctx)
	if err != nil {
		return nil, err
	}
	defer use.unlock()
	all, err := listRefs(m.dir)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r namedRef) bool { return strings.HasPrefix(r.name, refsSubmit) && refOwner(r.name) != owner })
	may := seenBy(owner)
	if !all.names(id) {
		_, v, err := m.openAt(ctx, id, may)
		if err != nil {
			return nil, err
		}
		v.close()
	}
	dir := filepath.Join(to, "pack")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("lending objects to a job: %w", err)
	}
	entries, err := os.ReadDir(m.packs())
	if err != nil {
		return nil, fmt.Errorf("lending objects to a job: %w", err)
	}
	for _, e := range entries {
		index, ok := strings.CutSuffix(e.Name(), ".idx")
		if !ok || !strings.HasPrefix(index, "pack-") || !may(index) {
			continue
		}
		_, plain := packOwner(index)
		for _, ext := range []string{".pack", ".idx"} {
			if err := linkOrCopy(filepath.Join(m.packs(), index+ext), filepath.Join(dir, plain+ext)); err != nil {
				return nil, fmt.Errorf("lending objects to a job: %w", err)
			}
		}
	}
	return all, nil
}

// linkOrCopy links a file, or copies it where that cannot be: between file systems, or with too many links.
func linkOrCopy(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, os.ErrExist) {
		return nil
	}
	return copyFile(from, to)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// boundary lists the commits at which a history of some depth ends.
func (s *Store) boundary(ctx context.Context, snap *Snapshot, depth int) ([]string, error) {
	switch depth {
	case 0:
		return nil, nil
	case 1:
		return []string{snap.Commit}, nil
	}
	res, err := s.do(ctx, &request{Op: "shallow", URL: snap.url, Commit: snap.Commit, Depth: depth})
	if err != nil {
		return nil, err
	}
	return res.IDs, nil
}

// shallow walks depth commits down, and returns those at the end that have parents, in the child.
func shallow(ctx context.Context, req *request) (*response, error) {
	m, err := mirrorOf(req.Dir, req.URL)
	if err != nil {
		return nil, err
	}
	v, err := m.open(ctx)
	if err != nil {
		return nil, err
	}
	defer v.close()
	meta := newMetadata(v.Objects)
	id, err := parseCommit(req.Commit)
	if err != nil {
		return nil, err
	}
	res := &response{}
	level, seen := []pack.ID{id}, map[pack.ID]bool{id: true}
	for d := 1; len(level) > 0; d++ {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		var next []pack.ID
		for _, id := range level {
			parents, _, err := meta.parents(id)
			if err != nil {
				return nil, err
			}
			if d == req.Depth && len(parents) > 0 {
				res.IDs = append(res.IDs, id.String())
				continue
			}
			for _, p := range parents {
				if d < req.Depth && !seen[p] {
					seen[p] = true
					next = append(next, p)
				}
			}
		}
		level = next
	}
	slices.Sort(res.IDs)
	return res, nil
}
