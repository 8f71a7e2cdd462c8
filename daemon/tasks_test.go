package daemon

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
)

// serving starts a daemon in this process, whose engine does not answer, and returns its client and its address.
func serving(t *testing.T, change func(*config.Config)) (*client.Client, string) {
	t.Helper()
	cfg := config.Default()
	cfg.Data, cfg.Listen = filepath.Join(t.TempDir(), "data"), "127.0.0.1:0"
	cfg.Engines[0].Host = "unix://" + filepath.Join(t.TempDir(), "none.sock")
	cfg.Secrets.KeyFile = filepath.Join(t.TempDir(), "key")
	change(cfg)
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- Serve(ctx, cfg, ServeOptions{Version: "test", Logger: slog.New(slog.DiscardHandler), Ready: func(url, _ string, _ bool) { ready <- url }})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case url := <-ready:
		token, err := os.ReadFile(filepath.Join(cfg.Data, "token"))
		if err != nil {
			t.Fatal(err)
		}
		return client.New(url, strings.TrimSpace(string(token))), url
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	return nil, ""
}

// goroutine is a group of the goroutines of a profile that have the same stack.
type goroutine struct {
	count int
	task  string
	stack string
}

var taskLabel = regexp.MustCompile(`# labels: \{.*"task":"([^"]*)"`)

func goroutines(t *testing.T) (all []goroutine) {
	t.Helper()
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(profile.String(), "\n\n") {
		g := goroutine{stack: block}
		if _, err := fmt.Sscanf(block[strings.Index(block, "\n")+1:], "%d @", &g.count); err != nil {
			if _, err := fmt.Sscanf(block, "%d @", &g.count); err != nil {
				continue
			}
		}
		if m := taskLabel.FindStringSubmatch(block); m != nil {
			g.task = m[1]
		}
		all = append(all, g)
	}
	return all
}

// TestEveryGoroutineThatLivesLongIsListed looks at a profile of a daemon: whatever runs code of ours, but for the tests and
// for who called Serve, bears the name of a task that the status lists, and a task that is one goroutine is one.
func TestEveryGoroutineThatLivesLongIsListed(t *testing.T) {
	c, _ := serving(t, func(c *config.Config) { c.Metrics.Listen = "127.0.0.1:0" })
	time.Sleep(2 * time.Second) // what is still there lives long
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]client.Task)
	for _, x := range status.Tasks {
		listed[x.Name] = x
	}
	for _, name := range []string{"planner", "dispatcher", "reaper", "warm pool", "housekeeping", "space", "preparing", "reload", "reports", "observer", "http", "http of metrics", "artifacts.db"} {
		if listed[name].Count == 0 {
			t.Errorf("%s is not listed: %+v", name, status.Tasks)
		}
	}
	count := make(map[string]int)
	for _, g := range goroutines(t) {
		if !strings.Contains(g.stack, "github.com/runner-ci/runner/") || strings.Contains(g.stack, "testing.") || strings.Contains(g.stack, "daemon.Serve+") || strings.Contains(g.stack, "daemon.serving.func") {
			continue
		}
		count[g.task] += g.count
		if _, ok := listed[g.task]; !ok {
			t.Errorf("%d goroutines run code of ours and bear the name of no task (%q): start them with activity.Registry\n%s", g.count, g.task, g.stack)
		}
	}
	if count["dispatcher"] != 1 || count["housekeeping"] != 1 {
		t.Errorf("the profile was not understood: %v", count)
	}
	for name, x := range listed {
		if !x.Many && count[name] > 1 {
			t.Errorf("task %s is %d goroutines: give each a name, or say that it stands for many", name, count[name])
		}
	}
}

func TestStatusTellsWhatIsWrong(t *testing.T) {
	c, url := serving(t, func(*config.Config) {})
	deadline := time.Now().Add(20 * time.Second)
	for {
		s, err := c.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(s.Tasks, func(x client.Task) bool { return x.Name == "observer" && x.Error != "" })
		if at >= 0 && len(s.Stores) > 0 {
			if len(s.Engines) != 1 || s.Engines[0].Up || s.Engines[0].Error == "" || s.Free == 0 || s.Version != "test" {
				t.Errorf("status is %+v", s)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the engine that is not there was not told of: %+v", s)
		}
		time.Sleep(50 * time.Millisecond)
	}
	resp, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("metrics without a token: %s", resp.Status)
	}
}

func TestMetricsHaveAnAddressOfTheirOwn(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := ln.Addr().String()
	ln.Close()
	serving(t, func(c *config.Config) { c.Metrics.Listen = at })
	get := func(path string) (int, string) {
		resp, err := http.Get("http://" + at + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	if code, text := get("/metrics"); code != http.StatusOK || !strings.Contains(text, "runner_slots ") || !strings.Contains(text, `runner_build_info{instance_id=`) {
		t.Errorf("metrics: %d\n%s", code, text)
	}
	for _, path := range []string{"/", "/api/v1/status", "/status"} {
		if code, _ := get(path); code != http.StatusNotFound {
			t.Errorf("%s is answered with %d", path, code)
		}
	}
}
