package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/runner-ci/runner/runner"
)

// curious is a Dockerfile whose command looks for what is not its business.
const curious = `FROM scratch
COPY busybox /bin/busybox
SHELL ["/bin/busybox", "sh", "-c"]
ARG GATEWAY
ARG DAEMON
ARG OPEN
ARG METADATA
RUN look() { busybox timeout 8 busybox wget -q -O - "$1" >/answer 2>&1 && echo "REACHED $1" || echo "shut $1"; }; \
    look http://$GATEWAY:$OPEN/; look http://$GATEWAY:$DAEMON/; look http://$GATEWAY:2375/version; \
    look http://$METADATA/latest/meta-data/; look http://169.254.170.2/; \
    busybox ls /var/run/docker.sock /run/docker.sock /run/runner-secrets /var/lib/docker /codebuild 2>/dev/null; \
    busybox mount -t tmpfs none /tmp 2>/dev/null && echo MOUNTED; busybox mknod /sda b 8 0 2>/dev/null && busybox head -c 1 /sda >/dev/null 2>&1 && echo DEVICE; \
    busybox grep -q 'CapEff:.*ffffffffff' /proc/self/status && echo ALL CAPABILITIES; echo looked
`

// printedLine is a line that a command of a Dockerfile printed, as BuildKit shows it.
var printedLine = regexp.MustCompile(`(?m)^#[0-9]+ [0-9]+\.[0-9]+ .*$`)

// dindImage is the image that builders of tests are made of.
func dindImage(t *testing.T, e *Engine) runner.Image {
	t.Helper()
	if out, err := exec.Command("../../scripts/images", "dind").CombinedOutput(); err != nil {
		t.Fatalf("making the image: %v\n%s", err, out)
	}
	image, err := e.Resolve(t.Context(), runner.ImageRequest{Ref: "runner-test/dind:latest", Pull: "never"})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// dockerBuild builds curious in a builder, and returns what was said.
func dockerBuild(t *testing.T, b runner.Builder, args ...string) string {
	t.Helper()
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	err = b.Unpack(t.Context(), func(w io.Writer) error {
		out := tar.NewWriter(w)
		for name, text := range map[string]string{"ctx/Dockerfile": curious, "ctx/busybox": string(program)} {
			if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(text))}); err != nil {
				return err
			}
			if _, err := io.WriteString(out, text); err != nil {
				return err
			}
		}
		return out.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	argv := append([]string{"env", "DOCKER_BUILDKIT=1", "docker", "build", "--progress", "plain", "-t", "curious"}, args...)
	if exit, err := b.Exec(t.Context(), append(argv, "/ctx"), nil, &said); err != nil || exit != 0 {
		t.Fatalf("docker build exited %d, %v:\n%s", exit, err, &said)
	}
	return said.String()
}

