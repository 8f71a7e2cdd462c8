package docker

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"

	"github.com/runner-ci/runner/runner"
)

// ownAgent gives an executor an agent that no other test has, so that its volume is this test's alone.
func ownAgent(t *testing.T) AgentSource {
	t.Helper()
	data, err := standIn()
	if err != nil {
		t.Fatal(err)
	}
	data = append(append([]byte{}, data...), randomID()...) // what follows an ELF file is ignored
	return func(string) ([]byte, error) { return data, nil }
}

// dropAgent removes the executor's agent volume from the engine at the end.
func dropAgent(t *testing.T, e *Engine) {
	t.Cleanup(func() {
		if v := e.agent.volume(); v != "" {
			if err := e.api.VolumeRemove(context.WithoutCancel(t.Context()), v, false); err != nil && !strings.Contains(err.Error(), "no such volume") {
				t.Logf("removing the agent's volume: %v", err)
			}
		}
	})
}

// TestAgentVolume tells of an agent that two daemons bring at once, that a power failure truncated, and that an admin
// pruned.
func TestAgentVolume(t *testing.T) {
	t.Parallel()
	source := ownAgent(t)
	with := func(o *Options) { o.Agent = source }
	one, two := newEngine(t, with), newEngine(t, with)
	dropAgent(t, one)
	var wg sync.WaitGroup
	for _, e := range []*Engine{one, two} {
		spec := newSpec(t, e, nil)
		wg.Go(func() {
			if err := e.Create(t.Context(), spec); err != nil {
				t.Error(err)
			}
		})
		t.Cleanup(func() { wg.Wait() })
	}
	wg.Wait()
	a, err := one.binary(facts{})
	if err != nil {
		t.Fatal(err)
	}

	truncateAgent(t, one, a)
	three := newEngine(t, with)
	start(t, three, newSpec(t, three, nil)).want("echo again", "again")

	for _, e := range []*Engine{one, two, three} {
		ids, err := e.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			if err := e.Remove(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := one.api.VolumeRemove(t.Context(), a.volume, false); err != nil {
		t.Fatal(err)
	}
	start(t, one, newSpec(t, one, nil)).want("echo pruned", "pruned")
}

// truncateAgent leaves an empty file under the agent's name, as a machine without power may.
func truncateAgent(t *testing.T, e *Engine, a *agentBinary) {
	t.Helper()
	img := newSpec(t, e, nil).Image
	name := "runner-test-" + randomID()
	host := &container.HostConfig{}
	host.Mounts = append(host.Mounts, a.mount("/v", false))
	if _, err := e.api.ContainerCreate(t.Context(), &container.Config{Image: img.ID, Cmd: []string{"x"}}, host, nil, nil, name); err != nil {
		t.Fatal(err)
	}
	defer e.discard(t.Context(), name)
	pack, err := packAgent(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.api.CopyToContainer(t.Context(), name, "/v", pack, container.CopyToContainerOptions{}); err != nil {
		t.Fatal(err)
	}
	if whole, err := e.agentWhole(t.Context(), a, name, "/v"); whole || err != nil {
		t.Fatalf("the agent is whole: %v, %v", whole, err)
	}
}

// TestAutoFallsBack tells of an engine that does not see the daemon's files. /proc/self stands for them: each process
// finds its own there, and the engine finds nothing.
func TestAutoFallsBack(t *testing.T) {
	e := newEngine(t)
	e.opts.DataDir = "/proc/self/cwd/" + filepath.Base(t.TempDir())
	t.Chdir(t.TempDir())
	b := start(t, e, newSpec(t, e, map[string]string{"a": "copied"}))
	b.want("cat a", "copied")
	if e.mode.get() != workspaceCopy {
		t.Errorf("mode is %q", e.mode.get())
	}
	b = start(t, e, newSpec(t, e, map[string]string{"a": "copied again"}))
	b.want("cat a; echo x >/codebuild/spool/frames", "copied again")
	wantFile(t, e, b.spec.ID, "frames", []byte("x\n"))
}

func TestAutoFindsMounts(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("overlays need root")
	}
	e := newEngine(t)
	start(t, e, newSpec(t, e, map[string]string{"a": "mounted"})).want("cat a", "mounted")
	if e.mode.get() != workspaceMount {
		t.Errorf("mode is %q: the daemon is not beside the engine", e.mode.get())
	}
}

func TestOverlayRefusesWhatItCannotName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a,b", "a:b", `a\b`} {
		dir := filepath.Join(t.TempDir(), name)
		e := newEngine(t, overlayMode, func(o *Options) { o.DataDir = dir })
		if err := e.Create(t.Context(), newSpec(t, e, nil)); err == nil || !strings.Contains(err.Error(), "set workspace to auto or copy") {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := filepath.Join(t.TempDir(), "a,b:c d")
	e := newEngine(t, func(o *Options) { o.DataDir = dir })
	start(t, e, newSpec(t, e, map[string]string{"a": "copied"})).want("cat a", "copied")
}

func TestSweepKeepsWhatMayBeUsed(t *testing.T) {
	t.Parallel()
	now := time.Now()
	at := func(age time.Duration) string { return now.Add(-age).Format(time.RFC3339) }
	for name, tt := range map[string]struct {
		volume volume.Volume
		stale  bool
	}{
		"former":  {volume.Volume{Name: "old", CreatedAt: at(25 * time.Hour)}, true},
		"young":   {volume.Volume{Name: "new", CreatedAt: at(23 * time.Hour)}, false},
		"ours":    {volume.Volume{Name: "current", CreatedAt: at(100 * time.Hour)}, false},
		"ageless": {volume.Volume{Name: "odd"}, false},
	} {
		if got := staleAgent(&tt.volume, "current", now); got != tt.stale {
			t.Errorf("%s volume: stale is %v", name, got)
		}
	}
	for name, tt := range map[string]struct {
		filler container.Summary
		stale  bool
	}{
		"forgotten": {container.Summary{State: container.StateCreated, Created: now.Add(-2 * time.Hour).Unix()}, true},
		"working":   {container.Summary{State: container.StateCreated, Created: now.Unix()}, false},
		"running":   {container.Summary{State: container.StateRunning, Created: now.Add(-2 * time.Hour).Unix()}, false},
	} {
		if got := staleFiller(tt.filler, now); got != tt.stale {
			t.Errorf("%s filler: stale is %v", name, got)
		}
	}
}

// TestImageThatWentAway tells of an image that was removed between plan and job.
func TestImageThatWentAway(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	spec := newSpec(t, e, nil)
	spec.Image.ID = "sha256:" + strings.Repeat("0", 64)
	wantImageError(t, e.Create(t.Context(), spec), "removed from the engine")
}

// TestImageWithSurprises tells of an image that brings its own user, entry point, health check and volumes.
func TestImageWithSurprises(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	spec := newSpec(t, e, map[string]string{"a": "mine"})
	ref := "runner-test/surprises:" + randomID()
	base := newSpec(t, e, nil)
	start(t, e, base).want("mkdir -p /codebuild; echo theirs >/data", "")
	_, err := e.api.ContainerCommit(t.Context(), containerName(base.ID), container.CommitOptions{
		Reference: ref, Pause: false, Changes: []string{
			"USER 1234:1234", `ENTRYPOINT ["/bin/false"]`, `CMD ["false"]`, "HEALTHCHECK --interval=1s CMD false",
			`VOLUME ["/codebuild/output/src", "/var/extra"]`, "WORKDIR /nowhere", "ENV HOME=/theirs",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Remove(context.WithoutCancel(t.Context()), spec.ID); err != nil {
			t.Error(err)
		}
		_, _ = e.api.ImageRemove(context.WithoutCancel(t.Context()), ref, image.RemoveOptions{})
	})
	if spec.Image, err = e.Resolve(t.Context(), runner.ImageRequest{Ref: ref}); err != nil || spec.Image.User != "1234:1234" {
		t.Fatalf("%+v, %v", spec.Image, err)
	}
	before := anonymousVolumes(t, e)
	b := start(t, e, spec)
	b.want("id -u; pwd; echo $HOME; cat a", "0\n/codebuild/output/src\n/root\nmine")
	in, err := e.inspect(t.Context(), spec.ID)
	if err != nil || in.State.Health != nil {
		t.Errorf("health %+v, %v", in.State.Health, err)
	}
	var extra string
	for _, m := range in.Mounts {
		if m.Destination == "/var/extra" {
			extra = m.Name
		}
	}
	if err := e.Remove(t.Context(), spec.ID); err != nil {
		t.Fatal(err)
	}
	if after := anonymousVolumes(t, e); extra == "" || before[extra] || after[extra] {
		t.Errorf("the image's own volume %q is left", extra)
	}
}

func anonymousVolumes(t *testing.T, e *Engine) map[string]bool {
	t.Helper()
	vs, err := e.api.VolumeList(t.Context(), volume.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, v := range vs.Volumes {
		names[v.Name] = true
	}
	return names
}

func TestCABundle(t *testing.T) {
	t.Parallel()
	path, cert := newCA(t)
	for _, mode := range []func(*Options){mountMode, overlayMode, copyMode} {
		e := newEngine(t, mode, func(o *Options) { o.CABundle = path })
		b := start(t, e, newSpec(t, e, nil))
		line := strings.Split(string(cert), "\n")[2]
		b.want("grep -c '"+line+"' $SSL_CERT_FILE; echo $NODE_EXTRA_CA_CERTS", "1\n/etc/runner/ca.pem")
		if workspace(e.opts.Workspace).onDisk() {
			b.refused("echo x >>$SSL_CERT_FILE")
		}
	}
}

func newCA(t *testing.T) (path string, text []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	text = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	path = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path, text
}

// halfMade leaves a container as a daemon does that dies between creating and starting it.
func halfMade(t *testing.T, e *Engine, spec runner.SandboxSpec, mode workspace) {
	t.Helper()
	f, err := e.ready(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	agent, err := e.binary(f)
	if err != nil {
		t.Fatal(err)
	}
	l := &launch{e: e, spec: spec, facts: f, agent: agent, mode: mode}
	if err := l.create(t.Context(), containerName(spec.ID)); err != nil {
		t.Fatal(err)
	}
	if st, err := e.Inspect(t.Context(), spec.ID); err != nil || st.Running || !st.StartedAt.IsZero() || !st.EndedAt.IsZero() {
		t.Errorf("created only: %+v, %v", st, err)
	}
}

func TestCreateGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *Engine) {
		spec := newSpec(t, e, map[string]string{"a": "whole"})
		halfMade(t, e, spec, workspace(e.opts.Workspace))
		start(t, e, spec).want("cat a", "whole")
	})
}

// TestACopyThatIsGoneOnWithProvesNoOverlay tells of the next daemon on an engine that cannot mount overlays: it has not
// found that out yet, and goes on with a container that the former one made to be copied into.
func TestACopyThatIsGoneOnWithProvesNoOverlay(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	spec := newSpec(t, e, map[string]string{"a": "copied"})
	halfMade(t, e, spec, workspaceCopy)
	b := start(t, e, spec)
	if e.mode.get() != "" {
		t.Error("the overlay is taken to work, which nobody tried")
	}
	b.want("cat a; echo x >/codebuild/spool/frames", "copied")
	wantFile(t, e, spec.ID, "frames", []byte("x\n"))
}
