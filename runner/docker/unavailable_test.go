package docker

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner"
)

// offline makes an executor for an engine that nothing is known of.
func offline(t *testing.T, host string) *Engine {
	t.Helper()
	e, err := New(Options{Engine: "far", Instance: "i", DataDir: t.TempDir(), Agent: standInSource, Host: host})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func TestEngineThatIsDown(t *testing.T) {
	nobody := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", nobody)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()

	rude := filepath.Join(t.TempDir(), "docker.sock")
	l, err = net.Listen("unix", rude)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()

	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()

	for name, host := range map[string]string{
		"no socket":           "unix://" + filepath.Join(t.TempDir(), "none.sock"),
		"nobody listens":      "unix://" + nobody,
		"a listener hangs up": "unix://" + rude,
		"a port nobody has":   "tcp://" + closed.Addr().String(),
	} {
		t.Run(name, func(t *testing.T) { everythingUnavailable(t, offline(t, host)) })
	}
}

func everythingUnavailable(t *testing.T, e *Engine) {
	t.Helper()
	ctx := t.Context()
	spec := runner.SandboxSpec{ID: "x", Dir: e.SandboxDir("x"), Image: runner.Image{ID: "sha256:0"}}
	write(t, spec.Dir, map[string]string{"upper/x": "", "spool/x": "", "objects/x": ""})
	_, resolve := e.Resolve(ctx, runner.ImageRequest{Ref: "busybox"})
	_, attach := e.Attach(ctx, "x")
	_, inspect := e.Inspect(ctx, "x")
	_, list := e.List(ctx)
	_, open := e.Open(ctx, "x", "frames")
	for name, err := range map[string]error{
		"Ping": e.Ping(ctx), "Resolve": resolve, "Create": e.Create(ctx, spec), "Attach": attach, "Inspect": inspect,
		"Kill": e.Kill(ctx, "x"), "Open": open, "Remove": e.Remove(ctx, "x"), "List": list,
	} {
		var gone *runner.UnavailableError
		if !errors.As(err, &gone) || gone.Engine != "far" {
			t.Errorf("%s: %v, want an UnavailableError", name, err)
		}
	}
}

// TestEngineThatSaysNothing tells of an engine that takes calls and never answers. The caller's deadline is the
// engine's fault, the caller's cancellation is not.
func TestEngineThatSaysNothing(t *testing.T) {
	sock := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e := offline(t, "unix://"+sock)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var gone *runner.UnavailableError
	if err := e.Ping(short); !errors.As(err, &gone) {
		t.Errorf("deadline: %v", err)
	}
	if _, err := e.Attach(short, "x"); !errors.As(err, &gone) {
		t.Errorf("attach: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Ping(cancelled); !errors.Is(err, context.Canceled) || errors.As(err, &gone) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestOptionsThatAreRefused(t *testing.T) {
	good := Options{Engine: "e", Instance: "i", DataDir: t.TempDir(), Agent: standInSource}
	write(t, good.DataDir, map[string]string{"empty.pem": "nothing\n"})
	for name, change := range map[string]func(*Options){
		"no id":          func(o *Options) { o.Engine = "" },
		"no agent":       func(o *Options) { o.Agent = nil },
		"workspace":      func(o *Options) { o.Workspace = "magic" },
		"host network":   func(o *Options) { o.Network = "host" },
		"its network":    func(o *Options) { o.Network = "container:x" },
		"ssh":            func(o *Options) { o.Host = "ssh://host" },
		"no such scheme": func(o *Options) { o.Host = "nonsense" },
		"no bundle":      func(o *Options) { o.CABundle = "/nowhere.pem" },
		"empty bundle":   func(o *Options) { o.CABundle = filepath.Join(o.DataDir, "empty.pem") },
	} {
		o := good
		change(&o)
		if e, err := New(o); err == nil {
			e.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestNothingStartsBeforeTheWallIsLookedAt: an engine that does not say where its bridge is leaves it open whether jobs are
// kept from what is not theirs, until it says.
func TestNothingStartsBeforeTheWallIsLookedAt(t *testing.T) {
	t.Parallel()
	var silent atomic.Bool
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", "/var/run/docker.sock")
	}}
	t.Cleanup(transport.CloseIdleConnections)
	engine := &httputil.ReverseProxy{
		Rewrite:   func(req *httputil.ProxyRequest) { req.Out.URL.Scheme, req.Out.URL.Host = "http", "engine" },
		Transport: transport,
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if silent.Load() && strings.Contains(req.URL.Path, "/networks/") {
			panic(http.ErrAbortHandler) // closes the connection
		}
		engine.ServeHTTP(w, req)
	}))
	t.Cleanup(front.Close)
	e := newEngine(t, func(o *Options) { o.Host = "tcp://" + front.Listener.Addr().String() })
	t.Cleanup(func() { forgetWall(t, e) })
	if _, err := e.ready(t.Context()); err != nil { // the network was made before
		t.Fatal(err)
	}
	spec := newSpec(t, e, nil)
	silent.Store(true)
	var gone *runner.UnavailableError
	if err := e.Create(t.Context(), spec); !errors.As(err, &gone) {
		t.Fatalf("a sandbox is made, and nobody knows whether the rules are set: %v", err)
	}
	if st, err := e.Inspect(t.Context(), spec.ID); err == nil && st.Running {
		t.Error("it was started all the same")
	}
	if e.wall.raised.Load() || e.FirewallTrouble() != nil {
		t.Errorf("raised %v; what nobody knows is told as if it were: %v", e.wall.raised.Load(), e.FirewallTrouble())
	}
	silent.Store(false)
	start(t, e, spec).want("true", "")
	if !e.wall.raised.Load() {
		t.Error("it was not looked at afterwards")
	}
}
