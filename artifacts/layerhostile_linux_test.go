package artifacts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// fat is a file that says it has more bytes than it has.
type fat struct {
	fs.FileInfo
	size int64
}

func (f fat) Size() int64                { return f.size }
func (f fat) Type() fs.FileMode          { return f.Mode().Type() }
func (f fat) Info() (fs.FileInfo, error) { return f, nil }

// TestSparseFilesAreCounted leaves files that have no content and more bytes together than a number holds.
func TestSparseFilesAreCounted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	write(t, file, "")
	info, err := os.Lstat(file)
	if err != nil {
		t.Fatal(err)
	}
	m := measured{limit: math.MaxInt64}
	if err := m.add(file, "source", "f", fat{info, math.MaxInt64}, nil); err != nil || m.bytes != math.MaxInt64 {
		t.Errorf("one of the most bytes: %d, %v", m.bytes, err)
	}
	if err := m.add(file, "source", "f", fat{info, 2}, nil); !errors.Is(err, ErrLimit) {
		t.Errorf("another one: %v, and it counts %d bytes", err, m.bytes)
	}

	s := newStore(t)
	b := newBox(t, s, "sparse", snapshot(t))
	b.run(b.hold(""), func(source, _ string) {
		write(t, source+"/vendor/tib", "")
		if err := os.Truncate(source+"/vendor/tib", 1<<40); err != nil {
			t.Error(err)
		}
	})
	if _, stored, err := s.TakeLayer(t.Context(), b.id, CacheMeta{"api", "k", "p"}, b.parts(), 0); stored || !errors.Is(err, ErrLimit) {
		t.Errorf("a sparse file of 1 TiB: %v, %v", stored, err)
	}
	release(t, s, b.id)
	if n := files(t, s); n != 0 {
		t.Errorf("%d layers are left", n)
	}
	clean(t, s)
}

// TestWhatIsTooLargeEvenAsOneLeavesNothing has a stack made one that is then refused.
func TestWhatIsTooLargeEvenAsOneLeavesNothing(t *testing.T) {
	s, tree := newStore(t), snapshot(t)
	first := newBox(t, s, "first", tree)
	first.run(first.hold(""), func(source, _ string) { write(t, source+"/vendor/a", "aaaa") })
	one := first.take("k1")
	second := newBox(t, s, "second", tree)
	second.run(second.hold(one.ID), func(source, _ string) { write(t, source+"/vendor/b", "bbbb") })
	if _, stored, err := s.TakeLayer(t.Context(), second.id, CacheMeta{"api", "k2", "p"}, second.parts(), one.Bytes*3/2); stored || !errors.Is(err, ErrLimit) {
		t.Errorf("%v, %v", stored, err)
	}
	release(t, s, first.id, second.id)
	if n := files(t, s); n != 1 {
		t.Errorf("%d layers lie there, want that of the first cache", n)
	}
	clean(t, s)
}

// TestNothingIsTakenOfAnotherStartOfTheMachine has the machine end between a job's last word and the taking of its cache.
func TestNothingIsTakenOfAnotherStartOfTheMachine(t *testing.T) {
	s := newStore(t)
	b := newBox(t, s, "box", snapshot(t))
	hold := b.hold("")
	b.run(hold, func(source, _ string) { write(t, source+"/vendor/v", "1") })
	hold.Boot = "another"
	v, err := json.Marshal(hold)
	if err == nil {
		err = s.lane.write(t.Context(), func(tx *bolt.Tx) error { return tx.Bucket(layerHoldsBucket).Put([]byte(b.id), v) })
	}
	if err != nil {
		t.Fatal(err)
	}
	_, stored, err := s.TakeLayer(t.Context(), b.id, CacheMeta{"api", "k", "p"}, b.parts(), 0)
	if stored || err == nil || !strings.Contains(err.Error(), "started anew") {
		t.Errorf("%v, %v", stored, err)
	}
	release(t, s, b.id)
	if n := files(t, s); n != 0 {
		t.Errorf("%d layers are left", n)
	}
}

// TestParentsInALayer looks at the directories above a part: those of the job, and nothing that a link of it leads to.
func TestParentsInALayer(t *testing.T) {
	upper, layer, elsewhere := t.TempDir(), t.TempDir(), t.TempDir()
	p := LayerPart{Root: "source", Upper: upper, Path: "a/b/c"}
	for _, dir := range []string{elsewhere + "/b", layer + "/a"} {
		if err := errors.Join(os.Mkdir(dir, 0o755), os.Chmod(dir, 0o711)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(elsewhere, upper+"/a"); err != nil {
		t.Fatal(err)
	}
	modes := func(want fs.FileMode, of string) {
		t.Helper()
		if err := mirrorParents(p, layer); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(layer + of); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s is %v, %v, want %v", of, info, err, want)
		}
	}
	modes(0o755, "/a/b") // not as the host's directory
	if err := errors.Join(os.Remove(upper+"/a"), os.MkdirAll(upper+"/a/b", 0o755), os.Chmod(upper+"/a", 0o750)); err != nil {
		t.Fatal(err)
	}
	modes(0o750, "/a") // although a daemon that died had made it
}

// TestACacheOfTooManyLayersIsMadeAnewUnderItsKey renames directories until no further layer can lie above them.
func TestACacheOfTooManyLayersIsMadeAnewUnderItsKey(t *testing.T) {
	s, tree := newStore(t), snapshot(t)
	first := newBox(t, s, "box0", tree)
	first.run(first.hold(""), func(source, _ string) { write(t, source+"/vendor/d0/f", "1") })
	last := first.take("k0")
	for n := 1; last.Layers < maxDepth; n++ {
		b := newBox(t, s, fmt.Sprint("box", n), tree)
		b.run(b.hold(last.ID), func(source, _ string) {
			if err := os.Rename(fmt.Sprint(source, "/vendor/d", n-1), fmt.Sprint(source, "/vendor/d", n)); err != nil {
				t.Error(err)
			}
		})
		if last = b.take(fmt.Sprint("k", n)); last.Layers != n+1 {
			t.Fatalf("the cache is %+v", last)
		}
		release(t, s, b.id)
	}
	if _, err := s.HoldLayers(t.Context(), "x", last.ID, boxDirs); !gone(err) {
		t.Errorf("a job has %d layers: %v", last.Layers, err)
	}
	anew := newBox(t, s, "anew", tree)
	anew.run(anew.hold(""), func(source, _ string) { write(t, source+"/vendor/d/f", "1") })
	if info := anew.take(last.Key); info.Layers != 1 || info.Key != last.Key {
		t.Errorf("it is %+v", info)
	}
	release(t, s, first.id, anew.id)
	clean(t, s)
}

// TestADiskOfWhichTheFilesAreUsedUpIsFull has caches of empty files fill a disk that has bytes enough.
func TestADiskOfWhichTheFilesAreUsedUpIsFull(t *testing.T) {
	for _, test := range []struct {
		files, free uint64
		want        int64
	}{{0, 0, 8 << 30}, {6400, 6400, 8 << 30}, {6400, 100, 8 << 30}, {6400, 99, 0}} {
		if got := usable(unix.Statfs_t{Bavail: 2 << 20, Bsize: 4096, Files: test.files, Ffree: test.free}); got != test.want {
			t.Errorf("with %d of %d files free it has %d bytes, want %d", test.free, test.files, got, test.want)
		}
	}
}
