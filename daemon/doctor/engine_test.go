package doctor

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/internal/enginetest"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/process"
)

// fakeEngine answers as a Docker engine does to whoever asks what it is.
func fakeEngine(t *testing.T, api string, info map[string]any) config.Engine {
	t.Helper()
	dir, err := os.MkdirTemp("", "engine") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ln, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", api)
		switch {
		case strings.HasSuffix(r.URL.Path, "/_ping"):
		case strings.HasSuffix(r.URL.Path, "/info"):
			_ = json.NewEncoder(w).Encode(info)
		case strings.HasSuffix(r.URL.Path, "/images/json"):
			_, _ = w.Write([]byte("[]"))
		default:
			http.NotFound(w, r)
		}
	})}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { server.Close() })
	return config.Engine{ID: "fake", Type: "docker", Host: "unix://" + filepath.Join(dir, "s")}
}

func goodInfo() map[string]any {
	return map[string]any{
		"OSType": "linux", "ServerVersion": "28.0", "Driver": "overlay2", "DefaultRuntime": "runc", "KernelVersion": "6.1", "CgroupVersion": "2",
		"MemoryLimit": true, "PidsLimit": true, "CpuCfsQuota": true, "SystemTime": time.Now().Format(time.RFC3339Nano),
	}
}

// examined is what the checks of one engine say, by the check's name.
func examined(t *testing.T, p *patient, e config.Engine) map[string][]Finding {
	t.Helper()
	p.cfg.Engines = []config.Engine{e}
	out := map[string][]Finding{}
	for _, c := range p.engineChecks() {
		out[c.name] = append(out[c.name], c.look(t.Context())...)
	}
	return out
}

func TestEngineThatIsWell(t *testing.T) {
	p := healthyPatient(t)
	found := examined(t, p, fakeEngine(t, "1.47", goodInfo()))
	allWell(t, found["engine fake"])
	want(t, found["sandbox on fake"], Warn, "the engine has no image to try a sandbox in")
	if _, err := os.Stat(p.ward()); err == nil {
		t.Errorf("%s is left behind", p.ward())
	}
}

func TestEngineThatIsNot(t *testing.T) {
	for _, c := range []struct {
		says  string
		level Level
		api   string
		key   string
		value any
	}{
		{"it speaks API 1.30, 1.41 or newer is needed", Fail, "1.30", "", nil},
		{"storage driver vfs copies the image", Warn, "1.47", "Driver", "vfs"},
		{"storage driver devicemapper is no longer", Warn, "1.47", "Driver", "devicemapper"},
		{"it cannot limit memory of a job", Warn, "1.47", "MemoryLimit", false},
		{"it cannot limit pids of a job", Warn, "1.47", "PidsLimit", false},
		{"its clock is 1h0m0s behind ours", Warn, "1.47", "SystemTime", time.Now().Add(-time.Hour).Format(time.RFC3339Nano)},
		{"its clock is 1h0m0s ahead of ours", Warn, "1.47", "SystemTime", time.Now().Add(time.Hour).Format(time.RFC3339Nano)},
	} {
		info := goodInfo()
		if c.key != "" {
			info[c.key] = c.value
		}
		want(t, examined(t, healthyPatient(t), fakeEngine(t, c.api, info))["engine fake"], c.level, c.says)
	}
}

func TestEngineThatIsDownIsToldOfOnce(t *testing.T) {
	p := healthyPatient(t)
	p.cfg.Registries = []config.Registry{{Server: "registry.example.com", Username: "ci", Password: "env:HOME"}}
	found := examined(t, p, config.Engine{ID: "gone", Type: "docker", Host: "unix:///nowhere/docker.sock"})
	want(t, found["engine gone"], Fail, "nothing is at unix:///nowhere/docker.sock")
	for name, list := range found {
		if name != "engine gone" && len(list) > 0 {
			t.Errorf("%s: %+v", name, list)
		}
	}
	if len(p.left.lines) != 3 {
		t.Errorf("left out: %q", p.left.lines)
	}
	want(t, []Finding{unreached("npipe:////engine", fs.ErrPermission)}, Fail, "may not be used by user")
	want(t, []Finding{unreached("tcp://engine:2376", errors.New("i/o timeout"))}, Fail, "does not answer")
}

