package docker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/runner-ci/runner/runner"
)

// web is a service that serves one word on port 80, after a while.
func web(spec runner.SandboxSpec, name, word, after string) runner.Service {
	return runner.Service{
		Name: name, Image: spec.Image, Entrypoint: []string{"sh", "-c"},
		Command: []string{"sleep " + after + "; mkdir /www; echo " + word + " >/www/index.html; exec httpd -f -p 80 -h /www"},
		Health:  &runner.Health{Command: "wget -q -O - http://127.0.0.1/", Interval: 100 * time.Millisecond},
	}
}

func TestServices(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *Engine) {
		ctx := t.Context()
		spec := newSpec(t, e, map[string]string{"a": "a"})
		spec.Services = []runner.Service{web(spec, "db", "data", "0.5"), web(spec, "Cache_1", "cached", "0")}
		spec.Services[1].Limits = runner.Limits{CPUs: 0.5, MemoryBytes: 64 << 20, PIDs: 50}
		b := start(t, e, spec)
		b.want("wget -q -O - http://db/", "data")
		b.want("wget -q -O - http://Cache_1/", "cached")
		b.want("mkdir /www; echo job >/www/index.html; httpd -p 8080 -h /www", "")
		if out, err := e.run(t, serviceName(spec.ID, "db"), "wget -q -O - http://job:8080/; wget -q -O - http://Cache_1/"); err != nil || out != "job\ncached\n" {
			t.Errorf("a service sees the job and the other service as %q, %v", out, err)
		}

		other := newSpec(t, e, nil)
		other.Services = []runner.Service{web(other, "db", "other data", "0")}
		plain := newSpec(t, e, nil)
		bo, bp := start(t, e, other), start(t, e, plain)
		bo.want("wget -q -O - http://db/", "other data")
		ip := e.addressOf(t, serviceName(spec.ID, "db"), ownNetwork(spec.ID))
		for _, b := range []*box{bo, bp} {
			b.refused("timeout 2 wget -q -O - http://" + ip + "/")
		}

		if err := e.Create(ctx, spec); err != nil {
			t.Errorf("creating it again: %v", err)
		}
		if err := e.Kill(ctx, spec.ID); err != nil {
			t.Error(err)
		}
		if running, err := e.serviceContainers(ctx, spec.ID, false); err != nil || len(running) != 0 {
			t.Errorf("after kill %d services run, %v", len(running), err)
		}
		if err := e.Create(ctx, spec); err != nil {
			t.Errorf("creating what has ended: %v", err)
		}
	})
}

// run runs a line in a container that is not the job's.
func (e *Engine) run(t *testing.T, name, line string) (string, error) {
	t.Helper()
	made, err := e.api.ContainerExecCreate(t.Context(), name, container.ExecOptions{Cmd: []string{"sh", "-c", line}, AttachStdout: true, AttachStderr: true, Tty: true})
	if err != nil {
		return "", err
	}
	c, err := e.api.ContainerExecAttach(t.Context(), made.ID, container.ExecAttachOptions{Tty: true})
	if err != nil {
		return "", err
	}
	defer c.Close()
	var out strings.Builder
	_, err = c.Reader.WriteTo(&out)
	return strings.ReplaceAll(out.String(), "\r", ""), err
}

func (e *Engine) addressOf(t *testing.T, name, network string) string {
	t.Helper()
	in, err := e.api.ContainerInspect(t.Context(), name)
	if err != nil || in.NetworkSettings.Networks[network] == nil {
		t.Fatalf("%s on %s: %v", name, network, err)
	}
	return in.NetworkSettings.Networks[network].IPAddress
}

func TestServicesThatFail(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	for name, tt := range map[string]struct {
		change func(*runner.Service)
		reason string
		log    string
	}{
		"ends": {func(s *runner.Service) {
			s.Command = []string{"echo to stdout; sleep 0.5; echo no password given >&2; exit 3"}
		}, "ended with status 3 before it was ready", "to stdout\nno password given"},
		"ends unchecked": {func(s *runner.Service) {
			s.Command, s.Health = []string{"echo no licence; exit 4"}, nil
		}, "ended with status 4 before it was ready", "no licence"},
		"unhealthy": {func(s *runner.Service) {
			s.Command = []string{"echo waiting; exec sleep 60"}
			s.Health = &runner.Health{Command: "echo not yet; exit 1", Interval: 50 * time.Millisecond, Retries: 2}
		}, "times, the last one with status 1, saying: not yet", "waiting"},
		"missing program": {func(s *runner.Service) {
			s.Entrypoint = []string{"no-such-program"}
		}, "cannot be started", ""},
		"memory": {func(s *runner.Service) {
			s.Command, s.Limits.MemoryBytes = []string{"exec tail /dev/zero"}, 16<<20
		}, "memory", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := newSpec(t, e, nil)
			s := web(spec, "db", "data", "30")
			tt.change(&s)
			spec.Services = []runner.Service{s}
			if s.Health != nil { // another that would take long is not waited for
				spec.Services = append(spec.Services, web(spec, "slow", "x", "60"))
			}
			err := e.Create(t.Context(), spec)
			var failed *runner.ServiceError
			if !errors.As(err, &failed) || failed.Service != "db" || !strings.Contains(failed.Reason, tt.reason) {
				t.Fatalf("%T: %v", err, err)
			}
			if tt.log != "" && failed.Log != tt.log {
				t.Errorf("its last lines are %q", failed.Log)
			}
		})
	}
}

