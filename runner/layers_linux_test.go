package runner_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/internal/githost"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/source"
)

// newCacheYard is a yard over a repository with some files, whose store is clean when the test ends.
func newCacheYard(t testing.TB) *yard {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root mounts workspaces")
	}
	y := openYard(t, t.TempDir(), fmt.Sprintf("cache-%x", rand.Uint64()), 1)
	y.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	root := t.TempDir()
	repo, err := githost.Create(t.Context(), root, "app")
	must(t, err)
	for name, text := range map[string]string{"main.go": "package main", "web/index.html": "<p>", "lib/a": "a", "has/modules/x": "committed"} {
		must(t, repo.Write(name, text))
	}
	_, err = repo.Commit(t.Context(), "all")
	must(t, err)
	handler, err := githost.Handler(root)
	must(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	y.source = runner.Checkout{Remote: source.Remote{URL: server.URL + "/app.git"}, Depth: 1}
	got, err := y.Source.Fetch(t.Context(), y.source.Remote, source.Want{})
	must(t, err)
	y.source.Commit, y.source.Ref = got.Commit, "refs/heads/main"
	return y
}

// cached is a job with a cache.
func (y *yard) cached(spec wire.CacheSpec, commands ...string) runner.Attempt {
	a := y.attempt()
	spec.Restore, spec.Save = true, true
	a.Job.Cache, a.Job.Phases[0].Commands = &spec, commands
	a.Cache = runner.CacheScope{Read: []string{"api/protected"}, Write: "api/protected"}
	return a
}

// play runs an attempt that succeeds, destroys its sandbox, and returns its log.
func (y *yard) play(t testing.TB, a runner.Attempt) string {
	t.Helper()
	res, err := y.Run(t.Context(), yardEngine, a, forgetful{})
	text, rerr := io.ReadAll(y.Artifacts.ReadLog(t.Context(), a.Log, 0, false))
	if err != nil || rerr != nil || res.Status != wire.StatusSucceeded {
		t.Errorf("%+v, %v, %v\n%s", res, err, rerr, text)
	}
	must(t, y.Destroy(t.Context(), yardEngine, a.Sandbox))
	y.used = res.Cache
	return string(text)
}

func says(t testing.TB, log string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(log, text) {
			t.Errorf("want %q in the log:\n%s", text, log)
		}
	}
}

func (y *yard) check(t testing.TB) {
	t.Helper()
	must(t, y.Artifacts.Check(context.Background(), func(p string) { t.Error("check: ", p) }))
}

// TestCachesAreMounted has jobs leave and find directories within the source directory and outside.
func TestCachesAreMounted(t *testing.T) {
	t.Parallel()
	y := newCacheYard(t)
	spec := wire.CacheSpec{Paths: []string{"web/modules/**/*", "vendor", "~/.npm/**/*", "/opt/tool/cache/**", "/root/plain"}}
	log := y.play(t, y.cached(spec,
		"mkdir -p web/modules/a; echo one >web/modules/a/f; ln web/modules/a/f web/modules/a/hard; mkdir vendor; echo v >vendor/v",
		"test -L ~/.npm; mkdir -p ~/.npm/r; echo npm >~/.npm/r/x; echo tool >/opt/tool/cache/t; mkdir -m 750 /root/plain; echo plain >/root/plain/p; ln -s p /root/plain/l; chown 5:6 /root/plain /root/plain/p; chmod 4755 vendor/v; chown 12:34 /opt/tool/cache /opt/tool/cache/t",
		"echo not in the cache >other; echo changed >main.go"))
	says(t, log, "No cache found", "Leaving cache where it is mounted", "Stored the cache, ")
	log = y.play(t, y.cached(spec,
		"cat web/modules/a/f web/modules/a/hard vendor/v ~/.npm/r/x /opt/tool/cache/t /root/plain/l web/index.html main.go; test ! -e other",
		"test -L /root/plain; stat -c '%n %u %g %a' vendor/v /opt/tool/cache/ /opt/tool/cache/t /root/plain/ /root/plain/p",
		// What is mounted is no obstacle.
		"pwd; rm -rf web/modules; mkdir web/modules; mv lib/a web/modules/a; cd vendor; mv v w; echo 2 >two; rm -rf ~/.npm/r; rm -rf /root/plain; mkdir /root/plain; echo anew >/root/plain/q"))
	says(t, log, "Restored cache: mounted ", "one\none\nv\nnpm\ntool\nplain\n<p>package main", "vendor/v 0 0 755\n/opt/tool/cache/ 12 34 755\n/opt/tool/cache/t 12 34 644\n/root/plain/ 5 6 750\n/root/plain/p 5 6 644", "Stored the cache, ")
	log = y.play(t, y.cached(spec, "find web/modules vendor ~/.npm/ /opt/tool/cache/ /root/plain/ -type f | sort; cat web/modules/a vendor/w vendor/two; cat lib/a"))
	says(t, log, "/opt/tool/cache/t\n/root/plain/q\nvendor/two\nvendor/w\nweb/modules/a\n", "av\n2\na")
	if all, _, err := y.Artifacts.Caches("", 0); err != nil || len(all) != 1 || all[0].Layers != 2 {
		t.Errorf("there are %+v, %v", all, err)
	}
	y.check(t)
}

