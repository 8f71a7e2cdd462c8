//go:build linux

package runner_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/process"
	"github.com/runner-ci/runner/runner/wire"
)

// ahead makes sandboxes ahead as the host can: whole ones, without a source. It writes down what is asked of it.
type ahead struct {
	*process.Executor
	calls []string
	fails error // of Fill
	still bool  // what there is was made and never started
	gone  bool  // somebody removed its container, and not its files
}

func (a *ahead) Attach(ctx context.Context, id string) (io.ReadWriteCloser, error) {
	if a.still || a.gone {
		return nil, errors.New("it does not run")
	}
	return a.Executor.Attach(ctx, id)
}

func (a *ahead) Inspect(ctx context.Context, id string) (runner.SandboxState, error) {
	switch {
	case a.still:
		return runner.SandboxState{}, nil
	case a.gone:
		return runner.SandboxState{}, runner.ErrNoSandbox
	}
	return a.Executor.Inspect(ctx, id)
}

func (a *ahead) CanWarm(context.Context, runner.SandboxSpec) error { return nil }

func (a *ahead) Warm(ctx context.Context, spec runner.SandboxSpec) error {
	a.calls = append(a.calls, "warm")
	return a.Executor.Create(ctx, spec)
}

func (a *ahead) Fill(_ context.Context, spec runner.SandboxSpec) error {
	a.calls = append(a.calls, fmt.Sprintf("fill %d", spec.Limits.PIDs))
	return a.fails
}

func (a *ahead) Create(ctx context.Context, spec runner.SandboxSpec) error {
	a.calls = append(a.calls, "create")
	return a.Executor.Create(ctx, spec)
}

func (a *ahead) Remove(ctx context.Context, id string) error {
	a.calls = append(a.calls, "remove")
	a.still = false
	return a.Executor.Remove(ctx, id)
}

// story keeps what a caller commits, in order.
type story struct{ phases []string }

func (s *story) Sent(context.Context) error { s.phases = append(s.phases, "sent"); return nil }
func (s *story) Cold(context.Context) error { s.phases = append(s.phases, "cold"); return nil }

func (s *story) Progress(_ context.Context, p runner.Progress) error {
	for _, ph := range p.Phases {
		s.phases = append(s.phases, ph.Phase+" "+string(ph.Status))
	}
	return nil
}

func TestAWarmSandboxIsFilledBeforeItsJobIsSent(t *testing.T) {
	cases := []struct {
		name   string
		sent   bool
		unmade bool // a former daemon committed no more than its row
		still  bool
		before func(t *testing.T, dir string)
		fails  error
		want   []string
	}{
		{name: "at once", want: []string{"warm", "fill 7"}},
		{name: "it is gone", fails: runner.ErrNoSandbox, want: []string{"warm", "fill 7", "remove", "create"}},
		{name: "a daemon died between lease and job", sent: true, want: []string{"warm", "fill 7"}},
		{name: "a daemon died before it was made, and another after the lease", sent: true, unmade: true, want: []string{"remove", "create"}},
		{
			name: "a daemon died before it was started, and another after the lease", sent: true, still: true,
			fails: errors.New("it does not run"), want: []string{"warm", "fill 7", "remove", "create"},
		},
		{
			name: "a daemon died filling it", sent: true, want: []string{"warm", "remove", "create"},
			before: func(t *testing.T, dir string) {
				if err := os.Mkdir(filepath.Join(dir, "upper", ".git"), 0o755); err != nil {
					t.Fatal(err)
				}
			},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, host := host(t)
			ex := &ahead{Executor: host, fails: c.fails}
			r.Executors[engine] = ex
			r.Logger = slog.New(slog.DiscardHandler)
			image := runner.Image{ID: "host"}
			if !c.unmade {
				must(t, r.Warm(t.Context(), engine, runner.WarmSandbox{ID: sandbox, Image: image}))
			}
			ex.still = c.still
			if c.before != nil {
				c.before(t, ex.SandboxDir(sandbox))
			}
			told := &story{}
			res, err := r.Run(t.Context(), engine, runner.Attempt{
				ID: "a", Sandbox: sandbox, Warm: true, Sent: c.sent, Image: image, Log: "log", Set: "set", Timeout: time.Minute,
				Limits: runner.Limits{PIDs: 7},
				Job:    wire.Job{Phases: []wire.Phase{{Name: wire.PhaseBuild, Commands: []string{"true"}}}},
			}, told)
			if err != nil || res.Status != wire.StatusSucceeded {
				t.Fatalf("%+v, %v", res, err)
			}
			if !slices.Equal(ex.calls, c.want) {
				t.Errorf("asked of the executor: %q, want %q", ex.calls, c.want)
			}
			if cold := told.phases[0] == "cold"; cold != slices.Contains(c.want, "create") {
				t.Errorf("committed %q, and asked of the executor is %q", told.phases, ex.calls)
			} else if cold {
				told.phases = told.phases[1:]
			}
			want := []string{"sent", "PROVISIONING ", "PROVISIONING SUCCEEDED", "BUILD ", "BUILD SUCCEEDED"}
			if !slices.Equal(told.phases[:min(len(want), len(told.phases))], want) {
				t.Errorf("committed %q, want %q", told.phases, want)
			}
		})
	}
}

// TestAWarmSandboxWhoseJobBeganIsNotMadeAgain: what it spooled says so, whatever became of it.
func TestAWarmSandboxWhoseJobBeganIsNotMadeAgain(t *testing.T) {
	r, host := host(t)
	ex := &ahead{Executor: host}
	r.Executors[engine], r.Logger = ex, slog.New(slog.DiscardHandler)
	must(t, r.Warm(t.Context(), engine, runner.WarmSandbox{ID: sandbox, Image: runner.Image{ID: "host"}}))
	frames, err := os.OpenFile(filepath.Join(ex.SandboxDir(sandbox), "spool", "frames"), os.O_CREATE|os.O_WRONLY, 0o600)
	must(t, err)
	must(t, frames.Close())
	ex.gone = true
	res, err := r.Run(t.Context(), engine, runner.Attempt{
		ID: "a", Sandbox: sandbox, Warm: true, Sent: true, Image: runner.Image{ID: "host"}, Log: "log", Set: "set", Timeout: time.Minute,
		Job: wire.Job{Phases: []wire.Phase{{Name: wire.PhaseBuild, Commands: []string{"true"}}}},
	}, &story{})
	if err != nil || res.Status != wire.StatusFault || res.Reason != "sandbox_lost" || slices.Contains(ex.calls, "create") {
		t.Errorf("%+v, %v; asked of the executor: %q", res, err, ex.calls)
	}
}

// TestAnEngineThatCannotWarmSaysSo tells of an executor without the ability, and of an engine that is not there.
func TestAnEngineThatCannotWarmSaysSo(t *testing.T) {
	r, _ := host(t)
	for _, engine := range []string{engine, "elsewhere"} {
		w := runner.WarmSandbox{ID: sandbox}
		if err := r.CanWarm(t.Context(), engine, w); err == nil {
			t.Errorf("engine %s can", engine)
		}
		if err := r.Warm(t.Context(), engine, w); err == nil {
			t.Errorf("engine %s did", engine)
		}
		if _, err := os.Lstat(filepath.Join(r.Sandboxes, sandbox)); !os.IsNotExist(err) {
			t.Errorf("engine %s: a directory was left: %v", engine, err)
		}
	}
}
