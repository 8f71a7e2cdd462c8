package artifacts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"
)

func putCache(t testing.TB, s *Store, meta CacheMeta, text string) CacheInfo {
	t.Helper()
	info, stored, err := s.PutCache(t.Context(), meta, strings.NewReader(text), 0)
	if err != nil || !stored {
		t.Fatalf("a cache was not stored (%v): %v", stored, err)
	}
	return info
}

func readCacheFile(t testing.TB, s *Store, id string) string {
	t.Helper()
	r, _, err := s.OpenCache(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return string(readAll(t, r))
}

// files counts what lies in the directory of caches.
func files(t testing.TB, s *Store) int {
	t.Helper()
	entries, err := os.ReadDir(s.cacheDir)
	if err != nil && !gone(err) {
		t.Fatal(err)
	}
	return len(entries)
}

func cachesOf(t testing.TB, s *Store) []CacheInfo {
	t.Helper()
	page, _, err := s.Caches("", 0)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func TestWithAKeyTheFirstCacheStays(t *testing.T) {
	s := newStore(t)
	meta := CacheMeta{Scope: "api@protected", Key: "go-\xff\n1", Paths: "p"}
	first := putCache(t, s, meta, "one")
	again, stored, err := s.PutCache(t.Context(), meta, iotest.ErrReader(errors.New("it was read")), 0)
	if err != nil || stored || again.ID != first.ID {
		t.Fatalf("the second came to %+v, %v, %v", again, stored, err)
	}
	if got := readCacheFile(t, s, first.ID); got != "one" {
		t.Errorf("it is %q", got)
	}
	if first.Bytes != 3 || first.CacheMeta != meta || files(t, s) != 1 {
		t.Errorf("it is known as %+v, and %d files lie there", first, files(t, s))
	}
	for _, other := range []CacheMeta{{meta.Scope, meta.Key, "q"}, {"api@refs/pull/1", meta.Key, "p"}, {meta.Scope, meta.Key + "2", "p"}} {
		putCache(t, s, other, "another")
	}
	clean(t, s)
}

func TestWithoutAKeyTheLastCacheStays(t *testing.T) {
	s := newStore(t)
	meta := CacheMeta{Scope: "api", Paths: "p"}
	former := putCache(t, s, meta, "one")
	r, _, err := s.OpenCache(t.Context(), former.ID)
	if err != nil {
		t.Fatal(err)
	}
	putCache(t, s, meta, "two, which is longer")
	if got := string(readAll(t, r)); got != "one" {
		t.Errorf("who read the former one, got %q", got)
	}
	info, err := s.FindCache([]string{"api"}, "", nil, "p")
	if err != nil || info.Hits != 1 || readCacheFile(t, s, info.ID) != "two, which is longer" {
		t.Errorf("found %+v, %v; it was used once so far, as the former one", info, err)
	}
	if _, _, err := s.OpenCache(t.Context(), former.ID); !gone(err) || files(t, s) != 1 {
		t.Errorf("the former: %v, and %d files lie there, want one", err, files(t, s))
	}
	clean(t, s)
}

func TestWhichCacheIsFound(t *testing.T) {
	s := newStore(t)
	for _, c := range []struct{ scope, key, paths string }{
		{"main", "npm-aaa", "p"}, {"main", "npm-bbb", "p"}, {"main", "npm-ccc", "q"}, {"main", "", "p"},
		{"pull", "npm-pull", "p"}, {"other", "npm-zzz", "p"}, {"main", "yarn-1", "p"},
	} {
		putCache(t, s, CacheMeta{c.scope, c.key, c.paths}, c.scope+" "+c.key)
	}
	both := []string{"pull", "main"}
	long := strings.Repeat("x", maxKeyBytes+1)
	tests := []struct {
		name     string
		scopes   []string
		key      string
		fallback []string
		want     string // "" is none
	}{
		{"in full", both, "npm-aaa", nil, "main npm-aaa"},
		{"a key is no prefix", both, "npm-", nil, ""},
		{"another scope's", []string{"main"}, "npm-pull", nil, ""},
		{"the newest that begins so", []string{"main"}, "npm-x", []string{"npm-"}, "main npm-bbb"},
		{"the first scope that has one", both, "npm-x", []string{"npm-"}, "pull npm-pull"},
		{"the first prefix that fits", both, "npm-x", []string{"gem-", "npm-bb", "npm-"}, "main npm-bbb"},
		{"the first prefix wins over the first scope", both, "x", []string{"yarn", "npm-"}, "main yarn-1"},
		{"an empty prefix fits nothing", both, "x", []string{""}, ""},
		{"a prefix that is too long is passed over", both, "x", []string{long, "y"}, "main yarn-1"},
		{"no key: the newest", both, "", []string{"npm-"}, "pull npm-pull"},
		{"no key, one scope", []string{"main"}, "", nil, "main yarn-1"},
		{"no scope", nil, "npm-aaa", []string{"n"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			info, err := s.FindCache(tt.scopes, tt.key, tt.fallback, "p")
			if tt.want == "" {
				if !gone(err) {
					t.Fatalf("found %+v, %v", info, err)
				}
				return
			}
			if err != nil || info.Scope+" "+info.Key != tt.want {
				t.Fatalf("found %+v, %v, want %s", info, err, tt.want)
			}
		})
	}
	if _, err := s.FindCache(both, long, nil, "p"); err == nil || gone(err) {
		t.Errorf("a key of %d bytes: %v, want it refused", len(long), err)
	}
}

func TestWhatCannotBeACache(t *testing.T) {
	s := newStore(t)
	broken := errors.New("the engine left")
	for name, test := range map[string]struct {
		meta CacheMeta
		r    io.Reader
		want error
		text string
	}{
		"no scope":       {CacheMeta{Key: "k", Paths: "p"}, strings.NewReader("x"), nil, "scope"},
		"a long key":     {CacheMeta{"a", strings.Repeat("k", 600), "p"}, strings.NewReader("x"), nil, "600 bytes"},
		"a NUL":          {CacheMeta{"a", "k\x00p", "p"}, strings.NewReader("x"), nil, "NUL"},
		"too many bytes": {CacheMeta{"a", "k", "p"}, bytes.NewReader(make([]byte, 3<<20)), ErrLimit, "more than"},
		"half of it":     {CacheMeta{"a", "k", "p"}, io.MultiReader(strings.NewReader("x"), iotest.ErrReader(broken)), broken, "reading"},
	} {
		t.Run(name, func(t *testing.T) {
			_, stored, err := s.PutCache(t.Context(), test.meta, test.r, 2<<20)
			if stored || err == nil || !strings.Contains(err.Error(), test.text) || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("%v, %v", stored, err)
			}
		})
	}
	if n := files(t, s); n != 0 {
		t.Errorf("%d files are left", n)
	}
	clean(t, s)
}

func TestEviction(t *testing.T) {
	s, clock := newStoreAt(t, filepath.Join(t.TempDir(), "artifacts.db"))
	put := func(scope, key string, n int) string {
		clock.pass(time.Hour)
		return putCache(t, s, CacheMeta{scope, key, "p"}, strings.Repeat("x", n)).ID
	}
	left := func() (keys string) {
		page, _, err := s.Caches("", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"a", "b", "c", "d", "e", "g"} {
			for _, c := range page {
				if c.Key == key {
					keys += key
				}
			}
		}
		return keys
	}
	a := put("main", "a", 100)
	put("main", "b", 100)
	put("main", "c", 100)
	put("pull", "d", 100)
	put("pull", "e", 150)
	readCacheFile(t, s, a)
	evict := func(p CachePolicy, want string, caches int) {
		t.Helper()
		out, err := s.EvictCaches(t.Context(), p)
		if err != nil || out.Caches != caches || left() != want {
			t.Fatalf("%+v evicted %+v, %v and left %s, want %s", p, out, err, left(), want)
		}
		if files(t, s) != len(want) {
			t.Errorf("%d files lie there, want %d", files(t, s), len(want))
		}
		clean(t, s)
	}
	evict(CachePolicy{MaxBytes: 1000, MaxAge: 24 * time.Hour}, "abcde", 0)
	evict(CachePolicy{MaxBytes: 520}, "acde", 1)          // 300 of main are more than half: b was not used for longest
	evict(CachePolicy{MaxBytes: 440}, "ace", 1)           // 250 of pull
	evict(CachePolicy{MaxAge: 90 * time.Minute}, "ae", 1) // c; a is older and was used
	evict(CachePolicy{MaxBytes: 300, MaxAge: time.Hour}, "ae", 0)
	s.free = func() (int64, error) { return CacheFloor - 1, nil }
	if _, _, err := s.PutCache(t.Context(), CacheMeta{"main", "f", "p"}, strings.NewReader("x"), 0); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("on a full disk: %v", err)
	}
	evict(CachePolicy{}, "", 1) // e went for the put
	s.free = func() (int64, error) { return CacheFloor + 100, nil }
	put("main", "g", 10)
	evict(CachePolicy{Floor: CacheFloor + 100}, "g", 0)
	evict(CachePolicy{Floor: CacheFloor + 101}, "", 1)
}

