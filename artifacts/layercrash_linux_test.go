package artifacts

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// layerCrashEnv names the store that the child of TestKilledWhileLayersAreTaken writes to.
const layerCrashEnv = "RUNNER_TEST_CRASH_LAYERS"

func init() {
	if path := os.Getenv(layerCrashEnv); path != "" {
		layerCrashChild(path)
		os.Exit(0)
	}
}

// layerSandbox is the directory of sandbox n beside a store. Its upper layer is there before the store hears of it.
func layerSandbox(path string, n int) string {
	return filepath.Join(filepath.Dir(path), "sandboxes", fmt.Sprint(n))
}

func layerParts(path string, n int) []LayerPart {
	return []LayerPart{{"source", layerSandbox(path, n), "web/modules"}, {"source", layerSandbox(path, n), "vendor"}}
}

// takeTurn has sandbox n leave a cache on top of the one that n-1 left. It can be called again after a kill at any moment.
func takeTurn(s *Store, path string, n int) error {
	ctx := context.Background()
	dirs := []string{"source/web/modules", "source/vendor"}
	sandbox := fmt.Sprint("box", n)
	former, _ := s.FindCache([]string{"api"}, "", nil, "p") // none at first
	if _, err := s.HoldLayers(ctx, sandbox, former.ID, dirs); err != nil {
		return fmt.Errorf("holding %d: %w", n, err)
	}
	upper := layerSandbox(path, n)
	if _, err := os.Lstat(upper); err != nil {
		for _, name := range []string{"web/modules/a", "vendor/same", fmt.Sprint("vendor/f", n)} {
			full := filepath.Join(upper+".tmp", name)
			if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(full, fmt.Append(nil, n), 0o644); err != nil {
				return err
			}
		}
		if err := os.Rename(upper+".tmp", upper); err != nil {
			return err
		}
	}
	_, _, err := s.TakeLayer(ctx, sandbox, CacheMeta{"api", "", "p"}, layerParts(path, n), 0)
	return err
}

