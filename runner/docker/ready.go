package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/runner-ci/runner/runner"
)

const (
	// healthEvery is how often a service is asked whether it is ready, where nobody says otherwise. The engine's own
	// default, and that of many images, is 30 s, which a job would wait for.
	healthEvery = 2 * time.Second
	// healthTimeout and healthRetries are the engine's own defaults.
	healthTimeout = 30 * time.Second
	healthRetries = 3
	// ownRetries are those of a check that the buildspec gives: a minute at healthEvery.
	ownRetries = 30

	// uncheckedAge is how long a service without a check has to run until it counts as ready: one whose settings are
	// wrong mostly ends at once, and is then told of.
	uncheckedAge = time.Second

	// leastPatience and mostPatience bound the wait for a service, whatever its check allows itself.
	leastPatience = 5 * time.Minute
	mostPatience  = 30 * time.Minute

	// lastLines of a service are told when it does not become ready, each cut to lineBytes.
	lastLines = 20
	lineBytes = 500
)

// healthOf is the engine's form of a service's check: the buildspec's, or the image's own, asked more often within
// the same time. Nil is none.
func (e *Engine) healthOf(ctx context.Context, s runner.Service) (*container.HealthConfig, error) {
	if h := s.Health; h != nil {
		return &container.HealthConfig{
			Test: []string{"CMD-SHELL", h.Command}, Interval: or(h.Interval, healthEvery), Timeout: or(h.Timeout, healthTimeout),
			Retries: or(h.Retries, ownRetries), StartPeriod: h.StartPeriod,
		}, nil
	}
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in, err := e.api.ImageInspect(short, s.Image.ID)
	if err != nil || in.Config == nil || in.Config.Healthcheck == nil {
		return nil, err
	}
	own := in.Config.Healthcheck
	if len(own.Test) == 0 || own.Test[0] == "NONE" || or(own.Interval, 30*time.Second) <= healthEvery {
		return nil, nil // none, or one that needs no change
	}
	span := or(own.Interval, 30*time.Second) * time.Duration(or(own.Retries, healthRetries))
	return &container.HealthConfig{
		Test: own.Test, Interval: healthEvery, Timeout: own.Timeout, StartPeriod: own.StartPeriod,
		Retries: int((span + healthEvery - 1) / healthEvery),
	}, nil
}

// or is the first value that is not zero.
func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// patience is how long a service may take to become ready: what its own check allows, within bounds.
func patience(h *container.HealthConfig) time.Duration {
	if h == nil {
		return leastPatience
	}
	each := or(h.Interval, healthEvery) + or(h.Timeout, healthTimeout)
	retries := min(or(h.Retries, ownRetries), int(mostPatience/time.Second))
	return min(mostPatience, max(leastPatience, h.StartPeriod+each*time.Duration(retries)))
}

// awaitService waits until a started service is ready.
func (e *Engine) awaitService(ctx context.Context, id string, s runner.Service) error {
	name, began := serviceName(id, s.Name), time.Now()
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		short, cancel := context.WithTimeout(ctx, callTimeout)
		in, err := e.api.ContainerInspect(short, name)
		cancel()
		if cerrdefs.IsNotFound(err) || err == nil && (in.State == nil || in.Config == nil) {
			return fmt.Errorf("service %q: its container %s was removed while it started: retry the build", s.Name, name)
		}
		if err != nil {
			return fmt.Errorf("waiting for service %q: %w", s.Name, err)
		}
		ready, why := readiness(in.State)
		if ready && (!in.State.Running || !unchecked(in.State) || time.Since(began) >= uncheckedAge) {
			return nil
		}
		if why != "" {
			return e.notReady(ctx, s, name, why)
		}
		if limit := patience(in.Config.Healthcheck); time.Since(began) > limit {
			return e.notReady(ctx, s, name, fmt.Sprintf("was not ready after %s%s", limit, lastCheck(in.State.Health)))
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("waiting for service %q: %w", s.Name, ctx.Err())
		}
	}
}

// killed is the exit status of a process that KILL ended.
const killed = 128 + 9

// readiness tells whether a started service is ready, or why it will never be. One without a check may have done all
// that it was to do.
func readiness(st *container.State) (ready bool, why string) {
	switch {
	case st.OOMKilled:
		return false, "was ended for want of memory before it was ready: raise its memory limit"
	case unchecked(st) && st.Status == container.StateExited && st.ExitCode == 0:
		return true, ""
	case !st.Running && st.Status != container.StateCreated && st.ExitCode == killed:
		// The engine hears of the kernel's doing apart from the end, and sometimes not at all.
		return false, "was killed (status 137) before it was ready, often for want of memory: raise its memory limit"
	case !st.Running && st.Status != container.StateCreated:
		return false, fmt.Sprintf("ended with status %d before it was ready", st.ExitCode)
	case unchecked(st):
		return st.Running, ""
	case st.Health.Status == container.Unhealthy:
		return false, fmt.Sprintf("is not healthy: its check failed %d times%s", st.Health.FailingStreak, lastCheck(st.Health))
	}
	return st.Health.Status == container.Healthy, ""
}

func unchecked(st *container.State) bool {
	return st.Health == nil || st.Health.Status == container.NoHealthcheck || st.Health.Status == ""
}

// lastCheck tells what the last check said.
func lastCheck(h *container.Health) string {
	if h == nil || len(h.Log) == 0 {
		return ""
	}
	last := h.Log[len(h.Log)-1]
	said := strings.TrimSpace(printable(last.Output))
	if said == "" {
		said = "nothing"
	}
	return fmt.Sprintf(", the last one with status %d, saying: %s", last.ExitCode, cut(said))
}

func (e *Engine) notReady(ctx context.Context, s runner.Service, name, why string) error {
	said, err := e.lastWords(ctx, name)
	if err != nil {
		e.log.Debug("reading a service's log", "container", name, "error", err)
	}
	return &runner.ServiceError{Service: s.Name, Reason: why, Log: said}
}

// lastWords are the last lines that a container printed, on either stream.
func (e *Engine) lastWords(ctx context.Context, name string) (string, error) {
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	stream, err := e.api.ContainerLogs(short, name, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: fmt.Sprint(lastLines)})
	if err != nil {
		return "", err
	}
	defer stream.Close()
	var said bytes.Buffer
	// A line may be of any length: those of the log's own bound are enough.
	_, err = stdcopy.StdCopy(&said, &said, io.LimitReader(stream, 4<<20))
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	lines := strings.Split(strings.TrimRight(printable(said.String()), "\n"), "\n")
	lines = lines[max(0, len(lines)-lastLines):]
	for i := range lines {
		lines[i] = cut(lines[i])
	}
	return strings.Join(lines, "\n"), err
}

// printable drops what would act on a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

func cut(line string) string {
	if len(line) <= lineBytes {
		return line
	}
	return strings.ToValidUTF8(line[:lineBytes], "") + "…"
}