func TestManyWriteReadAndEvictAtOnce(t *testing.T) {
	s := newStore(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 20 {
				meta := CacheMeta{Scope: "api", Paths: "p"}
				if i%2 == 0 {
					meta.Key = fmt.Sprint("key", n)
				}
				text := fmt.Sprint("of ", meta.Key)
				if _, _, err := s.PutCache(t.Context(), meta, strings.NewReader(text), 0); err != nil {
					t.Error(err)
				}
				info, err := s.FindCache([]string{"api"}, meta.Key, nil, "p")
				if err != nil {
					if !gone(err) {
						t.Error(err)
					}
					continue
				}
				r, info, err := s.OpenCache(t.Context(), info.ID)
				if gone(err) {
					continue
				}
				if err != nil {
					t.Error(err)
					continue
				}
				if got := readAll(t, r); string(got) != "of "+info.Key {
					t.Errorf("%q of key %q", got, info.Key)
				}
				if i == 0 && n%5 == 0 {
					if _, err := s.EvictCaches(t.Context(), CachePolicy{MaxBytes: 60}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	clean(t, s)
	page, _, err := s.Caches("", 0)
	if err != nil || files(t, s) != len(page) {
		t.Errorf("%d caches and %d files (%v)", len(page), files(t, s), err)
	}
}
