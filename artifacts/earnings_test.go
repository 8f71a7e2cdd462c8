package artifacts

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// note has jobs of a name with a cache, or without, that take so many seconds each.
func note(t *testing.T, s *Store, job string, hit bool, work ...int) (off bool) {
	t.Helper()
	for _, w := range work {
		r := CacheRun{
			Attempt: rand.Text(), Job: job, Scope: "api", Paths: "p", Hit: hit,
			Work: time.Duration(w) * time.Second, Save: 2 * time.Second,
		}
		if hit {
			r.Restore = time.Second
		}
		for range 2 { // as after a restart
			now, err := s.NoteCacheRun(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			off = off || now
		}
	}
	return off
}

func TestWhatACacheEarns(t *testing.T) {
	s := newStore(t)
	putCache(t, s, CacheMeta{"api", "k", "p"}, "x")
	earned := func() Earnings { return cachesOf(t, s)[0].Earned }
	if e := earned(); e != (Earnings{}) {
		t.Errorf("of nothing it is %+v", e)
	}
	note(t, s, "build", false, 60, 62, 100)
	if e := earned(); e.Known || e.Misses != 3 {
		t.Errorf("without a hit it is %+v", e)
	}
	note(t, s, "build", true, 20, 22, 21, 19)
	if e := earned(); !e.Known || e.Hits != 4 || e.PerHit != 62*time.Second-23500*time.Millisecond || e.Restore != time.Second || e.Save != 2*time.Second {
		t.Errorf("it is %+v", e)
	}
	note(t, s, "lint", false, 10)
	note(t, s, "lint", true, 7, 8, 6, 9) // with what it costs, half a second longer
	if e := earned(); e.Hits != 8 || e.PerHit != (38500*time.Millisecond-500*time.Millisecond)/2 {
		t.Errorf("of two jobs it is %+v", e)
	}
	if e, err := s.Earned("api", "p", "lint"); err != nil || !e.Known || e.Hits != 4 || e.PerHit != -500*time.Millisecond {
		t.Errorf("of one of them it is %+v (%v)", e, err)
	}
	if e, err := s.Earned("api", "p", "deploy"); err != nil || e != (Earnings{}) {
		t.Errorf("of a job that had none it is %+v (%v)", e, err)
	}
	clean(t, s)
}

func TestACacheThatCostsMoreThanItSavesIsTurnedOff(t *testing.T) {
	s, clock := newStoreAt(t, filepath.Join(t.TempDir(), "artifacts.db"))
	one := putCache(t, s, CacheMeta{"api", "k", LayeredPaths("p")}, "x")
	is := func(job string, want bool) {
		t.Helper()
		e, err := s.CacheOff("api", "p", job)
		if err != nil || e.Off != want {
			t.Errorf("the cache of %s is %+v, %v, want off: %v", job, e, err, want)
		}
	}
	if note(t, s, "build", false, 10, 10, 10, 10, 10) || note(t, s, "build", true, 8, 8, 8, 8) {
		t.Error("it is off after 4 hits")
	}
	is("build", false)
	if !note(t, s, "build", true, 9) {
		t.Error("it is not off after 5 hits")
	}
	if note(t, s, "build", true, 1, 1, 1, 1, 1, 1, 1) {
		t.Error("it is turned off once more")
	}
	is("build", true)
	is("other", false)
	if e := cachesOf(t, s)[0].Earned; !e.Off {
		t.Errorf("listed as %+v", e)
	}
	if err := s.RemoveCache(t.Context(), one.ID); err != nil {
		t.Fatal(err)
	}
	is("build", false)
	putCache(t, s, CacheMeta{"api", "k", "p"}, "x")
	is("build", false)
	if e := cachesOf(t, s)[0].Earned; e != (Earnings{}) {
		t.Errorf("removed and made anew it has earned %+v", e)
	}

	// Off and with nothing stored any more, or after a time, it is tried again.
	note(t, s, "build", false, 10, 10, 10, 10, 10)
	note(t, s, "build", true, 20, 20, 20, 20, 20)
	is("build", true)
	clock.pass(time.Hour)
	if _, err := s.EvictCaches(t.Context(), CachePolicy{MaxAge: time.Minute}); err != nil {
		t.Fatal(err)
	}
	putCache(t, s, CacheMeta{"api", "k", "p"}, "x")
	is("build", false)
}

// TestTheCacheThatSavesLeastGoesFirst has two caches of one size and use, of which one saves a minute and the other
// nothing.
func TestTheCacheThatSavesLeastGoesFirst(t *testing.T) {
	for _, good := range []string{"api", "web"} {
		s := newStore(t)
		for _, scope := range []string{"web", "api"} {
			putCache(t, s, CacheMeta{scope, "k", "p"}, "0123456789")
			for n, hit := range []bool{true, false} {
				r := CacheRun{Attempt: fmt.Sprint(n), Scope: scope, Paths: "p", Hit: hit, Work: time.Second}
				if !hit && scope == good {
					r.Work = time.Minute
				}
				if _, err := s.NoteCacheRun(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
		}
		putCache(t, s, CacheMeta{"other", "k", "p"}, "0123456789") // nobody knows
		if out, err := s.EvictCaches(t.Context(), CachePolicy{MaxBytes: 20}); err != nil || out.Caches != 1 {
			t.Fatalf("%+v, %v", out, err)
		}
		for _, c := range cachesOf(t, s) {
			if c.Scope != good && c.Scope != "other" {
				t.Errorf("the cache of %s stays, which saves nothing", c.Scope)
			}
		}
	}
}
