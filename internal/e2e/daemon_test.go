package e2e

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
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

// hookSecret is the webhook secret of every project in these tests.
const hookSecret = "a secret between the forge and us"

// daemon is one `runner serve` on a data directory of its own. It can be killed and started again.
type daemon struct {
	t       testing.TB
	dir     string
	address string
	extra   string // lines of runner.yml
	env     []string
	binary  string // in place of the one under test; "": that
	cmd     *exec.Cmd
	gone    chan struct{}
	log     *syncBuffer

	instance string // the daemon's own id, as it stands in its containers' labels
	*client.Client
}

// syncBuffer is a bytes.Buffer that a process may write while the test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// project is one entry of runner.yml; settings are further lines like "image: x".
func project(name, url string, settings ...string) string {
	lines := []string{"  - name: " + name, "    url: " + url, "    branch: main", "    webhook-secret: env:HOOK_SECRET"}
	if !strings.Contains(strings.Join(settings, "\n"), "poll:") {
		lines = append(lines, "    poll: off") // most tests count triggers
	}
	for _, s := range settings {
		lines = append(lines, "    "+s)
	}
	return strings.Join(lines, "\n") + "\n"
}

// newDaemon writes a configuration and starts a daemon on it.
func newDaemon(t testing.TB, settings string, projects ...string) *daemon {
	t.Helper()
	return newDaemonAt(t, freeAddress(t), settings, projects...)
}

func newDaemonAt(t testing.TB, address, settings string, projects ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, dir: t.TempDir(), address: address, log: new(syncBuffer)}
	d.extra = settings
	d.configure(projects...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the daemon said:\n%s", d.log)
		}
		d.terminate()
		d.removeSandboxes()
	})
	d.start()
	return d
}

