package artifacts

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func release(t testing.TB, s *Store, sandboxes ...string) {
	t.Helper()
	for _, id := range sandboxes {
		if err := s.ReleaseLayers(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	s.background.Wait()
}

func TestACacheOfLayers(t *testing.T) {
	s, tree := newStore(t), snapshot(t)
	first := newBox(t, s, "first", tree)
	var left string
	first.run(first.hold(""), func(source, home string) {
		write(t, source+"/web/modules/a/1", "one")
		write(t, source+"/web/modules/b/2", "two")
		write(t, source+"/other/x", "not in the cache")
		write(t, home+"/r/3", "three")
		left = seen(t, source, home)
	})
	one := first.take("k1")
	if one.Layers != 1 || one.Bytes != 11 || one.SHA256 != "" {
		t.Errorf("it is %+v", one)
	}
	clean(t, s)

	second := newBox(t, s, "second", tree)
	hold := second.hold(one.ID)
	second.run(hold, func(source, home string) {
		if got := seen(t, source, home); got != left {
			t.Errorf("the second job sees\n%swant\n%s", got, left)
		}
		if _, err := os.Stat(source + "/other"); err == nil {
			t.Error("it sees what is not in the cache")
		}
		if _, err := os.Stat(source + "/web/index.html"); err != nil {
			t.Error("it does not see its own source: ", err)
		}
		write(t, source+"/web/modules/a/1", "another one")
		if err := os.Remove(source + "/web/modules/b/2"); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(source + "/vendor"); err != nil {
			t.Error(err)
		}
		write(t, source+"/vendor/v", "new")
		left = seen(t, source, home)
	})
	two := second.take("k2")
	if two.Layers != 2 || two.Bytes != 11+11+3 {
		t.Errorf("it is %+v", two)
	}
	release(t, s, "first", "second")
	if err := s.RemoveCache(t.Context(), one.ID); err != nil {
		t.Fatal(err)
	}
	clean(t, s)
	if n := files(t, s); n != 2 {
		t.Errorf("%d layers lie there, want the two of the second cache", n)
	}

	// Unchanged, it is the same stack under another key; made anew, it stands alone.
	third := newBox(t, s, "third", tree)
	third.run(third.hold(two.ID), func(source, home string) {
		if got := seen(t, source, home); got != left {
			t.Errorf("the third job sees\n%swant\n%s", got, left)
		}
	})
	if three := third.take("k3"); three.Layers != 2 || three.Bytes != two.Bytes {
		t.Errorf("what was not changed is %+v", three)
	}
	if err := errors.Join(s.RemoveCache(t.Context(), two.ID)); err != nil {
		t.Fatal(err)
	}
	release(t, s, "third")
	clean(t, s)
	for _, info := range cachesOf(t, s) {
		if err := s.RemoveCache(t.Context(), info.ID); err != nil {
			t.Fatal(err)
		}
	}
	if n := files(t, s); n != 0 {
		t.Errorf("%d files are left of no cache", n)
	}
	clean(t, s)
}

// TestLayersAreKeptForWhoHasThemMounted removes a cache under a sandbox.
func TestLayersAreKeptForWhoHasThemMounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "artifacts.db")
	s, _ := newStoreAt(t, path)
	first := newBox(t, s, "first", snapshot(t))
	first.run(first.hold(""), func(source, _ string) { write(t, source+"/vendor/v", "1") })
	one := first.take("")
	release(t, s, "first")
	second := newBox(t, s, "second", snapshot(t))
	hold := second.hold(one.ID)
	if err := s.RemoveCache(t.Context(), one.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ = newStoreAt(t, path)
	again, err := s.HoldLayers(t.Context(), "second", "", boxDirs)
	if err != nil || strings.Join(again.Layers, " ") != strings.Join(hold.Layers, " ") || len(again.Layers) != 1 {
		t.Fatalf("asked again it has %+v, %v, want %+v", again, err, hold)
	}
	if !s.isLayer(hold.Layers[0]) {
		t.Fatal("the layer is gone under the sandbox")
	}
	release(t, s, "second")
	if files(t, s) != 0 {
		t.Error("the layer outlives everybody")
	}
	clean(t, s)
	if _, err := s.HeldLayers("second"); !gone(err) {
		t.Errorf("it still has a hold: %v", err)
	}
}

func TestWhichCacheOfLayersIsNone(t *testing.T) {
	s := newStore(t)
	first := newBox(t, s, "first", snapshot(t))
	first.run(first.hold(""), func(source, _ string) { write(t, source+"/vendor/v", "1") })
	one := first.take("k")
	tar := putCache(t, s, CacheMeta{"api", "tar", "p"}, "x")
	for name, hold := range map[string]func() error{
		"other directories": func() error { _, err := s.HoldLayers(t.Context(), "x", one.ID, []string{"source/src"}); return err },
		"a tar":             func() error { _, err := s.HoldLayers(t.Context(), "x", tar.ID, nil); return err },
		"a removed one":     func() error { _, err := s.HoldLayers(t.Context(), "x", "nothing", boxDirs); return err },
		"a cleared one": func() error {
			if err := os.RemoveAll(s.LayerDir(layerID("first"))); err != nil {
				t.Fatal(err)
			}
			_, err := s.HoldLayers(t.Context(), "x", one.ID, boxDirs)
			return err
		},
	} {
		if name != "a cleared one" {
			if err := hold(); !gone(err) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		defer func() {
			if err := hold(); !gone(err) {
				t.Errorf("%s: %v", name, err)
			}
		}()
	}
}

// TestHostileLayers is what jobs cannot bring into a cache.
func TestHostileLayers(t *testing.T) {
	s, tree := newStore(t), snapshot(t)
	first := newBox(t, s, "first", tree)
	first.run(first.hold(""), func(source, home string) {
		write(t, source+"/vendor/setuid", "x")
		if err := errors.Join(
			os.Chmod(source+"/vendor/setuid", 0o755|fs.ModeSetuid|fs.ModeSetgid),
			unix.Mknod(source+"/vendor/device", syscall.S_IFCHR|0o666, 1<<8|5), unix.Mkfifo(source+"/vendor/pipe", 0o666),
			unix.Setxattr(source+"/vendor/setuid", capability, []byte("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0),
			os.Symlink("/etc/shadow", source+"/vendor/link"), os.Symlink("/", home+"/root"),
		); err != nil {
			t.Error(err)
		}
	})
	one := first.take("k")
	second := newBox(t, s, "second", tree)
	second.run(second.hold(one.ID), func(source, home string) {
		info, err := os.Stat(source + "/vendor/setuid")
		if err != nil || info.Mode() != 0o755 {
			t.Errorf("the setuid program is %v, %v", info, err)
		}
		if marks, err := marksOf(source + "/vendor/setuid"); err != nil || len(marks) > 0 {
			t.Errorf("it has %v, %v", marks, err)
		}
		for _, name := range []string{"device", "pipe"} {
			if _, err := os.Lstat(source + "/vendor/" + name); !gone(err) {
				t.Errorf("there is a %s: %v", name, err)
			}
		}
		if to, err := os.Readlink(home + "/root"); to != "/" {
			t.Errorf("the link leads to %q, %v", to, err)
		}
	})
	clean(t, s)
	for name, job := range map[string]func(source string) error{
		"a link in place of the directory": func(source string) error { return os.Symlink("/etc", source+"/vendor") },
		"a file in place of the directory": func(source string) error { return os.WriteFile(source+"/vendor", nil, 0o644) },
		"a link above the directory": func(source string) error {
			return errors.Join(os.RemoveAll(source+"/web"), os.Symlink("/etc", source+"/web"))
		},
		"a source directory as the directory": func(source string) error { return os.Rename(source+"/lib", source+"/vendor") },
		"a source directory in the directory": func(source string) error {
			return errors.Join(os.Mkdir(source+"/vendor", 0o755), os.Rename(source+"/lib", source+"/vendor/lib"))
		},
		"a source directory above the directory": func(source string) error {
			return errors.Join(os.RemoveAll(source+"/web"), os.Rename(source+"/lib", source+"/web"), os.Mkdir(source+"/web/modules", 0o755))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, s, t.Name(), tree)
			b.run(b.hold(""), func(source, _ string) {
				if err := job(source); err != nil {
					t.Error(err)
				}
			})
			_, stored, err := s.TakeLayer(t.Context(), b.id, CacheMeta{"api", name, "p"}, b.parts(), 0)
			if stored || !errors.Is(err, ErrNothing) && !errors.Is(err, errMovedIn) {
				t.Errorf("%v, %v", stored, err)
			}
			release(t, s, b.id)
		})
	}
	large := newBox(t, s, "large", tree)
	large.run(large.hold(one.ID), func(source, _ string) { write(t, source+"/vendor/more", "xxxx") })
	if _, _, err := s.TakeLayer(t.Context(), "large", CacheMeta{"api", "large", "p"}, large.parts(), 3); !errors.Is(err, ErrLimit) {
		t.Errorf("4 bytes of 3: %v", err)
	}
	release(t, s, "large", "first", "second")
	clean(t, s)
}

// TestJobsChangeACacheAtRandom has each job see what the one before left, whatever it did, and however many came before.
func TestJobsChangeACacheAtRandom(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			s, tree := newStore(t), snapshot(t)
			rng := rand.New(rand.NewPCG(seed, 7))
			renames := seed%2 == 1 // without, layers can be made one
			cache, left, depth := "", "", 0
			for n := range 25 {
				b := newBox(t, s, fmt.Sprint("box", n), tree)
				hold, err := s.HoldLayers(t.Context(), b.id, cache, boxDirs)
				if gone(err) && depth >= maxDepth {
					left = ""
					hold = b.hold("")
				} else if err != nil {
					t.Fatal(err)
				}
				b.run(hold, func(source, home string) {
					if got := seen(t, source, home); left != "" && got != left {
						t.Errorf("job %d sees\n%swant\n%s", n, got, left)
					}
					for range 12 {
						randomChange(rng, renames, source+"/web/modules", source+"/vendor", home)
					}
					write(t, source+"/vendor/always", fmt.Sprint(n))
					left = seen(t, source, home)
				})
				info := b.take("")
				cache, depth = info.ID, info.Layers
				if depth > squashDepth+1 && !renames || depth > maxDepth {
					t.Fatalf("%d layers", depth)
				}
				if n == 20 && !renames { // of which it has had enough
					info, stored, err := s.TakeLayer(t.Context(), b.id, CacheMeta{"api", "small", "p"}, b.parts(), info.Bytes-1)
					if depth > 1 && (err != nil || !stored || info.Layers != 1) {
						t.Errorf("within a limit: %+v, %v, %v", info, stored, err)
					}
				}
				release(t, s, b.id)
				clean(t, s)
			}
		})
	}
}

func randomChange(rng *rand.Rand, renames bool, roots ...string) {
	path := func() string {
		p := roots[rng.IntN(len(roots))]
		for range 1 + rng.IntN(3) {
			p += "/" + string(rune('a'+rng.IntN(3)))
		}
		return p
	}
	// What cannot be done is left.
	switch rng.IntN(6) {
	case 0, 1, 2:
		p := path()
		_ = os.MkdirAll(filepath.Dir(p), 0o755)
		_ = os.WriteFile(p, fmt.Append(nil, rng.IntN(1000)), 0o644)
	case 3:
		_ = os.RemoveAll(path())
	case 4:
		root := roots[rng.IntN(len(roots)-1)]
		if rng.IntN(3) == 0 {
			_ = os.RemoveAll(root)
		}
		_ = os.Chmod(path(), 0o755-fs.FileMode(rng.IntN(2)))
	case 5:
		from, to := path(), path()
		if info, err := os.Lstat(from); err == nil && (renames || !info.IsDir()) {
			_ = os.RemoveAll(to)
			_ = os.MkdirAll(filepath.Dir(to), 0o755)
			_ = os.Rename(from, to)
		}
	}
}