func TestServicesThatAreRefused(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	spec := newSpec(t, e, nil)
	named := newEngine(t, func(o *Options) { o.Network = networkNone })
	for want, tt := range map[string]struct {
		e        *Engine
		services []runner.Service
	}{
		`service "a b"`:            {e, []runner.Service{{Name: "a b", Image: spec.Image}}},
		`another service has that`: {e, []runner.Service{{Name: "db", Image: spec.Image}, {Name: "DB", Image: spec.Image}}},
		`image is not resolved`:    {e, []runner.Service{{Name: "db"}}},
		`network "none"`:           {named, []runner.Service{{Name: "db", Image: spec.Image}}},
	} {
		s := newSpec(t, tt.e, nil)
		s.Services = tt.services
		if err := tt.e.Create(t.Context(), s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestServicesHalfMade tells of a daemon that dies at any moment of Create: another one goes on, or takes away what
// there is.
func TestServicesHalfMade(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	for i := range 5 {
		spec := newSpec(t, e, nil)
		spec.Services = []runner.Service{web(spec, "db", "data", "0.3")}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(30+150*i)*time.Millisecond)
		cut := e.Create(ctx, spec)
		cancel()
		if i%2 == 0 {
			if err := e.Create(t.Context(), spec); err != nil {
				t.Errorf("after %v, creating it again: %v", cut, err)
			}
			attach(t, e, spec).want("wget -q -O - http://db/", "data")
		}
		if err := e.Remove(t.Context(), spec.ID); err != nil {
			t.Error(err)
		}
		if n := leftovers(t, e); n != "" {
			t.Errorf("left: %s", n)
		}
	}

	spec := newSpec(t, e, nil)
	if err := e.ensureOwnNetwork(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if err := e.ensureOwnNetwork(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if ids, err := e.List(t.Context()); err != nil || len(ids) != 1 || ids[0] != spec.ID {
		t.Errorf("a network alone is listed as %q, %v", ids, err)
	}
}

func TestReadiness(t *testing.T) {
	health := func(status string) *container.Health { return &container.Health{Status: status, FailingStreak: 4} }
	for name, tt := range map[string]struct {
		state container.State
		ready bool
		why   string
	}{
		"created":   {container.State{Status: "created"}, false, ""},
		"no check":  {container.State{Status: "running", Running: true}, true, ""},
		"starting":  {container.State{Status: "running", Running: true, Health: health(container.Starting)}, false, ""},
		"healthy":   {container.State{Status: "running", Running: true, Health: health(container.Healthy)}, true, ""},
		"unhealthy": {container.State{Status: "running", Running: true, Health: health(container.Unhealthy)}, false, "failed 4 times"},
		"ended":     {container.State{Status: "exited", ExitCode: 2}, false, "status 2"},
		"done":      {container.State{Status: "exited"}, true, ""},
		"gave up":   {container.State{Status: "exited", Health: health(container.Unhealthy)}, false, "status 0"},
		"oom":       {container.State{Status: "exited", ExitCode: 137, OOMKilled: true}, false, "memory limit"},
	} {
		if ready, why := readiness(&tt.state); ready != tt.ready || !strings.Contains(why, tt.why) || (why == "") != (tt.why == "") {
			t.Errorf("%s: %v, %q", name, ready, why)
		}
	}
	for _, tt := range []struct {
		h    *container.HealthConfig
		want time.Duration
	}{
		{nil, leastPatience},
		{&container.HealthConfig{Interval: time.Second, Timeout: time.Second, Retries: 3}, leastPatience},
		{&container.HealthConfig{Interval: 10 * time.Second, Timeout: 10 * time.Second, Retries: 30}, 10 * time.Minute},
		{&container.HealthConfig{Interval: time.Minute, Timeout: time.Minute, Retries: 1 << 40}, mostPatience},
	} {
		if got := patience(tt.h); got != tt.want {
			t.Errorf("patience of %+v is %s, want %s", tt.h, got, tt.want)
		}
	}
}