func freeAddress(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func (d *daemon) data() string { return filepath.Join(d.dir, "data") }

func (d *daemon) configure(projects ...string) {
	d.t.Helper()
	extra := d.extra
	if !strings.Contains(extra, "warm:") {
		extra += "\nwarm: off\n" // most tests count containers
	}
	if !strings.Contains(extra, "keep-failed:") {
		extra += "\nkeep-failed: off\n" // for the same reason
	}
	if !strings.Contains(extra, "engines:") && !d.networked() {
		extra += "engines: [{id: local, network: none}]\n"
	}
	if !strings.Contains(extra, "retry-faults:") {
		extra += "\nretry-faults: never\n" // most tests tell of one attempt, and wait for its end
	}
	text := fmt.Sprintf("listen: %s\ndata: %s\n%s", d.address, d.data(), extra)
	if len(projects) > 0 {
		text += "projects:\n" + strings.Join(projects, "")
	}
	if err := os.WriteFile(filepath.Join(d.dir, "runner.yml"), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// online are the settings of a story whose jobs have the network that they have by default, as in real life.
const online = "engines: [{id: local}]\n"

// networked tells whether jobs have a network although their story does not say so: in slow runs, and where a figure
// is measured. Elsewhere they have none, which halves what the engine has to do for a container.
func (d *daemon) networked() bool {
	_, figure := d.t.(*testing.B)
	return figure || os.Getenv("RUNNER_SLOW") != ""
}

// spawn starts the process.
func (d *daemon) spawn() {
	d.t.Helper()
	d.cmd = exec.Command(cmp.Or(d.binary, binary), "serve", "--config", filepath.Join(d.dir, "runner.yml"))
	d.cmd.Env = append(append(os.Environ(), "HOOK_SECRET="+hookSecret), d.env...)
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	gone := make(chan struct{})
	d.gone = gone
	cmd := d.cmd
	go func() { _ = cmd.Wait(); close(gone) }()
}

// start starts the process and waits until it answers.
func (d *daemon) start() {
	d.t.Helper()
	d.spawn()
	d.await("/healthz")
	token, err := os.ReadFile(filepath.Join(d.data(), "token"))
	if err != nil {
		d.t.Fatal(err)
	}
	d.Client = client.New("http://"+d.address, strings.TrimSpace(string(token)))
	info, err := d.Daemon(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	d.instance = info.Instance
}

func (d *daemon) await(path string) {
	d.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		res, err := http.Get("http://" + d.address + path)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-d.gone:
			d.t.Fatalf("the daemon ended while it started:\n%s", d.log)
		case <-time.After(5 * time.Millisecond):
		}
	}
	d.t.Fatalf("the daemon does not answer on %s:\n%s", path, d.log)
}

// kill ends the daemon as a power failure would: no handler runs.
func (d *daemon) kill() {
	d.t.Helper()
	_ = d.cmd.Process.Kill()
	<-d.gone
}

// terminate asks the daemon to leave, and returns how long it took.
func (d *daemon) terminate() time.Duration {
	began := time.Now()
	if d.cmd == nil || d.cmd.Process == nil {
		return 0 // it never started
	}
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.gone:
	case <-time.After(20 * time.Second):
		d.t.Errorf("the daemon did not leave within 20 s of SIGTERM:\n%s", d.log)
		_ = d.cmd.Process.Kill()
		<-d.gone
	}
	return time.Since(began)
}

// removeSandboxes takes what a test left running off the engine.
func (d *daemon) removeSandboxes() {
	if d.Client == nil {
		return // it never answered, so it made nothing
	}
	for _, id := range d.containers("-a") {
		_ = exec.Command("docker", "rm", "-f", "-v", id).Run()
	}
	out, _ := exec.Command("docker", "volume", "ls", "-q", "--filter", "label=runner.instance="+d.instance).Output()
	for _, v := range strings.Fields(string(out)) {
		_ = exec.Command("docker", "volume", "rm", "-f", v).Run()
	}
	out, _ = exec.Command("docker", "network", "ls", "-q", "--filter", "label=runner.instance="+d.instance).Output()
	for _, n := range strings.Fields(string(out)) {
		_ = exec.Command("docker", "network", "rm", n).Run()
	}
}

// containers lists the containers on the engine that bear the daemon's instance id.
func (d *daemon) containers(flags ...string) []string {
	args := append([]string{"ps", "-q", "--filter", "label=runner.instance=" + d.instance}, flags...)
	out, err := exec.Command("docker", args...).Output()
	if err != nil {
		d.t.Errorf("docker ps: %v", err)
	}
	return strings.Fields(string(out))
}

// gitServer serves repositories over smart HTTP.
type gitServer struct {
	t    testing.TB
	root string
	url  string
}

func newGitServer(t testing.TB) *gitServer {
	t.Helper()
	root := t.TempDir()
	h, err := githost.Handler(root)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return &gitServer{t: t, root: root, url: srv.URL}
}

// repo makes a repository from files (name to content) and returns it with its URL and first commit.
func (g *gitServer) repo(name string, files map[string]string) (*githost.Repo, string, string) {
	g.t.Helper()
	r, err := githost.Create(g.t.Context(), g.root, name)
	if err != nil {
		g.t.Fatal(err)
	}
	for path, text := range files {
		if err := r.Write(path, text); err != nil {
			g.t.Fatal(err)
		}
	}
	commit, err := r.Commit(g.t.Context(), "first")
	if err != nil {
		g.t.Fatal(err)
	}
	return r, g.url + "/" + name + ".git", commit
}

// runCLI runs the runner command against a daemon and returns what it printed and its exit status.
func (d *daemon) runCLI(dir string, args ...string) (stdout, stderr string, exit int) {
	d.t.Helper()
	token, _ := os.ReadFile(filepath.Join(d.data(), "token"))
	env := append(os.Environ(), "RUNNER_URL=http://"+d.address, "RUNNER_TOKEN="+strings.TrimSpace(string(token)), d.cache())
	return runCLI(d.t, dir, env, args...)
}

// cache keeps what a submit remembers out of the cache of whoever runs the tests.
func (d *daemon) cache() string { return "XDG_CACHE_HOME=" + filepath.Join(d.dir, "cache") }

func runCLI(t testing.TB, dir string, env []string, args ...string) (stdout, stderr string, exit int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir, cmd.Env = dir, env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		t.Fatalf("runner %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// build waits until a build has ended and returns it.
func (d *daemon) build(id string) client.Build {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 3*time.Minute)
	defer cancel()
	var last client.Build
	err := d.Watch(ctx, id, func(b client.Build) bool { last = b; return true })
	if err != nil {
		d.t.Fatalf("watching %s: %v (it is %s in %s)", id, err, last.Status, last.Phase)
	}
	if last, err = d.Build(ctx, id); err != nil {
		d.t.Fatal(err)
	}
	return last
}

// ended waits for a build and checks its status.
func (d *daemon) ended(id, status string) client.Build {
	d.t.Helper()
	b := d.build(id)
	if b.Status != status {
		d.t.Fatalf("build %s ended %s (%s: %s), want %s; its log:\n%s", id, b.Status, b.Reason, b.Message, status, d.logs(b))
	}
	return b
}

func (d *daemon) logs(b client.Build) string {
	var all strings.Builder
	for _, j := range b.Jobs {
		all.WriteString(d.jobLog(b.ID, j.ID))
	}
	return all.String()
}

func (d *daemon) jobLog(build, job string) string {
	rc, err := d.Log(d.t.Context(), build, job, client.LogOptions{})
	if err != nil {
		return fmt.Sprintf("(no log: %v)\n", err)
	}
	defer rc.Close()
	text, err := io.ReadAll(rc)
	if err != nil {
		return fmt.Sprintf("%s(broken off: %v)\n", text, err)
	}
	return string(text)
}
