//go:build linux

package agent

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/runner-ci/runner/runner/wire"
)

// cacheUnpacker unpacks a cache. An earlier job made it, which may have been a hostile one: nothing is written but
// what the paths of this job's cache cover, and no symbolic link is followed on the way there, neither one of the
// archive nor one that was there before.
type cacheUnpacker struct {
	ctx    context.Context
	plan   *cachePlan
	not    []string // directories that nothing is written to
	say    func(format string, args ...any)
	parent *os.Root // the directory that was written to last
	where  string   // its name in the archive
	late   []lateMode
	budget int64 // bytes of content left: no more than the archive has itself

	files    int
	bytes    int64
	refused  int
	troubles int
}

// lateMode is a directory whose owner may not write to it: that is put right when all is in it.
type lateMode struct {
	root *cacheRoot
	rel  string
	mode fs.FileMode
}

// unpackCache unpacks what the daemon put into the spool's directory.
func (p *phases) unpackCache(ctx context.Context, plan *cachePlan) (*cacheUnpacker, error) {
	f, err := p.spool.dir.OpenFile(wire.RestoreFile, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("the daemon found a cache, but it is not in the spool: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, errors.New("the daemon found a cache, but what is in the spool is no regular file")
	}
	u := &cacheUnpacker{ctx: ctx, plan: plan, not: p.uncached(), say: p.log.say, budget: info.Size()}
	err = u.run(bufio.NewReaderSize(f, 256<<10))
	if u.refused > 0 {
		p.log.say("%d item(s) of the cache were left out: they are not what cache.paths cover, or lie behind a symbolic link", u.refused)
	}
	if err != nil && context.Cause(ctx) == nil {
		err = fmt.Errorf("after %d file(s): %w; what was restored by then stays", u.files, err)
	}
	return u, err
}

func (u *cacheUnpacker) run(from io.Reader) error {
	defer u.leave()
	defer u.settleModes()
	for tr := tar.NewReader(from); ; {
		if err := context.Cause(u.ctx); err != nil {
			return err
		}
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the cache is damaged: %w", err)
		}
		if err := u.entry(hdr, tr); err != nil {
			return err
		}
	}
}

// maxTroubles is how many items that could not be written are told of one by one.
const maxTroubles = 5

// entry restores one item. What is wrong with one does not keep the others, except a disk that is full.
func (u *cacheUnpacker) entry(hdr *tar.Header, content io.Reader) error {
	name := strings.TrimSuffix(hdr.Name, "/")
	root, rel, covered, leads := u.plan.covers(name)
	dirs := hdr.Typeflag == tar.TypeDir
	if root == nil || !plainName(name) || !covered && !(leads && dirs) || u.excluded(filepath.Join(root.dir, rel), dirs) {
		u.refused++
		return nil
	}
	dir, err := u.enter(root, path.Dir(rel))
	if err == nil {
		err = u.write(dir, root, rel, hdr, content, covered)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errRefused):
		u.refused++
		return nil
	case errors.Is(err, errBudget), errors.Is(err, syscall.ENOSPC), context.Cause(u.ctx) != nil:
		return err
	}
	if u.troubles++; u.troubles <= maxTroubles {
		u.say("Skipping %s of the cache: %v", filepath.Join(root.dir, rel), reason(err))
	}
	return nil
}

var (
	errRefused = errors.New("it is not for this cache")
	errBudget  = errors.New("the cache is damaged: its items are larger than itself")
)

// excluded tells whether a place is ours, or would take ours with it if something else than a directory were put there.
func (u *cacheUnpacker) excluded(full string, dir bool) bool {
	for _, not := range u.not {
		_, below := within(not, full)
		if _, above := within(full, not); below || above && !dir {
			return true
		}
	}
	return false
}

// plainName tells whether a name is relative and has no empty part, "." or "..".
func plainName(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return !strings.Contains(name, "\x00")
}

