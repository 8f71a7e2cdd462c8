package artifacts

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// cacheCrashEnv names the store that the child of TestKilledWhileCachesAreWritten writes to.
const cacheCrashEnv = "RUNNER_TEST_CRASH_CACHES"

// cacheText is the content of turn n of writer i, the same in parent and child.
func cacheText(i, n int) []byte { return noise(uint64(i*1000+n), 200_000+n*10_000) }

// cacheCrashChild writes caches until it is killed, and prints what is durable: even writers with keys, odd without.
func cacheCrashChild(path string) {
	s, err := Open(path, Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	var out sync.Mutex
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 1000 {
				meta := CacheMeta{Scope: fmt.Sprint("scope", i), Paths: "p"}
				if i%2 == 0 {
					meta.Key = fmt.Sprint("key", n)
				}
				_, stored, err := s.PutCache(context.Background(), meta, bytes.NewReader(cacheText(i, n)), 0)
				out.Lock()
				if err != nil {
					fmt.Println("error", err)
				} else if stored || i%2 == 0 {
					fmt.Printf("cache %d %d\n", i, n)
				}
				out.Unlock()
			}
		})
	}
	all.Wait()
}

func TestKilledWhileCachesAreWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "artifacts.db")
	for turn := range 5 {
		promised := map[int]int{}
		for line := range strings.Lines(killedChildOf(t, cacheCrashEnv, path, 4+5*turn, time.Duration(turn*7)*time.Millisecond)) {
			var i, n int
			if scan(line, "cache %d %d\n", &i, &n) {
				promised[i] = n
			} else {
				t.Fatalf("the child says %q", line)
			}
		}
		if len(promised) == 0 {
			t.Fatal("the child got nothing done")
		}
		beforeSweep(t, path)
		s, err := Open(path, quiet())
		if err != nil {
			t.Fatal(err)
		}
		clean(t, s)
		page, _, err := s.Caches("", pageRows)
		if err != nil || files(t, s) != len(page) {
			t.Fatalf("%d files lie there for %d caches (%v)", files(t, s), len(page), err)
		}
		for i, n := range promised {
			wholeCache(t, s, i, n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// beforeSweep proves that what a killed process leaves is accounted for before anything mends it.
func beforeSweep(t *testing.T, path string) {
	t.Helper()
	opts := quiet()
	opts.ReadOnly = true
	s, err := Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	clean(t, s)
}

func wholeCache(t *testing.T, s *Store, i, n int) {
	t.Helper()
	key := ""
	if i%2 == 0 {
		key = fmt.Sprint("key", n)
	}
	info, err := s.FindCache([]string{fmt.Sprint("scope", i)}, key, nil, "p")
	if err != nil {
		t.Fatal(err)
	}
	got := []byte(readCacheFile(t, s, info.ID))
	for later := n; later < n+2; later++ { // one without a key may be of the turn that was not told any more
		if bytes.Equal(got, cacheText(i, later)) {
			return
		}
	}
	t.Errorf("the cache of writer %d, turn %d, has other content", i, n)
}

// TestWhatOthersDoToTheDirectory removes, cuts and adds files behind the store's back.
func TestWhatOthersDoToTheDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "artifacts.db")
	s, _ := newStoreAt(t, path)
	name := func(key string) CacheMeta { return CacheMeta{"api", key, "p"} }
	removed, cut, kept := putCache(t, s, name("removed"), "one"), putCache(t, s, name("cut"), "two"), putCache(t, s, name("kept"), "three")
	harm := func(s *Store) {
		t.Helper()
		if err := os.Remove(s.cachePath(removed.ID)); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(s.cachePath(cut.ID), 1); err != nil {
			t.Fatal(err)
		}
	}
	harm(s)
	for _, id := range []string{removed.ID, cut.ID} {
		if _, _, err := s.OpenCache(t.Context(), id); !gone(err) {
			t.Errorf("opened: %v", err)
		}
	}
	removed, cut = putCache(t, s, name("removed"), "once more"), putCache(t, s, name("cut"), "again")
	if err := os.Remove(s.cachePath(removed.ID)); err != nil {
		t.Fatal(err)
	}
	removed = putCache(t, s, name("removed"), "and again") // nobody opened it in between
	harm(s)
	foreign := filepath.Join(s.cacheDir, strings.Repeat("a", 26)+cacheSuffix)
	readme := filepath.Join(s.cacheDir, "backup.tar")
	for _, path := range []string{foreign, readme} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var problems []string
	if err := s.Check(t.Context(), func(p string) { problems = append(problems, p) }); err != nil || len(problems) != 3 {
		t.Errorf("check: %v, %q", err, problems)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ = newStoreAt(t, path)
	clean(t, s)
	page, _, err := s.Caches("", 0)
	if err != nil || len(page) != 1 || page[0].ID != kept.ID || readCacheFile(t, s, kept.ID) != "three" || files(t, s) != 2 {
		t.Errorf("left are %+v (%v) and %d files, want one cache and a file that is not ours", page, err, files(t, s))
	}
}

// TestCheckFindsDamagedCaches does one harm at a time.
func TestCheckFindsDamagedCaches(t *testing.T) {
	meta := CacheMeta{"api", "k", "p"}
	for name, test := range map[string]struct {
		harm func(s *Store, id string) error
		want string
	}{
		"another byte": {func(s *Store, id string) error { return os.WriteFile(s.cachePath(id), []byte("twp"), 0o600) }, "hash"},
		"no name": {func(s *Store, _ string) error {
			return s.lane.write(context.Background(), spoil(named(cacheNamesBucket), cacheName(meta), remove))
		}, "does not lead"},
		"no row": {func(s *Store, id string) error {
			return s.lane.write(context.Background(), spoil(named(cachesBucket), []byte(id), remove))
		}, "leads to no cache"},
		"half a row": {func(s *Store, id string) error {
			return s.lane.write(context.Background(), spoil(named(cachesBucket), []byte(id), func(v []byte) []byte { return v[:9] }))
		}, "damaged"},
		"a name that leads nowhere": {func(s *Store, _ string) error {
			return s.lane.write(context.Background(), func(tx *bolt.Tx) error {
				return tx.Bucket(cacheNamesBucket).Put([]byte("x"), []byte("y"))
			})
		}, "leads to no cache"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			info := putCache(t, s, meta, "two")
			if err := test.harm(s, info.ID); err != nil {
				t.Fatal(err)
			}
			var problems []string
			if err := s.Check(t.Context(), func(p string) { problems = append(problems, p) }); err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(problems, "\n"); !strings.Contains(all, test.want) {
				t.Errorf("want %q among the problems, got %q", test.want, all)
			}
			found, err := s.FindCache([]string{"api"}, "k", nil, "p") // may fail, or find it, and nothing worse
			if err == nil {
				if r, _, err := s.OpenCache(t.Context(), found.ID); err == nil {
					if _, err := io.Copy(io.Discard, r); err != nil {
						t.Error(err)
					}
					r.Close()
				}
			}
		})
	}
}
