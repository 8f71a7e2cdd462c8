package runner

import (
	"context"
	"io"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// earlyTime bounds how long the reading of early reports may keep the rest of what a job says.
const earlyTime = 10 * time.Second

// earlyTar is what the tar around MaxEarlyBytes of report files takes at most.
const earlyTar = wire.MaxEarlyBytes + wire.MaxReportFiles*3<<10

// early has reports read that a running job told of. It is done before the frame becomes durable, so that a daemon that
// dies over it is told again. What goes wrong is made good by the reports at the end.
func (s *session) early(ctx context.Context, f wire.Frame) {
	var e wire.Early
	if s.runner.Early == nil || wire.Decode(f, &e) != nil || e.Number < 0 || e.Number >= wire.MaxEarly || s.earlies >= wire.MaxEarly {
		return
	}
	s.earlies++
	defer func() { s.earlyTold.Store(int64(e.Number) + 1) }()
	ctx, cancel := context.WithTimeout(ctx, earlyTime)
	defer cancel()
	file, err := s.open(ctx, wire.EarlyFile(e.Number))
	if err == nil {
		err = s.runner.Early(ctx, s.attempt.ID, e.Number, e.Groups, io.LimitReader(Cancellable(ctx, file), earlyTar))
		file.Close()
	}
	if err != nil {
		s.log.Info("the early reports of a job could not be read", "number", e.Number, "error", err)
	}
}

// earlyWait bounds how long the answer for a batch waits for early reports, which come by another way. Some that a former
// daemon read do not come again, and are not waited for twice.
const earlyWait = 5 * time.Second

// awaitEarly waits until so many early reports were read.
func (s *session) awaitEarly(ctx context.Context, told int) {
	ctx, cancel := context.WithTimeout(ctx, earlyWait)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	want := int64(min(told, wire.MaxEarly))
	for s.runner.Early != nil && max(s.earlyTold.Load(), s.earlyMissed.Load()) < want {
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.earlyMissed.Store(want)
			return
		}
	}
}
