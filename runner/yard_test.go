//go:build linux

package runner_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/internal/enginetest"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/docker"
	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/source"
)

const yardEngine = "docker"

// yard is a runner whose sandboxes are containers, with the real agent.
type yard struct {
	*runner.Runner
	image  runner.Image
	source runner.Checkout
	used   *runner.CacheUse // by the job that was played last
}

// openYard opens the yard of a data directory, as each process of a daemon does.
func openYard(t testing.TB, dir, instance string, epoch uint64) *yard {
	t.Helper()
	ref := enginetest.Busybox(t)
	store, err := artifacts.Open(filepath.Join(dir, "artifacts.db"), artifacts.Options{})
	must(t, err)
	sources, err := source.Open(source.Options{Dir: filepath.Join(dir, "source")})
	must(t, err)
	agent := filepath.Join(dir, "agent")
	if _, err := os.Lstat(agent); err != nil {
		must(t, os.Rename(buildAgent(t), agent))
	}
	ex, err := docker.New(docker.Options{
		Engine: yardEngine, Instance: instance, DataDir: dir, Logger: slog.New(slog.DiscardHandler),
		Agent: func(string) ([]byte, error) { return os.ReadFile(agent) },
	})
	must(t, err)
	t.Cleanup(func() { ex.Close(); store.Close() })
	image, err := ex.Resolve(t.Context(), runner.ImageRequest{Ref: ref, Pull: "never"})
	must(t, err)
	return &yard{image: image, Runner: &runner.Runner{
		Source: sources, Artifacts: store, Executors: map[string]runner.Executor{yardEngine: ex},
		Sandboxes: filepath.Join(dir, "sandboxes"), Epoch: epoch, Logger: slog.New(slog.DiscardHandler),
	}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// attempt is a job that prints a line, in a sandbox not made yet.
func (y *yard) attempt() runner.Attempt { return y.attemptOf(fmt.Sprintf("%016x", rand.Uint64())) }

func (y *yard) attemptOf(id string) runner.Attempt {
	return runner.Attempt{
		ID: id, Sandbox: id, Image: y.image, Source: y.source, Log: id, Set: "set-" + id, Timeout: time.Minute,
		Job: wire.Job{Phases: []wire.Phase{{Name: wire.PhaseBuild, Commands: []string{"echo hello"}}}},
	}
}
