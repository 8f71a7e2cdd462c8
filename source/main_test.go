package source

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/internal/leak"
)

// TestMain lets the test binary be its own worker, as the built binary is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "source-worker" {
		os.Exit(WorkerMain(os.Stdin, os.Stdout, os.Stderr))
	}
	if len(os.Args) > 2 && os.Args[1] == "source-hog" {
		step, _ := strconv.Atoi(os.Args[2])
		hog(step)
	}
	leak.Main(m)
}

// worker is the command line of the child.
func worker(t testing.TB) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{self, "source-worker"}
}

// open makes a store that works in children.
func open(t testing.TB, change ...func(*Options)) *Store {
	t.Helper()
	opts := Options{Dir: t.TempDir(), Worker: worker(t)}
	for _, c := range change {
		c(&opts)
	}
	s, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// inProcess makes a store work in the process of the test.
func inProcess(o *Options) { o.Worker = nil }

// repo is a repository made by real git.
type repo struct {
	t   testing.TB
	dir string
	now int64
}

func newRepo(t testing.TB) *repo {
	t.Helper()
	r := &repo{t: t, dir: filepath.Join(t.TempDir(), "origin"), now: 1_700_000_000}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.git("init", "-q", "-b", "main")
	r.git("config", "http.receivepack", "true")
	return r
}

func gitEnv(now int64) []string {
	date := fmt.Sprintf("@%d +0000", now)
	return append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_ATTR_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com",
		"GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date, "GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL=file:http:https:ssh")
}

// gitIn runs real git in a directory, with more of an environment if given, and returns what it prints.
func gitIn(t testing.TB, dir string, now int64, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin, cmd.Env = dir, strings.NewReader(stdin), gitEnv(now)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return strings.TrimSuffix(string(out), "\n")
}

func (r *repo) git(args ...string) string {
	r.t.Helper()
	return gitIn(r.t, r.dir, r.now, "", args...)
}

func (r *repo) pipe(stdin string, args ...string) string {
	r.t.Helper()
	return gitIn(r.t, r.dir, r.now, stdin, args...)
}

func (r *repo) write(name, body string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// commit commits all that is in the working tree, and returns its name.
func (r *repo) commit(message string) string {
	r.t.Helper()
	r.now += 60
	r.git("add", "-A")
	r.git("commit", "-q", "--allow-empty", "-m", message)
	return r.git("rev-parse", "HEAD")
}

// gitServer serves repositories with git's own http-backend.
type gitServer struct {
	*httptest.Server
	requests int
	user     string // with password: credentials that are wanted, if any
	password string
}

// serve serves the directory above a repository.
func serve(t testing.TB, root string) *gitServer {
	t.Helper()
	g := newGitServer(t, root)
	g.Server = httptest.NewServer(g.handler(t, root))
	t.Cleanup(g.Close)
	return g
}

func newGitServer(t testing.TB, root string) *gitServer {
	t.Helper()
	return &gitServer{}
}

func (g *gitServer) handler(t testing.TB, root string) http.Handler {
	t.Helper()
	path, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"),
		Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.requests++
		if g.user != "" {
			if u, p, _ := r.BasicAuth(); u != g.user || p != g.password {
				w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
		}
		backend.ServeHTTP(w, r)
	})
}

// url is the URL of a repository that is served.
func (g *gitServer) url(r *repo) string { return g.URL + "/" + filepath.Base(r.dir) + "/.git" }

// served makes a repository with some history, and serves it.
func served(t testing.TB) (*repo, *gitServer, Remote) {
	t.Helper()
	r := newRepo(t)
	r.write("README.md", "hello\n")
	r.write("src/main.go", "package main\n")
	r.write("buildspec.yml", "version: 0.2\n")
	r.commit("first")
	r.write("src/main.go", "package main\n\nfunc main() {}\n")
	r.commit("second")
	g := serve(t, filepath.Dir(r.dir))
	return r, g, Remote{URL: g.url(r)}
}

// wait is how long a test waits for what ought to happen at once.
const wait = 20 * time.Second

// fsck proves that a mirror is a good repository in the eyes of real git.
func fsck(t testing.TB, s *Store, url string) {
	t.Helper()
	m, err := mirrorOf(s.opts.Dir, url)
	if err != nil {
		t.Fatal(err)
	}
	gitIn(t, m.dir, 0, "", "fsck", "--full", "--strict", "--no-dangling")
	if err := s.Check(t.Context(), func(p string) { t.Errorf("check: %s", p) }); err != nil {
		t.Fatal(err)
	}
}

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func copyAll(w io.Writer, r io.Reader) (int64, error) { return io.Copy(w, r) }
