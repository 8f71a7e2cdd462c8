package faces

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/internal/githost"
)

// world is one daemon with a git server, shared by all stories.
type world struct {
	once sync.Once
	err  error

	dir   string
	url   string
	token string
	git   *httptest.Server
	cmd   *exec.Cmd
	log   *os.File
	mu    sync.Mutex // of making repositories
	*client.Client
}

var theWorld world

// slots is how many jobs run at once in it. A benchmark may want more, before anything asks for the world.
var slots = 4

// daemon returns the world, made by the first story that asks for it.
func daemon(t testing.TB) *world {
	t.Helper()
	w := &theWorld
	w.once.Do(func() { w.err = w.begin() })
	if w.err != nil {
		t.Fatal(w.err)
	}
	return w
}

func (w *world) begin() (err error) {
	if w.dir, err = os.MkdirTemp("", "runner-faces-"); err != nil {
		return err
	}
	handler, err := githost.Handler(filepath.Join(w.dir, "git"))
	if err != nil {
		return err
	}
	w.git = httptest.NewServer(handler)
	address, err := freeAddress()
	if err != nil {
		return err
	}
	w.url = "http://" + address
	config := fmt.Sprintf("listen: %s\ndata: %s\nslots: %d\nwarm: off\nretry-faults: never\nengines: [{id: local, network: none}]\n", address, filepath.Join(w.dir, "data"), slots)
	path := filepath.Join(w.dir, "runner.yml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return err
	}
	if w.log, err = os.Create(filepath.Join(w.dir, "log")); err != nil {
		return err
	}
	w.cmd = exec.Command(binary, "serve", "--config", path, "--key-file", filepath.Join(w.dir, "key"))
	w.cmd.Env = append(os.Environ(), "HOOK_SECRET="+hookSecret)
	w.cmd.Stdout, w.cmd.Stderr = w.log, w.log
	if err := w.cmd.Start(); err != nil {
		return err
	}
	if err := w.await(); err != nil {
		return err
	}
	token, err := os.ReadFile(filepath.Join(w.dir, "data", "token"))
	if err != nil {
		return err
	}
	w.token = strings.TrimSpace(string(token))
	w.Client = client.New(w.url, w.token)
	return nil
}

func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// await waits until the daemon is ready.
func (w *world) await() error {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		res, err := http.Get(w.url + "/readyz")
		if err != nil {
			continue
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return nil
		}
	}
	said, _ := os.ReadFile(w.log.Name())
	return fmt.Errorf("the daemon does not become ready; it said:\n%s", said)
}

// end stops daemon and browser, and takes what they left off the engine.
func (w *world) end() {
	closeBrowser()
	if w.cmd == nil || w.cmd.Process == nil {
		return
	}
	instance := ""
	if w.Client != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if d, err := w.Daemon(ctx); err == nil {
			instance = d.Instance
		}
	}
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	_ = w.cmd.Wait()
	if instance != "" {
		for _, kind := range []string{"container", "volume", "network"} {
			list := exec.Command("docker", kind, "ls", "-q", "--filter", "label=runner.instance="+instance)
			if kind == "container" {
				list.Args = append(list.Args, "-a")
			}
			out, _ := list.Output()
			if ids := strings.Fields(string(out)); len(ids) > 0 {
				_ = exec.Command("docker", append([]string{kind, "rm", "-f"}, ids...)...).Run()
			}
		}
	}
	w.git.Close()
	_ = os.RemoveAll(w.dir)
}

// repo is a project of the world with its repository.
type repo struct {
	w    *world
	t    testing.TB
	name string
	url  string
	git  *githost.Repo
	head string
}

// project makes a repository from files (name to content) with one commit, and a project of it that nothing has built yet.
// change may set what the project is to have beyond its name, URL and branch.
func (w *world) project(t testing.TB, name string, files map[string]string, change func(*client.Project)) *repo {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	g, err := githost.Create(t.Context(), filepath.Join(w.dir, "git"), name)
	if err != nil {
		t.Fatal(err)
	}
	r := &repo{w: w, t: t, name: name, url: w.git.URL + "/" + name + ".git", git: g}
	r.commit("Begin", files)
	p := client.Project{Name: name, URL: r.url, Branch: "main", Poll: "off", WebhookSecret: "env:HOOK_SECRET"}
	if change != nil {
		change(&p)
	}
	if err := w.PutProject(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return r
}

// commit writes files and commits them to main.
func (r *repo) commit(message string, files map[string]string) {
	r.t.Helper()
	for path, text := range files {
		if err := r.git.Write(path, text); err != nil {
			r.t.Fatal(err)
		}
	}
	var err error
	if r.head, err = r.git.Commit(r.t.Context(), message); err != nil {
		r.t.Fatal(err)
	}
}

// push tells the daemon of the newest commit, as a forge would, and returns the id of the build that it makes.
func (r *repo) push() string {
	r.t.Helper()
	status, answer := r.w.deliver(r.t, pushOf(r.url, "refs/heads/main", r.head))
	if status != http.StatusAccepted {
		r.t.Fatalf("a push was answered %d: %s", status, answer)
	}
	return r.newest(r.head)
}

// newest waits for a build of a commit.
func (r *repo) newest(commit string) string {
	r.t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		page, err := r.w.Builds(r.t.Context(), client.ListOptions{Project: r.name, Limit: 1})
		if err != nil {
			r.t.Fatal(err)
		}
		if len(page.Items) > 0 && page.Items[0].Commit == commit {
			return page.Items[0].ID
		}
	}
	r.t.Fatalf("no build of %s comes", commit)
	return ""
}

// ended waits for the end of a build, its tests read, and fails where it did not end as it should.
func (w *world) ended(t testing.TB, id, status string) client.Build {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var b client.Build
	err := w.Watch(ctx, id, func(got client.Build) bool { b = got; return true })
	if err == nil {
		b, err = w.Settled(ctx, b)
	}
	if err != nil || b.Status != status {
		t.Fatalf("build %s is %s (%s: %s), want %s: %v\n%s", id, b.Status, b.Reason, b.Message, status, err, w.logOf(ctx, b))
	}
	return b
}

func (w *world) logOf(ctx context.Context, b client.Build) string {
	var all bytes.Buffer
	for _, j := range b.Jobs {
		rc, err := w.Log(ctx, b.ID, j.ID, client.LogOptions{})
		if err != nil {
			all.WriteString(err.Error())
			continue
		}
		_, err = all.ReadFrom(rc)
		if err = errors.Join(err, rc.Close()); err != nil {
			all.WriteString(err.Error())
		}
	}
	return all.String()
}