// enter opens a directory below a root, name by name, through no symbolic link, and makes what is missing.
func (u *cacheUnpacker) enter(root *cacheRoot, rel string) (*os.Root, error) {
	where := root.name + "/" + rel
	if u.parent != nil && u.where == where {
		return u.parent, nil
	}
	u.leave()
	dir, err := os.OpenRoot(root.dir)
	if err != nil {
		return nil, err
	}
	for part := range strings.SplitSeq(rel, "/") {
		if part == "." {
			break
		}
		next, err := step(dir, part)
		dir.Close()
		if err != nil {
			return nil, err
		}
		dir = next
	}
	u.parent, u.where = dir, where
	return dir, nil
}

func step(dir *os.Root, name string) (*os.Root, error) {
	info, err := dir.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := dir.Mkdir(name, 0o755); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, errRefused
	}
	return dir.OpenRoot(name)
}

func (u *cacheUnpacker) leave() {
	if u.parent != nil {
		u.parent.Close()
		u.parent = nil
	}
}

// write writes one item in place of what has its name, except that a directory stays.
func (u *cacheUnpacker) write(dir *os.Root, root *cacheRoot, rel string, hdr *tar.Header, content io.Reader, covered bool) error {
	base := path.Base(rel)
	switch hdr.Typeflag {
	case tar.TypeDir:
		mode := fs.FileMode(hdr.Mode) & fs.ModePerm
		made, err := makeDirectory(dir, base, hdr, mode, covered)
		if made && mode&0o700 != 0o700 {
			u.late = append(u.late, lateMode{root, rel, mode})
		}
		return err
	case tar.TypeReg:
		return u.regular(dir, base, hdr, content)
	case tar.TypeSymlink:
		if err := dir.RemoveAll(base); err != nil {
			return err
		}
		if err := dir.Symlink(hdr.Linkname, base); err != nil {
			return err
		}
		u.files++
		return chown(dir, base, hdr)
	}
	return errRefused
}

// makeDirectory makes a directory. One that is there stays as it is; anything else gives way only if the cache covers
// it.
func makeDirectory(dir *os.Root, base string, hdr *tar.Header, mode fs.FileMode, covered bool) (made bool, err error) {
	info, err := dir.Lstat(base)
	if err == nil && info.IsDir() {
		return false, nil
	}
	if err == nil {
		if !covered {
			return false, errRefused
		}
		if err := dir.Remove(base); err != nil {
			return false, err
		}
	}
	if err := dir.Mkdir(base, mode|0o700); err != nil {
		return false, err
	}
	return true, errors.Join(chown(dir, base, hdr), dir.Chmod(base, mode|0o700)) // Mkdir heeds the umask
}

func (u *cacheUnpacker) regular(dir *os.Root, base string, hdr *tar.Header, content io.Reader) (err error) {
	if u.budget -= hdr.Size; u.budget < 0 {
		return errBudget
	}
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL | syscall.O_NOFOLLOW
	f, err := dir.OpenFile(base, flags, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if err = dir.RemoveAll(base); err == nil {
			f, err = dir.OpenFile(base, flags, 0o600)
		}
	}
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err == nil {
			err = dir.Chtimes(base, hdr.ModTime, hdr.ModTime)
		}
	}()
	for left := hdr.Size; left > 0; {
		if err := context.Cause(u.ctx); err != nil {
			return err
		}
		n, err := io.CopyN(f, content, min(left, 64<<20))
		u.bytes += n
		if left -= n; err != nil {
			return fmt.Errorf("the cache is damaged or cannot be written: %w", err)
		}
	}
	u.files++
	if os.Geteuid() == 0 {
		err = f.Chown(hdr.Uid, hdr.Gid)
	}
	return errors.Join(err, f.Chmod(fs.FileMode(hdr.Mode)&fs.ModePerm))
}

// chown gives an item its owner. Only root may, and elsewhere it is ours.
func chown(dir *os.Root, base string, hdr *tar.Header) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return dir.Lchown(base, hdr.Uid, hdr.Gid)
}

// settleModes takes the right to write from directories, the inner ones first.
func (u *cacheUnpacker) settleModes() {
	for i := len(u.late) - 1; i >= 0; i-- {
		late := u.late[i]
		dir, err := u.enter(late.root, path.Dir(late.rel))
		if err != nil {
			continue // a later item of the archive put something else there
		}
		base := path.Base(late.rel)
		if info, err := dir.Lstat(base); err == nil && info.IsDir() {
			_ = dir.Chmod(base, late.mode)
		}
	}
}
