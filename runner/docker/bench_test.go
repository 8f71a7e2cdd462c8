package docker

import (
	"slices"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/runner-ci/runner/runner"
)

// turns takes two things in turn, and reports the median of each in milliseconds with their ratio.
func turns(b *testing.B, ours, theirs func() time.Duration) {
	b.Helper()
	var own, other []time.Duration
	for b.Loop() {
		other = append(other, theirs())
		own = append(own, ours())
	}
	slices.Sort(own)
	slices.Sort(other)
	o, t := own[len(own)/2], other[len(other)/2]
	b.ReportMetric(float64(o)/float64(time.Millisecond), "ms-ours")
	b.ReportMetric(float64(t)/float64(time.Millisecond), "ms-theirs")
	b.ReportMetric(float64(o)/float64(t), "ratio")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkCreate sets Create beside what the engine itself needs for the barest container of the same image.
func BenchmarkCreate(b *testing.B) {
	for _, mode := range []func(*Options){mountMode, overlayMode, copyMode} {
		e := newEngine(b, mode)
		b.Run(e.opts.Workspace, func(b *testing.B) {
			img := started(b, e).Image
			turns(b, func() time.Duration {
				spec := newSpec(b, e, map[string]string{"a": "a"})
				took := timed(func() error { return e.Create(b.Context(), spec) }, b)
				remove(b, e, spec)
				return took
			}, func() time.Duration { return bareContainer(b, e, img) })
		})
	}
}

// BenchmarkNetwork sets Create where the daemon joins the sandbox to its network beside Create where the engine does,
// and both beside the barest container on the engine's default network.
func BenchmarkNetwork(b *testing.B) {
	wired, joined := wiredEngine(b), wiredEngine(b)
	joined.wiring.Store(nil)
	img := started(b, wired).Image
	started(b, joined)
	create := func(e *Engine) func() time.Duration {
		return func() time.Duration {
			spec := newSpec(b, e, nil)
			took := timed(func() error { return e.Create(b.Context(), spec) }, b)
			remove(b, e, spec)
			return took
		}
	}
	bare := func() time.Duration { return bareContainer(b, wired, img) }
	b.Run("wired-joined", func(b *testing.B) { turns(b, create(wired), create(joined)) })
	b.Run("wired-default", func(b *testing.B) { turns(b, create(wired), bare) })
	b.Run("joined-default", func(b *testing.B) { turns(b, create(joined), bare) })
}

// BenchmarkFill sets what a warm sandbox needs to become its job's, connection included, beside the barest container.
func BenchmarkFill(b *testing.B) {
	e := newEngine(b, mountMode)
	img := started(b, e).Image
	b.ReportAllocs()
	turns(b, func() time.Duration {
		spec := newSpec(b, e, map[string]string{"a": "a"})
		warm(b, e, spec)
		took := timed(func() error {
			if err := e.Fill(b.Context(), spec); err != nil {
				return err
			}
			c, err := e.Attach(b.Context(), spec.ID)
			if err != nil {
				return err
			}
			return c.Close()
		}, b)
		remove(b, e, spec)
		return took
	}, func() time.Duration { return bareContainer(b, e, img) })
}

// BenchmarkRemove sets Remove of a sandbox that ended beside the engine's removal of the barest container that ended.
func BenchmarkRemove(b *testing.B) {
	for _, mode := range []func(*Options){mountMode, overlayMode} {
		e := newEngine(b, mode)
		b.Run(e.opts.Workspace, func(b *testing.B) {
			img := started(b, e).Image
			turns(b, func() time.Duration {
				spec := newSpec(b, e, map[string]string{"a": "a"})
				box := start(b, e, spec)
				box.say("exit 0")
				box.ended()
				return timed(func() error { return e.Remove(b.Context(), spec.ID) }, b)
			}, func() time.Duration {
				name := bare(b, e, img, "true")
				until(b, e, name)
				return timed(func() error { return e.removeByID(b.Context(), name) }, b)
			})
		})
	}
}

// started is a sandbox that was made so that what is asked once per process is asked.
func started(b *testing.B, e *Engine) runner.SandboxSpec {
	b.Helper()
	spec := newSpec(b, e, nil)
	start(b, e, spec)
	return spec
}

func timed(do func() error, b *testing.B) time.Duration {
	b.Helper()
	began := time.Now()
	if err := do(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

func remove(b *testing.B, e *Engine, spec runner.SandboxSpec) {
	b.Helper()
	if err := e.Remove(b.Context(), spec.ID); err != nil {
		b.Fatal(err)
	}
}

// bareContainer creates and starts what docker run would, and tells how long that took.
func bareContainer(b *testing.B, e *Engine, img runner.Image) time.Duration {
	b.Helper()
	var name string
	took := timed(func() error { name = bare(b, e, img, "sleep", "60"); return nil }, b)
	e.discard(b.Context(), name)
	return took
}

func bare(b *testing.B, e *Engine, img runner.Image, cmd ...string) string {
	b.Helper()
	name := "runner-bench-" + randomID()
	config := &container.Config{Image: img.ID, Cmd: cmd, Labels: e.labels("bench", "")}
	if _, err := e.api.ContainerCreate(b.Context(), config, &container.HostConfig{}, nil, nil, name); err != nil {
		b.Fatal(err)
	}
	if err := e.api.ContainerStart(b.Context(), name, container.StartOptions{}); err != nil {
		b.Fatal(err)
	}
	return name
}

// until waits until a container has ended.
func until(b *testing.B, e *Engine, name string) {
	b.Helper()
	done, failed := e.api.ContainerWait(b.Context(), name, container.WaitConditionNotRunning)
	select {
	case <-done:
	case err := <-failed:
		b.Fatal(err)
	}
}

// BenchmarkAttach is what attaching again to a running agent costs.
func BenchmarkAttach(b *testing.B) {
	e := newEngine(b)
	spec := newSpec(b, e, nil)
	start(b, e, spec)
	b.ReportAllocs()
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
