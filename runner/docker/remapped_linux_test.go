package docker

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/client"

	"github.com/runner-ci/runner/internal/enginetest"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/conformance"
)

// remappedEngine starts an engine of the test's own in which root of a container is user 300000 of the machine, and returns
// its address. It makes no networks, and leaves the other engine's alone.
func remappedEngine(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("an engine of one's own needs root")
	}
	for _, program := range []string{"dockerd", "unshare"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	dir := t.TempDir()
	write(t, dir, map[string]string{"ids": "daemon:300000:65536\n"})
	sock := "unix://" + filepath.Join(dir, "sock")
	// The ids that a user may map are the machine's, so this engine sees a file of its own in their place.
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", `
		mount --bind "$0/ids" /etc/subuid && mount --bind "$0/ids" /etc/subgid || exit 1
		exec dockerd --userns-remap=daemon --data-root="$0/data" --exec-root="$0/exec" --pidfile="$0/pid" --host="unix://$0/sock" \
			--bridge=none --iptables=false --ip6tables=false >"$0/log" 2>&1`, dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	api, err := client.NewClientWithOpts(client.WithHost(sock), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if _, err := api.Ping(t.Context()); err == nil {
			break
		}
		if time.Now().After(deadline) || exec.Command("kill", "-0", strconv.Itoa(cmd.Process.Pid)).Run() != nil {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Skipf("no engine with user namespaces starts here:\n%s", log)
		}
	}
	image, err := enginetest.Engine(t).ImageSave(t.Context(), []string{enginetest.Busybox(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	loaded, err := api.ImageLoad(t.Context(), image)
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Body.Close()
	buf := new(strings.Builder)
	if _, err := io.Copy(buf, loaded.Body); err != nil {
		t.Fatalf("%v: %s", err, buf)
	}
	return sock
}

// TestEngineThatMapsUsers runs the suite of all executors on an engine whose containers' root is nobody on the machine.
func TestEngineThatMapsUsers(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("it starts an engine of its own: set RUNNER_SLOW=1")
	}
	host := remappedEngine(t)
	there := func(o *Options) { o.Host, o.Network = host, networkNone }
	e := newEngine(t, there)
	b := start(t, e, newSpec(t, e, map[string]string{"dir/file": "of the snapshot"}))
	b.want("cat dir/file; echo more >>dir/file; rm dir/file; echo new >dir/new; stat -c %u:%g dir dir/new", "of the snapshot\n0:0\n0:0")
	b.want("awk '{print $2}' /proc/self/uid_map", "300000")
	conformance.Run(t, func(t *testing.T) (runner.Executor, string) {
		return newEngine(t, there, realAgentOption), enginetest.BusyboxRef
	})
}
