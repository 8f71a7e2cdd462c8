package artifacts

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// box stands for a sandbox: an overlay of the source directory, with a snapshot below, and one of a directory elsewhere.
type box struct {
	t         testing.TB
	s         *Store
	id        string
	dir, tree string
}

// newBox makes one over a snapshot.
func newBox(t testing.TB, s *Store, id, tree string) *box {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root mounts overlays")
	}
	return &box{t: t, s: s, id: id, dir: t.TempDir(), tree: tree}
}

// snapshot is a source tree.
func snapshot(t testing.TB) string {
	dir := t.TempDir()
	for _, name := range []string{"main.go", "web/index.html", "lib/a"} {
		write(t, filepath.Join(dir, name), "source")
	}
	return dir
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

var boxDirs = []string{"source/web/modules", "source/vendor", "home/.npm"}

// hold has the layers of a cache, or of none.
func (b *box) hold(cache string) LayerHold {
	b.t.Helper()
	hold, err := b.s.HoldLayers(b.t.Context(), b.id, cache, boxDirs)
	if err != nil {
		b.t.Fatal(err)
	}
	return hold
}

// run mounts the overlays as a runner does, and has a job work in them.
func (b *box) run(hold LayerHold, job func(source, home string)) {
	b.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: its mounts are its own
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			b.t.Error(err)
			return
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			b.t.Error(err)
			return
		}
		source, home := filepath.Join(b.dir, "source"), filepath.Join(b.dir, "home")
		if b.mount(hold, "source", b.tree) && b.mount(hold, "0", b.t.TempDir()) {
			job(source, home)
		}
	}()
	<-done
	if b.t.Failed() {
		b.t.FailNow()
	}
}

func (b *box) mount(hold LayerHold, root, below string) bool {
	target := filepath.Join(b.dir, map[string]string{"source": "source", "0": "home"}[root])
	var lower []string
	for _, id := range hold.Layers {
		if dir := filepath.Join(b.s.LayerDir(id), root); isDir(dir) {
			lower = append(lower, dir)
		}
	}
	upper, work := filepath.Join(b.dir, root+"-upper"), filepath.Join(b.dir, root+"-work")
	for _, dir := range []string{target, upper, work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.t.Error(err)
			return false
		}
	}
	opts := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,redirect_dir=on,index=off", strings.Join(append(lower, below), ":"), upper, work)
	if err := unix.Mount("overlay", target, "overlay", 0, opts); err != nil {
		b.t.Errorf("mounting %s: %v", opts, err)
		return false
	}
	return true
}

func isDir(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}

func (b *box) parts() []LayerPart {
	return []LayerPart{
		{"source", filepath.Join(b.dir, "source-upper"), "web/modules"},
		{"source", filepath.Join(b.dir, "source-upper"), "vendor"},
		{"0", filepath.Join(b.dir, "0-upper"), "."},
	}
}

// take stores what a job left.
func (b *box) take(key string) CacheInfo {
	b.t.Helper()
	info, stored, err := b.s.TakeLayer(b.t.Context(), b.id, CacheMeta{"api", key, "p"}, b.parts(), 0)
	if err != nil || !stored {
		b.t.Fatalf("taken: %v, %v", stored, err)
	}
	return info
}

// seen is all that a job sees of the cache's directories.
func seen(t testing.TB, source, home string) string {
	var all strings.Builder
	for _, dir := range []string{filepath.Join(source, "web/modules"), filepath.Join(source, "vendor"), home} {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				if path == dir {
					return nil
				}
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			rel, _ := filepath.Rel(filepath.Dir(source), path)
			fmt.Fprintf(&all, "%s %s", rel, info.Mode())
			if info.Mode().IsRegular() {
				text, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				fmt.Fprintf(&all, " %s", text)
			}
			all.WriteByte('\n')
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	return all.String()
}
