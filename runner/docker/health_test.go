package docker

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"

	"github.com/runner-ci/runner/internal/enginetest"
	"github.com/runner-ci/runner/runner"
)

// imageWith makes an image of busybox with further instructions, for one test.
func imageWith(t *testing.T, e *Engine, changes ...string) runner.Image {
	t.Helper()
	ctx := t.Context()
	made, err := e.api.ContainerCreate(ctx, &container.Config{Image: enginetest.BusyboxRef}, nil, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	defer e.discard(ctx, made.ID)
	files, err := e.api.ContainerExport(ctx, made.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	ref := "runner-test/with-" + randomID() + ":latest"
	out, err := e.api.ImageImport(ctx, image.ImportSource{Source: files, SourceName: "-"}, ref,
		image.ImportOptions{Changes: append([]string{"ENV PATH=/bin"}, changes...)})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if said, err := io.ReadAll(out); err != nil || bytes.Contains(said, []byte(`"error"`)) {
		t.Fatalf("importing: %s %v", said, err)
	}
	t.Cleanup(func() {
		if _, err := e.api.ImageRemove(context.WithoutCancel(ctx), ref, image.RemoveOptions{}); err != nil {
			t.Error(err)
		}
	})
	img, err := e.Resolve(ctx, runner.ImageRequest{Ref: ref, Pull: pullNever})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// TestServiceOfAnImageWithACheck tells of an image that says by itself when it is ready, and that declares a volume:
// it is asked more often than it says, and leaves nothing.
func TestServiceOfAnImageWithACheck(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	spec := newSpec(t, e, nil)
	img := imageWith(t, e, `VOLUME /data`, `HEALTHCHECK --interval=10m --retries=5 --timeout=7s CMD test -e /data/ready`,
		`CMD ["sh", "-c", "sleep 1; touch /data/ready; sleep 600"]`)
	spec.Services = []runner.Service{{Name: "db", Image: img}}
	health, err := e.healthOf(t.Context(), spec.Services[0])
	if err != nil || health.Interval != healthEvery || health.Retries != 1500 || health.Timeout != 7*time.Second {
		t.Errorf("its check is %+v, %v", health, err)
	}
	start(t, e, spec).want("nslookup db >/dev/null && echo there", "there")
	in, err := e.api.ContainerInspect(t.Context(), serviceName(spec.ID, "db"))
	if err != nil || len(in.Mounts) != 1 {
		t.Fatalf("mounts %+v, %v", in.Mounts, err)
	}
	if err := e.Remove(t.Context(), spec.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := e.api.VolumeInspect(t.Context(), in.Mounts[0].Name); !cerrdefs.IsNotFound(err) {
		t.Errorf("the volume that its image declares: %v", err)
	}
}