// TestBuilder attacks from a Dockerfile what a builder must keep from it, and looks what builders know of each other.
func TestBuilder(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("starts six engines, one after the other: set RUNNER_SLOW=1 to run it")
	}
	e := newEngine(t, realAgentOption)
	image := dindImage(t, e)
	daemon, open := hostServer(t), hostServer(t)
	e.HideListener(daemon)
	t.Cleanup(func() { forgetWall(t, e) })
	begin := func(e *Engine, id, state string) runner.Builder {
		t.Helper()
		b, err := e.StartBuilder(t.Context(), runner.BuilderSpec{
			Sandbox: id, Image: image, State: state, StateBytes: 1 << 30, Limits: runner.Limits{PIDs: 300, MemoryBytes: 512 << 20},
		})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := begin(e, "one", "p/protected")
	if err := e.FirewallTrouble(); err != nil {
		_ = first.Close(removePatience)
		t.Skipf("this machine's firewall cannot be set: %v", err)
	}
	in, err := e.api.ContainerInspect(t.Context(), builderName("one"))
	if err != nil {
		t.Fatal(err)
	}
	gateway := in.NetworkSettings.Networks[e.networkName()].Gateway
	args := []string{
		"--build-arg", "GATEWAY=" + gateway, "--build-arg", "DAEMON=" + portOf(daemon), "--build-arg", "OPEN=" + portOf(open), "--build-arg", "METADATA=" + metadataAddress(t),
	}
	said := strings.Join(printedLine.FindAllString(dockerBuild(t, first, args...), -1), "\n")
	if !strings.Contains(said, "REACHED http://"+gateway+":"+portOf(open)) || !strings.Contains(said, "looked") {
		t.Errorf("it does not reach what it may:\n%s", said)
	}
	for _, forbidden := range []string{"REACHED http://" + gateway + ":" + portOf(daemon), "REACHED http://" + gateway + ":2375", "REACHED http://169", "docker.sock", "runner-secrets", "/var/lib/docker", "/codebuild", "MOUNTED", "DEVICE", "ALL CAPABILITIES"} {
		if strings.Contains(said, forbidden) {
			t.Errorf("the command of a Dockerfile came to %q:\n%s", forbidden, said)
		}
	}

	// The same state is for one builder at a time; another one's has nothing of it.
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	if b, err := e.StartBuilder(short, runner.BuilderSpec{Sandbox: "two", Image: image, State: "p/protected"}); err == nil {
		_ = b.Close(removePatience)
		t.Error("two builders have the same layers at once")
	}
	cancel()
	stranger := begin(e, "three", "p/ref/refs/heads/x")
	if said := dockerBuild(t, stranger, args...); strings.Contains(said, "CACHED") {
		t.Errorf("a builder of another trust has layers of the first:\n%s", said)
	}
	if err := stranger.Close(removePatience); err != nil {
		t.Error(err)
	}

	// A daemon that dies leaves its builder; the next one takes it away, and finds the layers.
	next, err := New(e.opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = next.Close() })
	second := begin(next, "four", "p/protected")
	if _, err := e.api.ContainerInspect(t.Context(), builderName("one")); err == nil {
		t.Error("the builder of a dead daemon still runs beside the next on the same layers")
	}
	if said := dockerBuild(t, second, args...); !strings.Contains(said, "CACHED") {
		t.Errorf("the next build finds no layers:\n%s", said)
	}
	if ids, err := next.List(t.Context()); err != nil || len(ids) != 1 || ids[0] != "four" {
		t.Errorf("listed are %v, %v; want the sandbox of the builder", ids, err)
	}
	if gone, err := next.EvictBuilders(t.Context(), 0, func() bool { return false }); err != nil || gone != 1 {
		t.Errorf("evicted are %d, %v; want the layers that no builder has", gone, err)
	}
	if err := next.Remove(t.Context(), "four"); err != nil {
		t.Error(err)
	}
	if _, err := e.api.ContainerInspect(t.Context(), builderName("four")); err == nil {
		t.Error("the removal of a sandbox left its builder")
	}
	if err := second.Close(removePatience); err != nil {
		t.Error(err)
	}
	if gone, err := next.EvictBuilders(t.Context(), time.Hour, func() bool { return false }); err != nil || gone != 0 {
		t.Errorf("evicted are %d, %v; want none that were just used", gone, err)
	}
	if gone, err := next.EvictBuilders(t.Context(), 0, func() bool { return false }); err != nil || gone != 1 {
		t.Errorf("evicted are %d, %v; want the last", gone, err)
	}
	if entries, err := os.ReadDir(filepath.Join(next.opts.DataDir, "builders", "test")); err != nil || len(entries) != 0 {
		t.Errorf("records are left: %v, %v", entries, err)
	}
	if err := first.Close(removePatience); err != nil {
		t.Error(err)
	}
}

// TestBuilderWithoutAnEngine tells of an image that no builder can be made of.
func TestBuilderWithoutAnEngine(t *testing.T) {
	t.Parallel()
	e := newEngine(t, realAgentOption)
	spec := newSpec(t, e, nil)
	b, err := e.StartBuilder(t.Context(), runner.BuilderSpec{Sandbox: spec.ID, Image: spec.Image})
	if err == nil {
		_ = b.Close(removePatience)
		t.Fatal("a builder was made of busybox alone")
	}
	if !strings.Contains(err.Error(), "images.builder") {
		t.Errorf("it says %v", err)
	}
	if _, err := e.api.ContainerInspect(t.Context(), builderName(spec.ID)); err == nil {
		t.Error("its container is left")
	}
	all, err := e.api.ContainerList(t.Context(), container.ListOptions{All: true, Filters: e.labelled(spec.ID)})
	if err != nil || len(all) != 0 {
		t.Errorf("left are %v, %v", all, err)
	}
}