// TestWhereACacheIsPacked takes the way of tars, where mounts would hide something or do not fit.
func TestWhereACacheIsPacked(t *testing.T) {
	t.Parallel()
	y := newCacheYard(t)
	for name, test := range map[string]struct {
		path, command string
		privileged    bool
	}{
		"the commit has the directory":  {path: "has/modules/**/*", command: "echo kept >has/modules/y"},
		"the commit has a file above":   {path: "main.go/x/**/*", command: "rm main.go; mkdir -p main.go/x; echo kept >main.go/x/y"},
		"a pattern":                     {path: "lib/*.o", command: "echo kept >lib/y.o"},
		"a file":                        {path: "kept", command: "echo kept >kept"},
		"a file outside":                {path: "/root/kept", command: "echo kept >/root/kept"},
		"the image has something there": {path: "/etc/**/*", command: "echo kept >/etc/kept"},
		"the history":                   {path: ".git/x/**/*", command: "mkdir .git/x; echo kept >.git/x/y"},
		"a privileged job":              {path: "vendor/**/*", command: "mkdir vendor; echo kept >vendor/y", privileged: true},
	} {
		t.Run(name, func(t *testing.T) {
			spec := wire.CacheSpec{Paths: []string{test.path}, Key: strings.ReplaceAll(name, " ", "-")}
			a := y.cached(spec, test.command)
			a.Privileged = test.privileged
			says(t, y.play(t, a), "Packed cache ", "Stored the cache, ")
			a = y.cached(spec, "true")
			a.Privileged = test.privileged
			says(t, y.play(t, a), "Restored cache "+spec.Key+": ", " file(s), ")
		})
	}
	y.check(t)
}

// TestKeysAndScopesOfMountedCaches has the rules of caches hold for layers.
func TestKeysAndScopesOfMountedCaches(t *testing.T) {
	t.Parallel()
	y := newCacheYard(t)
	spec := wire.CacheSpec{Paths: []string{"vendor/**/*"}, Key: "k-1", Fallback: []string{"k-"}}
	y.play(t, y.cached(spec, "mkdir vendor; echo trusted >vendor/v"))
	says(t, y.play(t, y.cached(spec, "cat vendor/v; echo changed >vendor/v")), "Restored cache k-1: mounted", "trusted", "the key k-1 has one already")

	stranger := func(spec wire.CacheSpec, commands ...string) runner.Attempt {
		a := y.cached(spec, commands...)
		a.Cache = runner.CacheScope{Read: []string{"api/ref/pull", "api/protected"}, Write: "api/ref/pull"}
		return a
	}
	spec.Key = "k-2"
	says(t, y.play(t, stranger(spec, "cat vendor/v; echo strange >vendor/v")), "Restored cache k-1", "trusted", "Stored the cache")
	says(t, y.play(t, stranger(spec, "cat vendor/v")), "Restored cache k-2", "strange")
	says(t, y.play(t, y.cached(spec, "cat vendor/v")), "Restored cache k-1", "trusted")

	failing := y.cached(wire.CacheSpec{Paths: spec.Paths, Key: "k-3"}, "mkdir -p vendor; echo half >vendor/v", "false")
	if res, err := y.Run(t.Context(), yardEngine, failing, forgetful{}); err != nil || res.Status != wire.StatusFailed {
		t.Errorf("%+v, %v", res, err)
	}
	must(t, y.Destroy(t.Context(), yardEngine, failing.Sandbox))
	says(t, y.play(t, y.cached(wire.CacheSpec{Paths: spec.Paths, Key: "k-3"}, "test ! -e vendor")), "No cache k-3 found")

	// A tar from before is found, and what becomes of it is a layer.
	tarred := y.cached(wire.CacheSpec{Paths: []string{"old/**/*"}}, "mkdir old; echo tar >old/f")
	tarred.Privileged = true
	says(t, y.play(t, tarred), "Packed cache")
	says(t, y.play(t, y.cached(wire.CacheSpec{Paths: []string{"old/**/*"}}, "cat old/f; echo layer >old/f")), "Restored cache: 1 file(s)", "tar", "Leaving cache")
	says(t, y.play(t, y.cached(wire.CacheSpec{Paths: []string{"old/**/*"}}, "cat old/f")), "Restored cache: mounted", "layer")

	tarred = y.cached(wire.CacheSpec{Paths: []string{"~/.old/**/*"}}, "mkdir ~/.old; echo tar >~/.old/f")
	tarred.Privileged = true
	says(t, y.play(t, tarred), "Packed cache")
	says(t, y.play(t, y.cached(wire.CacheSpec{Paths: []string{"~/.old/**/*"}}, "cat ~/.old/f; echo layer >~/.old/f")), "Restored cache: 1 file(s)", "tar", "Leaving cache")
	says(t, y.play(t, y.cached(wire.CacheSpec{Paths: []string{"~/.old/**/*"}}, "cat ~/.old/f")), "Restored cache: mounted", "layer")

	mixed := wire.CacheSpec{Paths: []string{"~/.dir/**/*", "~/file"}}
	says(t, y.play(t, y.cached(mixed, "echo d >~/.dir/d; echo f >~/file")), "Packed cache: 2 file(s)")
	says(t, y.play(t, y.cached(mixed, "cat ~/.dir/d ~/file")), "Restored cache: 2 file(s)", "d\nf\n")

	users := wire.CacheSpec{Paths: []string{"/tmp/of/user/**/*"}}
	for _, found := range []string{"No cache found", "Restored cache: mounted"} {
		user := y.cached(users, "id -u; echo x >>/tmp/of/user/f; cat /tmp/of/user/f")
		user.Job.Phases[0].RunAs = "1234:77"
		says(t, y.play(t, user), found, "1234\nx\n", "Stored the cache")
	}

	onlySaved := y.cached(wire.CacheSpec{Paths: []string{"~/.m2/**/*"}}, "echo jar >~/.m2/j")
	onlySaved.Job.Cache.Restore = false
	says(t, y.play(t, onlySaved), "Leaving cache")
	says(t, y.play(t, y.cached(wire.CacheSpec{Paths: []string{"~/.m2/**/*"}}, "cat ~/.m2/j")), "Restored cache: mounted", "jar")
	y.check(t)
}

