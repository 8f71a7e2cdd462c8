package doctor

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/internal/githost"
)

func TestListener(t *testing.T) {
	p := healthyPatient(t)
	allWell(t, p.listener(t.Context()))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p.cfg.Listen = ln.Addr().String()
	want(t, p.listener(t.Context()), Fail, "address already in use")
}

func TestAddress(t *testing.T) {
	p := healthyPatient(t)
	if found := p.address(t.Context()); len(found) > 0 || len(p.left.lines) != 1 {
		t.Errorf("without a daemon: found %+v, left out %q", found, p.left.lines)
	}
	p.cfg.Projects = []config.Project{{Name: "api", WebhookSecret: "env:HOOK"}}
	want(t, p.address(t.Context()), Warn, "which no other machine can reach")
	p.cfg.Projects, p.daemon.runs = nil, true
	want(t, p.address(t.Context()), Fail, "does not lead to the daemon")
	want(t, p.listener(t.Context()), Fail, "is not answered by it")
	ours := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"status":"ok"}`) }))
	defer ours.Close()
	p.cfg.URL = ours.URL
	allWell(t, p.address(t.Context()))
	foreign := httptest.NewServer(http.NotFoundHandler())
	defer foreign.Close()
	p.cfg.URL = foreign.URL
	want(t, p.address(t.Context()), Fail, "something answers 404 Not Found, and it is no daemon of ours")
}

// TestDaemonIsFoundByItsLock takes a daemon's lock, and sees that the doctor finds it and does not take it.
func TestDaemonIsFoundByItsLock(t *testing.T) {
	p := healthyPatient(t)
	p.proc = "/proc"
	if d := p.findDaemon(t.Context()); d.runs {
		t.Fatalf("%+v", d)
	}
	path := filepath.Join(p.cfg.Data, "lock")
	write(t, path, "", 0o600)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if d := p.findDaemon(t.Context()); d.runs {
		t.Fatalf("the file alone is taken for a daemon: %+v", d)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/locks"); err != nil {
		t.Skip("this kernel does not list locks")
	}
	if d := p.findDaemon(t.Context()); !d.runs || d.pid != os.Getpid() {
		t.Errorf("%+v, want process %d", d, os.Getpid())
	}
}

// TestDaemonOfAnotherNamespaceIsFoundByItsState is a daemon whose locks the kernel does not list here.
func TestDaemonOfAnotherNamespaceIsFoundByItsState(t *testing.T) {
	p := healthyPatient(t)
	path := filepath.Join(p.cfg.Data, "state.db")
	write(t, path, "", 0o600)
	if d := p.findDaemon(t.Context()); d.runs {
		t.Fatalf("%+v", d)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if d := p.findDaemon(t.Context()); !d.runs || d.pid != 0 {
		t.Errorf("%+v, want one of no known process", d)
	}
}

// TestTheTokenIsForTheDaemonAlone has somebody else listen at the daemon's address while none runs.
func TestTheTokenIsForTheDaemonAlone(t *testing.T) {
	p := healthyPatient(t)
	asked := make(chan string, 10)
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Header.Get("Authorization") }))
	defer thief.Close()
	p.cfg.Listen = strings.TrimPrefix(thief.URL, "http://")
	write(t, filepath.Join(p.cfg.Data, "token"), "rt_secret", 0o600)
	if d := p.findDaemon(t.Context()); d.runs || len(asked) > 0 {
		t.Errorf("%+v, asked %d times", d, len(asked))
	}
}

// TestRemotes asks a git host that wants a token, with the right one, a wrong one, and none.
func TestRemotes(t *testing.T) {
	root, ctx := t.TempDir(), t.Context()
	repo, err := githost.Create(ctx, root, "api")
	if err != nil {
		t.Fatal(err)
	}
	if err := repo.Write("buildspec.yml", "version: 0.2\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Commit(ctx, "begin"); err != nil {
		t.Fatal(err)
	}
	git, err := githost.Handler(root)
	if err != nil {
		t.Fatal(err)
	}
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte("git:right")) {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		git.ServeHTTP(w, r)
	}))
	defer host.Close()
	url := host.URL + "/api.git"
	t.Setenv("RIGHT", "right")
	t.Setenv("WRONG", "wrong")
	silent, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, c := range []struct {
		project config.Project
		level   Level
		says    string
	}{
		{config.Project{Name: "right", URL: url, Token: "env:RIGHT"}, OK, "1 branches, 0 tags, default branch main"},
		{config.Project{Name: "wrong", URL: url, Token: "env:WRONG"}, Fail, "credentials"},
		{config.Project{Name: "none", URL: url}, Fail, "credentials"},
		{config.Project{Name: "shell", URL: url, Token: "env:NOT_IN_THIS_SHELL"}, Warn, "this shell has no variable NOT_IN_THIS_SHELL"},
		{config.Project{Name: "file", URL: url, Token: "file:/nowhere/token"}, Fail, "cannot be read"},
		{config.Project{Name: "gone", URL: "http://127.0.0.1:1/x.git"}, Fail, "127.0.0.1:1"},
		{config.Project{Name: "silent", URL: "http://" + silent.Addr().String() + "/x.git"}, Fail, "does not answer within"},
	} {
		t.Run(c.project.Name, func(t *testing.T) {
			p := healthyPatient(t)
			p.cfg.Projects = []config.Project{c.project}
			for _, check := range p.projectChecks(ctx) {
				if check.name == "remote "+c.project.Name {
					limited, cancel := context.WithTimeout(ctx, 2*time.Second)
					want(t, check.look(limited), c.level, c.says)
					cancel()
				}
			}
			if strings.Contains(fmt.Sprint(p.left.lines), "remote") {
				t.Errorf("left out: %q", p.left.lines)
			}
		})
	}
}

func TestWebhookSecretThatCannotBeRead(t *testing.T) {
	p := healthyPatient(t)
	found := p.hookSecrets([]config.Project{{Name: "api", WebhookSecret: "file:/nowhere/hook"}, {Name: "web"}})
	want(t, found, Fail, "every webhook is refused")
	if len(found) != 1 {
		t.Errorf("%+v", found)
	}
}
