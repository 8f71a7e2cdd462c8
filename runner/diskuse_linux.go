package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

const (
	// heldDirs is how many levels of a tree are open at once while it is measured. What lies deeper is put off.
	heldDirs = 128
	// maxPutOff bounds how many directories are put off at a time: no build has so many that lie so deep.
	maxPutOff = 1 << 18
	// namedLevels is how many levels of names are told apart.
	namedLevels = 2
	// namesAtOnce is how many names of a directory are read at once.
	namesAtOnce = 1024
)

// errEnough ends a measurement that has found more than is allowed.
var errEnough = errors.New("enough")

// measurer counts what lies below directories in which a job may write meanwhile. It follows no links, crosses no mounts,
// and holds a bounded number of descriptors and names, whatever the job made.
type measurer struct {
	ctx    context.Context
	limits Limits
	use    diskUse
	root   *os.File
	dev    uint64
	put    []putOff // off
	stat   unix.Stat_t
}

// putOff is a directory that lies too deep to be opened by way of its parents.
type putOff struct {
	handle unix.FileHandle
	top    string
}

// measure counts what the directories take, and no further than to the first file beyond the limits. What goes away
// meanwhile does not count.
func measure(ctx context.Context, dirs []WrittenDir, limits Limits) (diskUse, error) {
	m := measurer{ctx: ctx, limits: limits}
	for _, d := range dirs {
		if err := m.tree(d); err != nil && !errors.Is(err, errEnough) {
			return m.use, err
		} else if err != nil {
			break
		}
	}
	return m.use, nil
}

// tree measures one directory with all below it.
func (m *measurer) tree(d WrittenDir) error {
	root, err := openDir(unix.AT_FDCWD, d.Path)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("measuring %s: %w", d.Path, err)
	}
	defer root.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(root.Fd()), &st); err != nil {
		return fmt.Errorf("measuring %s: %w", d.Path, err)
	}
	m.root, m.dev, m.put = root, st.Dev, nil
	if err := m.dir(root, d.Inside, 0); err != nil {
		return err
	}
	for len(m.put) > 0 {
		next := m.put[len(m.put)-1]
		m.put = m.put[:len(m.put)-1]
		if err := m.deep(next); err != nil {
			return err
		}
	}
	return nil
}

// deep measures a directory that was put off.
func (m *measurer) deep(p putOff) error {
	fd, err := unix.OpenByHandleAt(int(m.root.Fd()), p.handle, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC)
	if errors.Is(err, unix.ESTALE) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil // it is gone, or was something else by the time that its handle was asked for
	}
	if err != nil {
		return fmt.Errorf("measuring directories that lie deep: %w", err)
	}
	dir := os.NewFile(uintptr(fd), "")
	defer dir.Close()
	return m.dir(dir, p.top, namedLevels)
}

func openDir(parent int, name string) (*os.File, error) {
	fd, err := unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// dir measures what is in a directory.
func (m *measurer) dir(dir *os.File, top string, level int) error {
	for {
		if err := m.ctx.Err(); err != nil {
			return err
		}
		names, rerr := dir.Readdirnames(namesAtOnce)
		for _, name := range names {
			if err := m.entry(dir, name, top, level); err != nil {
				return err
			}
		}
		if len(names) == 0 || rerr != nil {
			return nil // a directory that was removed has no more names
		}
	}
}

func (m *measurer) entry(parent *os.File, name, top string, level int) error {
	st := &m.stat
	if unix.Fstatat(int(parent.Fd()), name, st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Dev != m.dev {
		return nil
	}
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	bytes := st.Blocks * 512
	if !isDir && st.Nlink > 1 {
		bytes /= int64(st.Nlink) // each of its names has a part, and all are here: no link leads out of the tree
	}
	if level < namedLevels && isDir {
		top = path.Join(top, name)
	}
	m.use.add(top, bytes)
	if m.use.over(m.limits) {
		return errEnough
	}
	if !isDir {
		return nil
	}
	if level >= heldDirs {
		return m.putOff(parent, name, top)
	}
	dir, err := openDir(int(parent.Fd()), name)
	if err != nil {
		return nil // it is gone, or something else by now
	}
	defer dir.Close()
	return m.dir(dir, top, level+1)
}

func (m *measurer) putOff(parent *os.File, name, top string) error {
	if len(m.put) >= maxPutOff {
		m.use.TooDeep = true
		return errEnough
	}
	handle, _, err := unix.NameToHandleAt(int(parent.Fd()), name, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("measuring directories that lie deep: %w", err)
	}
	m.put = append(m.put, putOff{handle, top})
	return nil
}

// onTmpfs tells whether a file takes memory rather than disk.
func onTmpfs(file string) bool {
	var st unix.Statfs_t
	return unix.Statfs(file, &st) != nil || st.Type == unix.TMPFS_MAGIC
}

// freeOn is what the file systems of directories have left, each once.
func freeOn(dirs []WrittenDir) (bytes, files int64) {
	seen := make(map[unix.Fsid]bool)
	for _, d := range dirs {
		var st unix.Statfs_t
		if unix.Statfs(d.Path, &st) != nil || seen[st.Fsid] {
			continue
		}
		seen[st.Fsid] = true
		bytes += int64(st.Bfree) * int64(st.Bsize)
		files += int64(st.Ffree)
	}
	return bytes, files
}