func layerCrashChild(path string) {
	s, err := Open(path, Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	first := 0
	for ; ; first++ { // the turns that a former child promised
		if _, err := os.Lstat(layerSandbox(path, first) + ".over"); err != nil {
			break
		}
	}
	out := bufio.NewWriterSize(os.Stdout, 1)
	for n := first; n < 1000; n++ {
		err := takeTurn(s, path, n)
		if err == nil {
			err = os.WriteFile(layerSandbox(path, n)+".over", nil, 0o644)
		}
		if err != nil {
			fmt.Fprintln(out, "error", err)
			return
		}
		fmt.Fprintf(out, "took %d\n", n)
		out.Flush()
		if err := s.ReleaseLayers(context.Background(), fmt.Sprint("box", n)); err != nil {
			fmt.Fprintln(out, "error", err)
		}
	}
}

// TestKilledWhileLayersAreTaken kills a store that takes layers, squashes them and removes them, at any moment.
func TestKilledWhileLayersAreTaken(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root keeps layers")
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "artifacts.db")
	for turn := range 8 {
		last := -1
		for line := range strings.Lines(killedChildOf(t, layerCrashEnv, path, 5+turn, time.Duration(turn*9)*time.Millisecond)) {
			if !scan(line, "took %d\n", &last) {
				t.Fatalf("the child says %q", line)
			}
		}
		beforeSweep(t, path)
		s, err := Open(path, quiet())
		if err != nil {
			t.Fatal(err)
		}
		clean(t, s)
		// The sandbox that was in work leaves its cache as if nothing had been, and then is gone.
		if err := takeTurn(s, path, last+1); err != nil {
			t.Fatal(err)
		}
		for n := range last + 2 {
			release(t, s, fmt.Sprint("box", n))
		}
		wholeStack(t, s, last+1)
		clean(t, s)
		if err := os.WriteFile(layerSandbox(path, last+1)+".over", nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// wholeStack proves that the cache has all that the sandboxes 0 to n left, the newest above, and nothing else is kept.
func wholeStack(t *testing.T, s *Store, n int) {
	t.Helper()
	all := cachesOf(t, s)
	if len(all) != 1 {
		t.Fatalf("there are %d caches", len(all))
	}
	hold, err := s.HoldLayers(t.Context(), "test", all[0].ID, []string{"source/web/modules", "source/vendor"})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, id := range hold.Layers {
		entries, err := os.ReadDir(filepath.Join(s.LayerDir(id), "source/vendor"))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			text, err := os.ReadFile(filepath.Join(s.LayerDir(id), "source/vendor", e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := found[e.Name()]; !ok {
				found[e.Name()] = string(text)
			}
		}
	}
	if found["same"] != fmt.Sprint(n) || len(found) != n+2 {
		t.Errorf("after sandbox %d there are %v", n, found)
	}
	release(t, s, "test")
	if got := files(t, s); got != len(hold.Layers) {
		t.Errorf("%d layers lie there for a stack of %d", got, len(hold.Layers))
	}
}

// TestAMachineThatEndsTakesFreshLayersAlong lets a start find layers of another start of the machine.
func TestAMachineThatEndsTakesFreshLayersAlong(t *testing.T) {
	for name, settled := range map[string]bool{"on the disk": true, "perhaps on the disk": false} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "artifacts.db")
			s, _ := newStoreAt(t, path)
			b := newBox(t, s, "box", snapshot(t))
			b.run(b.hold(""), func(source, _ string) { write(t, source+"/vendor/v", "1") })
			b.take("k")
			release(t, s, "box")
			if settled {
				if _, err := s.EvictCaches(t.Context(), CachePolicy{}); err != nil {
					t.Fatal(err)
				}
			}
			err := s.lane.write(t.Context(), func(tx *bolt.Tx) error {
				row, err := readLayer(tx, layerID("box"))
				if err == nil && row.Boot != "" {
					row.Boot = "another"
					err = putLayer(tx, row)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s, _ = newStoreAt(t, path)
			clean(t, s)
			if n := len(cachesOf(t, s)); n != map[bool]int{true: 1}[settled] || files(t, s) != n {
				t.Errorf("%d caches and %d files are left", n, files(t, s))
			}
		})
	}
}

// TestWhatOthersDoToLayers removes and adds directories behind the store's back.
func TestWhatOthersDoToLayers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "artifacts.db")
	s, _ := newStoreAt(t, path)
	b := newBox(t, s, "box", snapshot(t))
	b.run(b.hold(""), func(source, _ string) { write(t, source+"/vendor/v", "1") })
	b.take("k")
	layer := s.LayerDir(layerID("box"))
	problems := func() string {
		var all []string
		if err := s.Check(t.Context(), func(p string) { all = append(all, p) }); err != nil {
			t.Fatal(err)
		}
		return strings.Join(all, "\n")
	}
	write(t, layer+"/source/vendor/v", "22")
	if got := problems(); !strings.Contains(got, "1 of 1 were stored") && !strings.Contains(got, "were stored; remove the caches") {
		t.Errorf("check finds %q in a changed layer", got)
	}
	foreign := filepath.Join(s.cacheDir, strings.Repeat("a", 26))
	if err := os.Mkdir(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := problems(); !strings.Contains(got, foreign+" belongs to no cache") {
		t.Errorf("check finds %q", got)
	}
	if err := os.RemoveAll(layer); err != nil {
		t.Fatal(err)
	}
	if got := problems(); !strings.Contains(got, "is gone") {
		t.Errorf("check finds %q where a layer was removed", got)
	}
	release(t, s, "box")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ = newStoreAt(t, path)
	clean(t, s)
	if n := len(cachesOf(t, s)); n != 0 || files(t, s) != 0 {
		t.Errorf("%d caches and %d files are left", n, files(t, s))
	}
}
