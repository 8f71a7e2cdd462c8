//go:build linux

package agent

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// give puts a cache into the spool, as the daemon does.
func (s *sandbox) give(archive []byte) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.spool, wire.RestoreFile), archive, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// keptCache runs a job and returns the cache that it left.
func keptCache(t *testing.T, s *sandbox, job wire.Job) []byte {
	t.Helper()
	k := s.talkTo(job)
	if job.Cache.Restore {
		s.send(wire.Answer{ID: k.request().ID, Cache: &wire.CacheAnswer{}})
	}
	res := k.end()
	if res.done.Cache == nil || res.done.Cache.File != wire.CacheFile {
		t.Fatalf("no cache was left: %+v\n%s", res.done, res.log)
	}
	archive, err := os.ReadFile(filepath.Join(s.spool, wire.CacheFile))
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

func TestACacheComesBackInAnotherSandbox(t *testing.T) {
	for shell, path := range shells(t) {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			spec := &wire.CacheSpec{
				Paths:    []string{"deps", "out/**/*", "$HOME/.m2/**/*", "~/pip/", "missing", "${LIST}*.lock", "$UNSET"},
				Key:      "k-$(codebuild-hash-files '*.lock')-$VERSION",
				Fallback: []string{"k-`echo x`", "$UNSET"},
				Restore:  true, Save: true,
			}
			const make = `cd "$CODEBUILD_SRC_DIR"; mkdir -p deps/empty deps/ro out/a $HOME/.m2/r $HOME/pip; echo 1 >deps/f; chmod 755 deps/f; touch -t 200101010101 deps/f
				ln -s f deps/link; ln -s /etc/passwd deps/abs; echo 2 >out/a/g; echo 3 >$HOME/.m2/r/jar; echo 4 >$HOME/pip/w; echo 5 >deps/ro/x; chmod 555 deps/ro
				mkfifo deps/fifo; VERSION=changed`
			first := newSandbox(t)
			write(t, first.src, "a.lock", "lock")
			job := first.job(make)
			job.Shell, job.Cache = path, spec
			job.Env = []wire.Var{{Name: "VERSION", Value: "1"}, {Name: "LIST", Value: "a"}}
			archive := keptCache(t, first, job)

			second := newSandbox(t)
			write(t, second.src, "a.lock", "lock")
			write(t, second.src, "deps/f", "the source's own")
			write(t, second.src, "out/own", "kept")
			job = second.job(`cd "$CODEBUILD_SRC_DIR"; cat deps/f deps/link out/a/g out/own $HOME/.m2/r/jar $HOME/pip/w deps/ro/x; ls -d deps/empty; readlink deps/abs; stat -c %a deps/f deps/ro; find deps/f -mtime -900; ls deps`)
			job.Shell, job.Cache = path, spec
			job.Env = []wire.Var{{Name: "VERSION", Value: "1"}, {Name: "LIST", Value: "a"}}
			k := second.talkTo(job)
			req := k.request()
			if !strings.HasPrefix(req.Cache.Key, "k-") || !strings.HasSuffix(req.Cache.Key, "-1") || len(req.Cache.Key) != len("k--1")+64 ||
				len(req.Cache.Fallback) != 1 || req.Cache.Fallback[0] != "k-x" {
				t.Errorf("asked for %+v", req.Cache)
			}
			second.give(archive)
			second.send(wire.Answer{ID: req.ID, Cache: &wire.CacheAnswer{Hit: true, Key: req.Cache.Key, File: wire.RestoreFile, Bytes: int64(len(archive))}})
			res := k.end()
			want := "1\n1\n2\nkept3\n4\n5\ndeps/empty\n/etc/passwd\n755\n555\nabs\nempty\nf\nlink\nro\n"
			if res.output() != want {
				t.Errorf("the second job found %q, want %q\n%s", res.output(), want, res.log)
			}
			if res.done.Cache != nil || !strings.Contains(res.log, "has one already, which is never changed") {
				t.Errorf("a key that was hit is not saved again: %+v", res.done.Cache)
			}
			if _, err := os.Stat(filepath.Join(second.spool, wire.RestoreFile)); err == nil {
				t.Error("the archive still takes room in the spool")
			}
		})
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWhenACacheIsSaved(t *testing.T) {
	tests := []struct {
		name    string
		change  func(*wire.Job)
		answer  *wire.CacheAnswer // nil: nothing is asked
		saved   bool
		log     string
		command string
	}{
		{"nothing found", func(*wire.Job) {}, &wire.CacheAnswer{}, true, "No cache k found\n", ""},
		{"a fallback", func(*wire.Job) {}, &wire.CacheAnswer{Hit: true, Key: "older"}, true, "Restored cache older: 0 file(s)", ""},
		{"a failed build", func(*wire.Job) {}, &wire.CacheAnswer{}, false, "not saved, because the build failed", "false"},
		{"no key", func(j *wire.Job) { j.Cache.Key = ""; j.Cache.Fallback = []string{"x"} }, &wire.CacheAnswer{Hit: true}, true, "fallback-keys are ignored", ""},
		{"only restored", func(j *wire.Job) { j.Cache.Save = false }, &wire.CacheAnswer{}, false, "No cache", ""},
		{"only saved", func(j *wire.Job) { j.Cache.Restore = false; j.Cache.Paths = []string{"deps/*"} }, nil, true, "Packed cache k: 1 file(s), 2 bytes", ""},
		{"no paths", func(j *wire.Job) { j.Cache.Paths = nil }, nil, false, "Unable to initialize cache download: no paths specified to be cached\n", ""},
		{"no such paths", func(j *wire.Job) { j.Cache.Paths = []string{"nowhere/*"} }, &wire.CacheAnswer{}, false, "none of its paths is there", ""},
		{"too large", func(j *wire.Job) { j.Limits.CacheBytes = 1 }, &wire.CacheAnswer{}, false, "larger than the limit of 1 bytes", ""},
		{"a hash of nothing", func(j *wire.Job) { j.Cache.Key = "k-$(codebuild-hash-files none.lock)" }, nil, false, "codebuild-hash-files: no file matches none.lock", ""},
		{"an empty key", func(j *wire.Job) { j.Cache.Key = "$UNSET" }, nil, false, "has 0 bytes after the shell expanded it", ""},
		{"a key with a secret", func(j *wire.Job) { j.Cache.Key = "k-hunter2"; j.Secrets = []string{"hunter2"} }, &wire.CacheAnswer{Hit: true, Key: "k-***"}, false, "the key k-*** has one already", ""},
		{"no shell", func(j *wire.Job) { j.Cache.Key = "$(" }, nil, false, "Unable to download cache: cache.key", ""},
		{"everything there is", func(j *wire.Job) { j.Cache.Paths = []string{"/**/*"} }, &wire.CacheAnswer{}, false, "", "exit 1"},
		{"the root", func(j *wire.Job) { j.Cache.Paths = []string{"/"} }, nil, false, "is the whole file system", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			job := s.cacheJob("mkdir -p deps/d; echo 1 >deps/d/f", tt.command)
			tt.change(&job)
			k := s.talkTo(job)
			if tt.answer != nil {
				s.give(tarOf(t))
				s.send(wire.Answer{ID: k.request().ID, Cache: tt.answer})
			}
			res := k.end()
			if (res.done.Cache != nil) != tt.saved || !strings.Contains(res.log, tt.log) {
				t.Errorf("left %+v, want one: %v, and %q in the log\n%s", res.done.Cache, tt.saved, tt.log, res.log)
			}
			if want := tt.command == ""; (res.done.Status == wire.StatusSucceeded) != want {
				t.Errorf("a cache decided the build: %+v", res.done)
			}
			if _, err := os.Stat(filepath.Join(s.spool, wire.CacheFile)); (err == nil) != tt.saved {
				t.Errorf("the archive: %v", err)
			}
		})
	}
}

