package scheduler

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner"
)

// logBuffer is a log that the scheduler's goroutines write while the test reads.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// Adoption runs beside the dispatcher, so a mistake would show in some runs alone, more often under the race detector.
func TestAStartAdoptsWhatAFormerDaemonLeasedAndNothingElse(t *testing.T) {
	const jobs = 40
	path := statePath(t)
	s := open(t, path)
	b := queued(t, s, fanout(jobs, false))
	take(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	cfg := *s.config()
	cfg.Slots = jobs
	s.cfg.Store(&cfg)
	log := new(logBuffer)
	s.log = slog.New(slog.NewTextHandler(log, nil))
	ctx, leave := context.WithCancel(t.Context())
	defer func() { leave(); s.work.Wait() }()
	// With no engine at all, each attempt ends at once.
	if err := s.Start(ctx, &runner.Runner{Sandboxes: t.TempDir(), Logger: s.log}, nil); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); !mustBuild(t, s, b.ID()).Status.Ended(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the jobs are %v", jobStates(t, s, b.ID()))
		}
	}
	if n := log.count("msg=adopting"); n != 1 {
		t.Errorf("%d attempts were adopted, want the one that the former daemon began", n)
	}
}
