package artifacts

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// How one directory of a cache comes into a layer.
const (
	moveOver  = "over"  // over what the layers below have of it
	moveAlone = "alone" // in place of that
	moveGone  = "gone"  // it is not there any more
)

// layerMove is what becomes of one part. Parts without a move were not changed.
type layerMove struct {
	Part int    `json:"part"`
	How  string `json:"how"`
}

// planMoves looks at the upper layers. restored tells that there are layers below.
func planMoves(parts []LayerPart, restored bool) (moves []layerMove, err error) {
	there := false
	for i, p := range parts {
		how, err := p.look()
		if err != nil {
			return nil, err
		}
		there = there || how != moveGone && (restored || how != "")
		if how == "" || how == moveGone && !restored {
			continue
		}
		moves = append(moves, layerMove{i, how})
	}
	if !there {
		return nil, ErrNothing
	}
	return moves, nil
}

// Marks of overlays, which only the kernel and we can set.
const (
	opaqueMark   = "trusted.overlay.opaque"
	redirectMark = "trusted.overlay.redirect"
	metacopyMark = "trusted.overlay.metacopy"
	capability   = "security.capability"
)

// errMovedIn is what a directory comes to that cannot be had without the overlay it was in.
var errMovedIn = errors.New("what was moved into it from elsewhere in the source directory cannot be had by renaming: let the build copy it, or name the directory it came from in cache.paths too")

// look tells how a part was changed; "" is not at all. No symbolic link is followed below Upper.
func (p LayerPart) look() (how string, err error) {
	if p.Path == "." {
		entries, err := os.ReadDir(p.Upper)
		if err != nil || len(entries) == 0 {
			return "", err
		}
		return moveOver, nil
	}
	how = moveOver
	full := p.Upper
	for name := range strings.SplitSeq(p.Path, "/") {
		full = filepath.Join(full, name)
		info, err := os.Lstat(full)
		if errors.Is(err, fs.ErrNotExist) && how == moveAlone {
			return moveGone, nil
		}
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		if !info.IsDir() { // whiteouts among others
			return moveGone, nil
		}
		marks, err := marksOf(full)
		if err != nil {
			return "", err
		}
		if marks[redirectMark] {
			return "", fmt.Errorf("%s: %w", p.Path, errMovedIn)
		}
		if marks[opaqueMark] {
			how = moveAlone
		}
	}
	return how, nil
}

// carryOut makes the move, unless that was done.
func (m layerMove) carryOut(layer string, p LayerPart) error {
	to := filepath.Join(layer, p.Root)
	if p.Path != "." {
		if err := mirrorParents(p, to); err != nil {
			return err
		}
		to = filepath.Join(to, p.Path)
	}
	if _, err := os.Lstat(to); err == nil {
		return nil
	}
	if m.How == moveGone {
		return pathErr("marking as removed", to, unix.Mknod(to, syscall.S_IFCHR, 0))
	}
	from := filepath.Join(p.Upper, p.Path)
	if m.How == moveAlone { // by itself, whatever lay above it
		if err := unix.Setxattr(from, opaqueMark, []byte("y"), 0); err != nil {
			return pathErr("marking", from, err)
		}
	}
	return os.Rename(from, to)
}

// mirrorParents makes the directories that lead to a part in a layer, with the modes and owners they have in the upper
// layer: they show through. No symbolic link in there is followed.
func mirrorParents(p LayerPart, root string) error {
	dirs, there := []string{"."}, true
	for i, c := range p.Path {
		if c == '/' {
			dirs = append(dirs, p.Path[:i])
		}
	}
	for _, dir := range dirs {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		info, err := os.Lstat(filepath.Join(p.Upper, dir))
		if there = there && err == nil && info.IsDir(); !there {
			continue // it was removed, or replaced, and with it what was below
		}
		if err := likeInfo(filepath.Join(root, dir), info); err != nil {
			return err
		}
	}
	return nil
}

// likeInfo gives a directory the owner, the mode and the time of another, without its setuid and setgid bits.
func likeInfo(path string, info fs.FileInfo) error {
	var err error
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		err = os.Lchown(path, int(st.Uid), int(st.Gid))
	}
	return errors.Join(err, os.Chmod(path, info.Mode()&(fs.ModePerm|fs.ModeSticky)), os.Chtimes(path, info.ModTime(), info.ModTime()))
}

// marksOf returns the names of a file's extended attributes that matter here. Symbolic links have none.
func marksOf(path string) (map[string]bool, error) {
	buf := make([]byte, 4<<10)
	n, err := unix.Llistxattr(path, buf)
	if errors.Is(err, unix.ERANGE) {
		return nil, fmt.Errorf("%s has too many extended attributes", path)
	}
	if err != nil && !errors.Is(err, unix.ENOTSUP) {
		return nil, pathErr("reading the extended attributes of", path, err)
	}
	if n <= 0 {
		return nil, nil
	}
	marks := map[string]bool{}
	for name := range strings.SplitSeq(string(buf[:n]), "\x00") {
		switch name {
		case opaqueMark, redirectMark, metacopyMark, capability:
			marks[name] = true
		}
	}
	return marks, nil
}

func pathErr(doing, path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", doing, path, err)
}
