package artifacts

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRemoveTree removes a tree with more levels than RemoveTree has directories open, and nothing that links lead to.
func TestRemoveTree(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	write(t, elsewhere+"/kept", "x")
	tree := filepath.Join(dir, "tree")
	for _, branch := range []string{"a", "b"} {
		deepen(t, filepath.Join(tree, branch), 5*heldLevels+7)
	}
	if err := errors.Join(os.Symlink(elsewhere, tree+"/link"), os.Symlink("nowhere", tree+"/a/x/broken")); err != nil {
		t.Fatal(err)
	}
	for n := range 3000 {
		write(t, fmt.Sprint(tree, "/many/", n), "")
	}
	if err := RemoveTree(tree); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("there is %v, %v", left, err)
	}
	if err := RemoveTree(tree); err != nil {
		t.Errorf("again: %v", err)
	}
	link := dir + "/link"
	if err := os.Symlink(elsewhere, link); err != nil {
		t.Fatal(err)
	}
	if err := RemoveTree(link); err != nil {
		t.Errorf("a link: %v", err)
	}
	if _, err := os.Lstat(elsewhere + "/kept"); err != nil {
		t.Error("what a link led to is gone: ", err)
	}
}

// deepen makes directories in each other, each named x, with a file in the last.
func deepen(t *testing.T, dir string, levels int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	at, err := openBelow(unix.AT_FDCWD, dir)
	for n := 0; n < levels && err == nil; n++ {
		err = unix.Mkdirat(int(at.Fd()), "x", 0o755)
		if err == nil {
			next, oerr := openBelow(int(at.Fd()), "x")
			err = errors.Join(oerr, at.Close())
			at = next
		}
	}
	if err == nil {
		err = unix.Mknodat(int(at.Fd()), "f", unix.S_IFREG|0o644, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	at.Close()
}

// TestRemoveTreeHoldsFewDescriptors removes more levels than the process may have files.
func TestRemoveTreeHoldsFewDescriptors(t *testing.T) {
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "tree")
	deepen(t, dir, 4096)
	less := was
	less.Cur = 1024
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &less); err != nil {
		t.Fatal(err)
	}
	err := RemoveTree(dir)
	if rerr := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil || rerr != nil {
		t.Errorf("%v, %v", err, rerr)
	}
	if _, err := os.Lstat(dir); !gone(err) {
		t.Errorf("it is still there: %v", err)
	}
}
