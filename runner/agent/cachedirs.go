//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/runner-ci/runner/runner/wire"
)

// cacheDir is a whole directory that a cache is of.
type cacheDir struct {
	name string // with that of its root before it: "source/node_modules"
	root *cacheRoot
	rel  string // below the root
	full string
	sure bool   // it can be nothing but a directory
	at   string // where it is mounted; "" in the source directory
	link bool   // a symbolic link leads there
}

// cacheDirs returns the directories of a cache that consists of nothing else, and that the daemon could mount, sorted by
// name; nil where there is another path among them.
func (p *phases) cacheDirs(plan *cachePlan) (dirs []*cacheDir) {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, root := range plan.roots {
		for _, pattern := range root.patterns {
			rel, sure := wholeDirectory(pattern.String())
			d := &cacheDir{name: root.name + "/" + rel, root: root, rel: rel, full: filepath.Join(root.dir, rel), sure: sure}
			if rel == "" || !p.mountable(d) {
				return nil
			}
			dirs = append(dirs, d)
		}
	}
	slices.SortFunc(dirs, func(a, b *cacheDir) int { return strings.Compare(a.name, b.name) })
	dirs = slices.CompactFunc(dirs, func(a, b *cacheDir) bool { return a.name == b.name })
	for i, d := range dirs {
		for _, other := range dirs[:i] {
			_, below := within(other.full, d.full)
			_, above := within(d.full, other.full)
			if below || above {
				return nil
			}
		}
	}
	return dirs
}

