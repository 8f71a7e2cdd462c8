package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-git/go-git/v5/plumbing/format/index"
	"golang.org/x/sys/unix"
)

// Check proves what the store relies on, and reports each thing that is not so: every mirror's packs are whole and
// every ref's commit is there; every snapshot's files have the modes, sizes and times that were written. It changes
// nothing. The error is about the check itself.
func (s *Store) Check(ctx context.Context, report func(string)) error {
	err := s.eachMirror(func(m mirror) error {
		res, err := s.do(ctx, &request{Op: "check", URL: m.url})
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			report(fmt.Sprintf("mirror of %s: %v", m.url, err))
			return nil
		}
		for _, p := range res.Problems {
			report(fmt.Sprintf("mirror of %s: %s", m.url, p))
		}
		return nil
	})
	if err != nil {
		return err
	}
	dir := filepath.Join(s.opts.Dir, "snapshots")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if err := s.checkSnapshot(ctx, filepath.Join(dir, e.Name()), report); err != nil {
			return err
		}
	}
	return nil
}

// check is Check's part in the child, for one mirror.
func check(ctx context.Context, req *request) (*response, error) {
	m, err := mirrorOf(req.Dir, req.URL)
	if err != nil {
		return nil, err
	}
	v, err := m.open(ctx)
	if err != nil {
		return nil, err
	}
	defer v.close()
	res := &response{}
	for _, p := range v.Packs() {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := p.Verify(); err != nil {
			res.Problems = append(res.Problems, err.Error())
		}
	}
	all, err := readRefs(m.dir)
	if err != nil {
		return nil, err
	}
	meta := newMetadata(v.Objects)
	for name, id := range all {
		if _, _, err := meta.r.Header(id); err != nil {
			res.Problems = append(res.Problems, fmt.Sprintf("%s names %s, which cannot be read: %v", name, id, err))
		}
	}
	slices.Sort(res.Problems)
	return res, nil
}

// checkSnapshot compares a snapshot's files with its index.
func (s *Store) checkSnapshot(ctx context.Context, home string, report func(string)) error {
	lock, err := lockFile(ctx, home+".lock", shared)
	if err != nil {
		return err
	}
	defer lock.unlock()
	name := filepath.Base(home)
	l, err := readLayout(home)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // evicted meanwhile
	case err != nil:
		report(fmt.Sprintf("snapshot %s: meta.json cannot be read: %v", name, err))
		return nil
	case l.Boot != bootID():
		return nil // of a former boot: it is made anew before anybody uses it
	}
	f, err := os.Open(filepath.Join(home, "index"))
	if err != nil {
		report(fmt.Sprintf("snapshot %s: %v", name, err))
		return nil
	}
	defer f.Close()
	idx := &index.Index{}
	if err := index.NewDecoder(f).Decode(idx); err != nil {
		report(fmt.Sprintf("snapshot %s: its index cannot be read: %v", name, err))
		return nil
	}
	for _, e := range idx.Entries {
		if why := differs(filepath.Join(home, "tree", e.Name), e); why != "" {
			report(fmt.Sprintf("snapshot %s: %q %s", name, e.Name, why))
		}
	}
	return nil
}

// differs tells how a file is not what the index says.
func differs(path string, e *index.Entry) string {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return "is missing"
	}
	m, _ := mode(st.Mode).canonical()
	switch {
	case e.Mode == 0o160000:
		return ""
	case mode(e.Mode) != m:
		return fmt.Sprintf("has mode %o instead of %o", m, uint32(e.Mode))
	case uint32(st.Size) != e.Size:
		return fmt.Sprintf("has %d bytes instead of %d", st.Size, e.Size)
	case st.Mtim.Sec != e.ModifiedAt.Unix():
		return "was changed"
	}
	return ""
}
