package docker

import (
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/runner-ci/runner/runner"
)

// BenchmarkCreate sets Create beside what the engine itself needs for the barest container of the same image, taken in
// turn, and reports both in milliseconds with their ratio.
func BenchmarkCreate(b *testing.B) {
	for _, mode := range []func(*Options){overlayMode, copyMode} {
		e := newEngine(b, mode)
		b.Run(e.opts.Workspace, func(b *testing.B) {
			warm := newSpec(b, e, nil)
			start(b, e, warm) // what is asked once per process is asked
			var bare, ours time.Duration
			for b.Loop() {
				bare += bareContainer(b, e, warm.Image)
				spec := newSpec(b, e, map[string]string{"a": "a"})
				began := time.Now()
				if err := e.Create(b.Context(), spec); err != nil {
					b.Fatal(err)
				}
				ours += time.Since(began)
				if err := e.Remove(b.Context(), spec.ID); err != nil {
					b.Fatal(err)
				}
			}
			n := float64(b.N) * float64(time.Millisecond)
			b.ReportMetric(float64(bare)/n, "ms/docker-run")
			b.ReportMetric(float64(ours)/n, "ms/Create")
			b.ReportMetric(float64(ours)/float64(bare), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// bareContainer creates and starts what docker run would, and tells how long that took.
func bareContainer(b *testing.B, e *Engine, img runner.Image) time.Duration {
	b.Helper()
	name := "runner-bench-" + randomID()
	config := &container.Config{Image: img.ID, Cmd: []string{"sleep", "60"}, Labels: e.labels("bench", "")}
	began := time.Now()
	if _, err := e.api.ContainerCreate(b.Context(), config, &container.HostConfig{}, nil, nil, name); err != nil {
		b.Fatal(err)
	}
	if err := e.api.ContainerStart(b.Context(), name, container.StartOptions{}); err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	e.discard(b.Context(), name)
	return took
}

// BenchmarkAttach is what handing a waiting sandbox its job costs besides the job.
func BenchmarkAttach(b *testing.B) {
	e := newEngine(b)
	spec := newSpec(b, e, nil)
	start(b, e, spec)
	for b.Loop() {
		c, err := e.Attach(b.Context(), spec.ID)
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