// TestACacheIsAccountedFor has jobs say what they had of it, and one that costs too much is done without.
func TestACacheIsAccountedFor(t *testing.T) {
	t.Parallel()
	y := newCacheYard(t)
	spec := wire.CacheSpec{Paths: []string{"vendor/**/*"}}
	commands := []string{"test -e vendor/v || sleep 1; mkdir -p vendor; echo v >>vendor/v"}
	y.play(t, y.cached(spec, commands...))
	first := y.used
	y.play(t, y.cached(spec, commands...))
	if first == nil || first.Hit || y.used == nil || !y.used.Hit || y.used.Scope != "api/protected" || first.Paths != y.used.Paths {
		t.Errorf("the first job says that it had %+v, the second one %+v", first, y.used)
	}
	failing := y.cached(spec, "false")
	if _, err := y.Run(t.Context(), yardEngine, failing, forgetful{}); err != nil {
		t.Error(err)
	}
	must(t, y.Destroy(t.Context(), yardEngine, failing.Sandbox))
	all, _, err := y.Artifacts.Caches("", 0)
	must(t, err)
	if e := all[0].Earned; e.Hits != 1 || e.Misses != 1 || !e.Known || e.PerHit < 100*time.Millisecond || e.PerHit > time.Minute {
		t.Errorf("it earned %+v", e)
	}
	paths := strings.TrimSuffix(all[0].Paths, "+layers")
	for n := range 10 {
		_, err := y.Artifacts.NoteCacheRun(t.Context(), artifacts.CacheRun{
			Attempt: fmt.Sprint(n), Scope: "api/protected", Paths: paths, Hit: n%2 == 0, Work: time.Hour, Save: time.Minute,
		})
		must(t, err)
	}
	log := y.play(t, y.cached(spec, "test ! -e vendor; mkdir vendor"))
	says(t, log, "The cache is neither restored nor saved: builds that had it took ", "runner caches rm --scope api/protected turns it on again")
	must(t, y.Artifacts.RemoveCache(t.Context(), all[0].ID))
	says(t, y.play(t, y.cached(spec, commands...)), "No cache found", "Stored the cache")
}

// TestASandboxThatHoldsLayersIsLeftOver finds one of which nothing else is there any more.
func TestASandboxThatHoldsLayersIsLeftOver(t *testing.T) {
	st := newStage(t)
	_, err := st.Artifacts.HoldLayers(t.Context(), "ghost", "", []string{"source/vendor"})
	must(t, err)
	for _, want := range []bool{true, false} {
		left, err := st.Leftovers(t.Context())
		if err != nil || slices.Contains(left[""], "ghost") != want {
			t.Errorf("left over are %q, %v, the sandbox among them: %v", left, err, want)
		}
		must(t, st.Destroy(t.Context(), "", "ghost"))
	}
}

// TestADeepCacheLeavesNothing has a job make more levels of directories than the daemon may have files open.
func TestADeepCacheLeavesNothing(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("makes 25,000 levels: set RUNNER_SLOW=1")
	}
	y := newCacheYard(t)
	a := y.cached(wire.CacheSpec{Paths: []string{"vendor/**/*"}}, "p=$(yes x | head -n 1500 | tr '\\n' /); mkdir -p vendor/deep; cd vendor; for i in $(seq 17); do mkdir -p n/$p && mv deep n/$p && mv n deep || exit 1; done")
	says(t, y.play(t, a), "The cache was not stored: storing a cache: its directories lie too deep")
	y.check(t)
}