func TestSocketOpenToEverybody(t *testing.T) {
	e := fakeEngine(t, "1.47", goodInfo())
	path := strings.TrimPrefix(e.Host, "unix://")
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	want(t, examined(t, healthyPatient(t), e)["engine fake"], Fail, "may be used by every user of this machine")
	if err := os.Chmod(path, 0o660); err != nil {
		t.Fatal(err)
	}
	allWell(t, examined(t, healthyPatient(t), e)["engine fake"])
	t.Setenv("DOCKER_TLS_VERIFY", "")
	want(t, socket("tcp://10.0.0.1:2375"), Warn, "without TLS")
	if found := socket("tcp://127.0.0.1:2375"); len(found) > 0 {
		t.Errorf("%+v", found)
	}
}

func TestFirewallThatIsNotSet(t *testing.T) {
	p, e := healthyPatient(t), fakeEngine(t, "1.47", goodInfo())
	want(t, examined(t, p, e)["firewall of fake"], Warn, "jobs can reach metadata services") // it has no networks
	e.Firewall = "off"
	want(t, examined(t, p, e)["firewall of fake"], Warn, "firewall is off")
	e.Firewall, e.Network = "auto", "mine"
	want(t, examined(t, p, e)["firewall of fake"], Warn, "jobs join the network mine")
}

func TestHostProcesses(t *testing.T) {
	p := healthyPatient(t)
	ex, err := process.New(process.Options{Engine: "host", Instance: "doctor", Root: p.cfg.Data, AgentPath: "/nowhere/agent"})
	if err != nil {
		t.Skip(err)
	}
	look := func() (runner.Executor, error) { return ex, nil }
	want(t, p.engine(t.Context(), look), Warn, "without isolation")
}

// TestSocketOfAnotherUser has somebody ask who may not: only root is let in by the socket's mode.
func TestSocketOfAnotherUser(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may use any socket")
	}
	e := fakeEngine(t, "1.47", goodInfo())
	if err := os.Chmod(strings.TrimPrefix(e.Host, "unix://"), 0); err != nil {
		t.Fatal(err)
	}
	want(t, examined(t, healthyPatient(t), e)["engine fake"], Fail, "may not be used by user")
}

// TestRegistry logs in to a real registry, by way of a real engine.
func TestRegistry(t *testing.T) {
	enginetest.Engine(t)
	addr := enginetest.Registry(t, "ci", "right")
	t.Setenv("RIGHT", "right")
	t.Setenv("WRONG", "wrong")
	for _, c := range []struct {
		registry config.Registry
		level    Level
		says     string
	}{
		{config.Registry{Server: addr, Username: "ci", Password: "env:RIGHT"}, OK, "takes the credentials"},
		{config.Registry{Server: addr, Username: "ci", Password: "env:WRONG"}, Fail, "could not log in"},
		{config.Registry{Server: "127.0.0.1:1", Username: "ci", Password: "env:RIGHT"}, Fail, "could not log in"},
		{config.Registry{Server: addr, Username: "ci", Password: "file:/nowhere"}, Fail, "cannot be read"},
		{config.Registry{Server: addr, Username: "ci", Password: "env:NOT_HERE"}, Warn, "this shell has no variable NOT_HERE"},
	} {
		p := healthyPatient(t)
		p.cfg.Registries = []config.Registry{c.registry}
		p.cfg.Engines = config.Default().Engines
		for _, check := range p.engineChecks() {
			if strings.HasPrefix(check.name, "registry ") {
				want(t, check.look(t.Context()), c.level, c.says)
			}
		}
	}
}
