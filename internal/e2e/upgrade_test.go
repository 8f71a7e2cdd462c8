package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// install puts a binary where another one is, at once, as an upgrade does.
func install(t *testing.T, content []byte, path string) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// awaitSaid waits until the daemon has said something that often.
func awaitSaid(t *testing.T, d *daemon, what string, times int) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); strings.Count(d.log.String(), what) < times; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the daemon said %q %d times, want %d:\n%s", what, strings.Count(d.log.String(), what), times, d.log)
		}
	}
}

// TestABinaryIsReplacedUnderWebhooksAndABuild upgrades a daemon several times, while webhooks come in and a build counts, and
// then to binaries that cannot take over.
func TestABinaryIsReplacedUnderWebhooksAndABuild(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	git := newGitServer(t)
	_, url, commit := git.repo("api", counting(400, 0))
	d := newDaemon(t, "", project("api", url))
	d.terminate()
	d.binary = filepath.Join(d.dir, "runner")
	install(t, good, d.binary)
	d.start()
	starts := strings.Count(d.log.String(), "listening http://")
	id := d.push(url, commit)
	d.awaitPhase(id, "BUILD")

	var accepted atomic.Int64
	var failures sync.Map
	stop := make(chan struct{})
	var hooks sync.WaitGroup
	alone := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // as forges do, each delivery by itself
	for i := range 4 {
		hooks.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
				}
				h := pushOf(url, "refs/heads/gone", strings.Repeat("0", 40)) // of a branch that was deleted: no build
				h.id = fmt.Sprintf("hook-%d-%d", i, n)
				status, _, err := d.deliverBy(alone, h)
				if err != nil || status != http.StatusAccepted {
					failures.Store(h.id, fmt.Sprint(status, err))
					continue
				}
				accepted.Add(1)
			}
		})
	}
	upgrade := func(content []byte) {
		install(t, content, d.binary)
		if err := d.cmd.Process.Signal(syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		upgrade(good)
		starts++
		awaitSaid(t, d, "listening http://", starts)
		for more := accepted.Load() + 20; accepted.Load() < more && !t.Failed(); time.Sleep(5 * time.Millisecond) {
			if d.t.Context().Err() != nil {
				t.Fatal("no webhook is accepted any more")
			}
		}
	}
	for i, bad := range []string{"#!/bin/sh\necho broken >&2\nexit 3\n", "#!/bin/sh\nexit 0\n", "no program"} {
		upgrade([]byte(bad))
		awaitSaid(t, d, "not upgraded; this binary serves on", i+1)
	}
	// One that knows the rehearsal, and then cannot serve: the former binary goes on.
	upgrade([]byte("#!/bin/sh\n[ -n \"$RUNNER_REHEARSAL\" ] && exec " + binary + " \"$@\"\nexec " + binary + " serve --config \"$3\" --data /proc/nowhere\n"))
	starts++
	awaitSaid(t, d, "the upgrade failed; the former binary serves on", 1)
	awaitSaid(t, d, "listening http://", starts)
	close(stop)
	hooks.Wait()
	failures.Range(func(hook, why any) bool {
		t.Errorf("delivery %v was lost: %v", hook, why)
		return true
	})
	b := d.ended(id, "SUCCEEDED")
	assertWhole(t, d.logs(b), 400)
	seen := 0
	for cursor := ""; ; {
		page, err := d.Triggers(t.Context(), client.ListOptions{Cursor: cursor, Limit: 200})
		if err != nil {
			t.Fatal(err)
		}
		for _, tr := range page.Items {
			if strings.Contains(tr.Delivery, "hook-") {
				seen++
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if int64(seen) != accepted.Load() || seen == 0 {
		t.Errorf("%d deliveries were accepted, and the daemon has %d", accepted.Load(), seen)
	}
	t.Logf("%d deliveries over 4 upgrades, none refused", seen)
	d.check()
}

// TestASocketOfSystemdOutlivesTheDaemon connects while no daemon runs, and is answered by the next.
func TestASocketOfSystemdOutlivesTheDaemon(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	socket, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	dir := t.TempDir()
	answers := make(chan error, 1)
	go func() { // nobody is there yet
		res, err := http.Get("http://" + ln.Addr().String() + "/healthz")
		if err == nil {
			res.Body.Close()
		}
		answers <- err
	}()
	for range 2 {
		cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"`, "sh", binary, "serve", "--data", filepath.Join(dir, "data"), "--key-file", filepath.Join(dir, "key"), "--listen", "127.0.0.1:1")
		var log syncBuffer
		cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = &log, &log, []*os.File{socket}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if err := <-answers; err != nil {
			t.Errorf("a connection to the socket was answered %v:\n%s", err, log.String())
		}
		res, err := http.Get("http://" + ln.Addr().String() + "/healthz")
		if err != nil {
			t.Error(err)
		} else {
			res.Body.Close()
		}
		http.DefaultClient.CloseIdleConnections()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the daemon ended with %v:\n%s", err, log.String())
		}
		go func() {
			alone := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			res, err := alone.Get("http://" + ln.Addr().String() + "/healthz")
			if err == nil {
				res.Body.Close()
			}
			answers <- err
		}()
	}
}