func tarOf(t testing.TB, items ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, hdr := range items {
		text := ""
		if hdr.Typeflag == tar.TypeReg || hdr.Typeflag == 0 {
			hdr.Typeflag, text = tar.TypeReg, "hostile"
		}
		hdr.Size, hdr.Format, hdr.ModTime = int64(len(text)), tar.FormatPAX, time.Unix(1e9, 0)
		hdr.Uid, hdr.Gid = os.Getuid(), os.Getgid()
		if hdr.Mode == 0 {
			hdr.Mode = 0o755
		}
		if err := tw.WriteHeader(&hdr); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A cache may come from a hostile job. Whatever is in it, only what the paths of the restoring job cover is touched.
func TestAHostileCacheStaysBelowItsPaths(t *testing.T) {
	dir := func(name string) tar.Header { return tar.Header{Typeflag: tar.TypeDir, Name: name + "/"} }
	link := func(name, to string) tar.Header {
		return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}
	}
	file := func(name string) tar.Header { return tar.Header{Name: name} }
	tests := []struct {
		name  string
		items func(s *sandbox) []tar.Header
		tree  string // what is below deps afterwards
	}{
		{"what is covered", func(*sandbox) []tar.Header { return []tar.Header{dir("source/deps"), file("source/deps/a/b")} }, "deps deps/a deps/a/b deps/own"},
		{"another place in the source", func(*sandbox) []tar.Header {
			return []tar.Header{file("source/keep"), file("source/other"), dir("source/otherdir")}
		}, "deps deps/own"},
		{"out of it", func(*sandbox) []tar.Header {
			return []tar.Header{file("source/deps/../keep"), file("source/../src/keep"), file("../src/keep"), file("source/deps/./x"), file("source//deps/x")}
		}, "deps deps/own"},
		{"another root", func(s *sandbox) []tar.Header {
			return []tar.Header{file("root" + s.src + "/keep"), file("home/keep"), file(s.src + "/keep"), file("keep"), file("source")}
		}, "deps deps/own"},
		{"through its own link", func(s *sandbox) []tar.Header {
			return []tar.Header{link("source/deps/up", ".."), file("source/deps/up/keep"), link("source/deps/abs", s.src), file("source/deps/abs/keep"), dir("source/deps/abs/made")}
		}, "deps deps/abs deps/own deps/up"},
		{"over its own link", func(s *sandbox) []tar.Header {
			return []tar.Header{link("source/deps/x", "../keep"), file("source/deps/x")}
		}, "deps deps/own deps/x"},
		{"a link where the directory is", func(*sandbox) []tar.Header {
			return []tar.Header{link("source/deps", "/tmp"), file("source/deps/x")}
		}, "deps deps/own deps/x"},
		{"through the source's link", func(*sandbox) []tar.Header {
			return []tar.Header{file("source/linked/keep"), file("source/linked/new"), dir("source/linked/sub")}
		}, "deps deps/own"},
		{"modes through a link", func(s *sandbox) []tar.Header {
			d := dir("source/deps/d")
			d.Mode = 0o111
			return []tar.Header{d, link("source/deps/d", s.src)}
		}, "deps deps/d deps/own"},
		{"devices", func(*sandbox) []tar.Header {
			return []tar.Header{{Typeflag: tar.TypeFifo, Name: "source/deps/fifo"}, {Typeflag: tar.TypeLink, Name: "source/deps/hard", Linkname: "/etc/passwd"}, {Typeflag: tar.TypeChar, Name: "source/deps/null", Devmajor: 1, Devminor: 3}}
		}, "deps deps/own"},
		{"the agent's record", func(s *sandbox) []tar.Header {
			return []tar.Header{file("root" + s.spool + "/frames"), file("root" + filepath.Dir(s.spool))}
		}, "deps deps/own"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			write(t, s.src, "keep", "mine")
			write(t, s.src, "deps/own", "mine")
			if err := os.Symlink(".", filepath.Join(s.src, "linked")); err != nil {
				t.Fatal(err)
			}
			job := s.cacheJob(`cat keep; find deps | sort | tr '\n' ' '; stat -c %a .`)
			job.Cache.Paths = append(job.Cache.Paths, "linked/**/*", s.spool+"/**/*", filepath.Dir(s.spool)+"/spool")
			job.Cache.Save = false
			k := s.talkTo(job)
			s.give(tarOf(t, tt.items(s)...))
			s.send(wire.Answer{ID: k.request().ID, Cache: &wire.CacheAnswer{Hit: true, Key: "k"}})
			res := k.end()
			if want := "mine" + tt.tree + " 755\n"; res.output() != want {
				t.Errorf("found %q, want %q\n%s", res.output(), want, res.log)
			}
			if entries, _ := os.ReadDir(s.src); len(entries) != 3 {
				t.Errorf("the source holds %v", entries)
			}
			if entries, _ := os.ReadDir(s.spool); len(entries) != 1 {
				t.Errorf("the spool holds %v", entries)
			}
		})
	}
}

func TestADamagedCacheIsTold(t *testing.T) {
	whole := tarOf(t, tar.Header{Name: "source/deps/a"}, tar.Header{Name: "source/deps/b"})
	sparse := bytes.Clone(whole)
	for name, archive := range map[string][]byte{"cut short": whole[:len(whole)/2-200], "no tar": bytes.Repeat([]byte("x"), 2000), "absent": nil, "bits": append(sparse[:600:600], sparse[700:]...)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			job := s.cacheJob("echo ran")
			k := s.talkTo(job)
			req := k.request()
			if archive != nil {
				s.give(archive)
			}
			s.send(wire.Answer{ID: req.ID, Cache: &wire.CacheAnswer{Hit: true, Key: "k"}})
			if res := k.end(); res.done.Status != wire.StatusSucceeded || !strings.Contains(res.log, "Unable to download cache: ") || res.output() != "ran\n" {
				t.Errorf("ended %+v\n%s", res.done, res.log)
			}
		})
	}
}