// wholeDirectory returns the directory that a pattern is all of. sure tells that it can be nothing but a directory.
func wholeDirectory(pattern string) (rel string, sure bool) {
	rel = pattern
	for _, suffix := range []string{"/**/*", "/**"} {
		if cut, ok := strings.CutSuffix(pattern, suffix); ok {
			rel, sure = cut, true
			break
		}
	}
	if strings.ContainsAny(rel, `*?[\`) || rel == "." {
		return "", false
	}
	return rel, sure
}

// mountable tells whether a directory can be mounted, or have a link in its place: nothing of the image lies there.
func (p *phases) mountable(d *cacheDir) bool {
	if d.root.name == "source" {
		return true
	}
	for _, not := range p.uncached() {
		_, below := within(not, d.full)
		_, above := within(d.full, not)
		if below || above {
			return false
		}
	}
	at := d.root.dir
	names := strings.Split(d.rel, "/")
	for i, name := range names {
		device := deviceOf(at)
		at = filepath.Join(at, name)
		info, err := os.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return true
		case err != nil || !info.IsDir():
			return false
		case i == len(names)-1:
			entries, err := os.ReadDir(at)
			d.sure = true
			return err == nil && len(entries) == 0 && deviceOf(at) == device
		}
	}
	return false
}

func deviceOf(path string) uint64 {
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		return 0
	}
	return uint64(st.Dev) //nolint:unconvert // it has another type on other processors
}

func (c *cachePlan) names() (names []string) {
	for _, d := range c.dirs {
		names = append(names, d.name)
	}
	return names
}

// useMounts begins to work with what the daemon mounted, before the first command. The workspace is a new mount, so that
// the shell has to enter it again.
func (p *phases) useMounts(ctx context.Context, plan *cachePlan, a wire.CacheAnswer) error {
	if _, err := p.shell.ask(ctx, "cd \"$PWD\"\nunset OLDPWD\n"); err != nil {
		return err
	}
	for _, l := range a.Links {
		i := slices.IndexFunc(plan.dirs, func(d *cacheDir) bool { return d.name == l.Dir })
		if i < 0 {
			return fmt.Errorf("the daemon mounted %s, which was not asked for", l.Dir)
		}
		d := plan.dirs[i]
		if d.at = l.To; a.File != "" || !a.Hit && !d.sure {
			continue // what is to be unpacked there, or may become a file, is taken over there in the end
		}
		if err := d.linkTo(l.To, a.Hit); err != nil {
			plan.unlink()
			return fmt.Errorf("putting a link to the cache at %s: %w", d.full, err)
		}
	}
	plan.mounted = true
	return nil
}

// unlink takes away the links that were put before one could not be.
func (c *cachePlan) unlink() {
	for _, d := range c.dirs {
		if d.link {
			_ = os.Remove(d.full)
		}
	}
}

// linkTo puts a symbolic link in a directory's place. What had to be made for that, and the directory itself unless the
// cache had it, has the owner and the mode of what was there.
func (d *cacheDir) linkTo(to string, hit bool) error {
	if now, err := os.Readlink(d.full); err == nil && now == to {
		d.link = true
		return nil // by an agent that asked before
	}
	like, err := os.Lstat(d.full)
	if err == nil {
		err = os.Remove(d.full)
	} else if errors.Is(err, fs.ErrNotExist) {
		like, err = makeAbove(d.root.dir, d.rel)
	}
	if err != nil {
		return err
	}
	if !hit {
		if err := liken(to, like); err != nil {
			return err
		}
	}
	err = os.Symlink(to, d.full)
	d.link = err == nil
	return err
}

// makeAbove makes the directories that lead to a path, each like the one above it, which it returns the last of.
func makeAbove(root, rel string) (fs.FileInfo, error) {
	like, err := os.Lstat(root)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(root, 0o755); err == nil {
			like, err = os.Lstat(root)
		}
	}
	if err != nil {
		return nil, err
	}
	at := root
	names := strings.Split(rel, "/")
	for _, name := range names[:len(names)-1] {
		at = filepath.Join(at, name)
		err := os.Mkdir(at, 0o700)
		if err == nil {
			err = liken(at, like)
		} else if errors.Is(err, fs.ErrExist) {
			err = nil
		}
		if err != nil {
			return nil, err
		}
		if like, err = os.Lstat(at); err != nil {
			return nil, err
		}
	}
	return like, nil
}

// liken gives a directory the owner and the mode of another.
func liken(path string, like fs.FileInfo) error {
	st, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return errors.Join(os.Chown(path, int(st.Uid), int(st.Gid)), os.Chmod(path, like.Mode()&(fs.ModePerm|fs.ModeSticky)))
}

// leaveCache tells the daemon to take the cache from where it is mounted. It returns false where that cannot be done and the
// paths have to be packed.
func (p *phases) leaveCache(ctx context.Context, plan *cachePlan) (left bool, err error) {
	some := false
	for _, d := range plan.dirs {
		there, fits, err := d.bringOver(ctx)
		switch {
		case context.Cause(ctx) != nil:
			return false, context.Cause(ctx)
		case err != nil || !fits:
			return false, plan.bringBack(ctx)
		case !there:
			p.log.say("Nothing to cache at %s", d.full)
		}
		some = some || there
	}
	if !some {
		p.log.say("The cache is not saved: none of its paths is there")
		return true, nil
	}
	p.keeps.cache = &wire.Cache{Key: plan.key, Paths: plan.version}
	p.log.say("Leaving %s where it is mounted", plan)
	return true, nil
}

// bringBack puts what lies on mounts where it is to be packed.
func (c *cachePlan) bringBack(ctx context.Context) error {
	for _, d := range c.dirs {
		now, err := os.Readlink(d.full)
		if err != nil || d.at == "" || now != d.at {
			continue
		}
		err = os.Remove(d.full)
		if err == nil {
			err = os.Mkdir(d.full, 0o700)
		}
		if err == nil {
			err = refill(ctx, d.at, d.full)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bringOver sees that what a directory holds is where it is mounted. fits tells that it is a directory, or nothing.
func (d *cacheDir) bringOver(ctx context.Context) (there, fits bool, err error) {
	if now, err := os.Readlink(d.full); err == nil && d.at != "" && now == d.at {
		return true, true, nil
	}
	info, err := os.Lstat(d.full)
	switch {
	case errors.Is(err, fs.ErrNotExist) && d.at == "":
		return false, true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, true, refill(ctx, d.full, d.at) // with nothing
	case err != nil || !info.IsDir():
		return false, false, err
	case d.at == "":
		return true, true, nil
	}
	return true, true, refill(ctx, d.full, d.at)
}
