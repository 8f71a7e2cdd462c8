package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// session is one Run: it owns the attempt from the sandbox's creation, or its adoption, to its result.
type session struct {
	runner  *Runner
	ex      Executor
	attempt Attempt
	events  Events
	log     *slog.Logger

	rec     *recorder
	stop    *StopRequest // the request that was passed on, if any
	stopped time.Time
	began   time.Time
	decided bool // the result stands, whatever becomes of the context
}

func (s *session) run(ctx context.Context) Result {
	s.began = time.Now()
	rec, err := newRecorder(s.runner.Artifacts, s.attempt.Log, s.events)
	if err != nil {
		return s.storeFault(err)
	}
	s.rec = rec
	res, ok := s.provision(ctx)
	if !ok {
		return s.finish(ctx, res)
	}
	done, res := s.follow(ctx)
	if done == nil {
		return s.finish(ctx, res)
	}
	return s.finish(ctx, s.collect(ctx, *done))
}

// follow reads the agent's frames until done, across broken connections, and falls back on the spool when the
// agent is gone. It returns the agent's own result, or ours when there is none to be had.
func (s *session) follow(ctx context.Context) (*wire.Done, Result) {
	limit := time.NewTimer(s.timeLimit())
	defer limit.Stop()
	backoff := 50 * time.Millisecond
	for {
		done, err := s.attach(ctx, limit.C)
		switch {
		case done != nil:
			return done, Result{}
		case ctx.Err() != nil:
			return nil, Result{}
		case errors.Is(err, errOverdue):
			return s.overdue(ctx)
		case errors.Is(err, errStore):
			_ = s.ex.Kill(ctx, s.attempt.Sandbox)
			return nil, s.storeFault(err)
		case errors.Is(err, errProtocol):
			_ = s.ex.Kill(ctx, s.attempt.Sandbox)
			return nil, fault("agent_error", err.Error())
		}
		state, ierr := s.ex.Inspect(ctx, s.attempt.Sandbox)
		if errors.Is(ierr, ErrNoSandbox) || (ierr == nil && !state.Running) {
			return s.lastWords(ctx, state, ierr)
		}
		s.log.Info("lost the agent's connection, attaching again", "error", err, "inspect", ierr, "in", backoff)
		select {
		case <-time.After(backoff):
		case <-limit.C:
			return s.overdue(ctx)
		case <-ctx.Done():
			return nil, Result{}
		}
		backoff = min(backoff*2, 5*time.Second)
	}
}

// timeLimit is when the daemon stops trusting the agent to keep the time limit itself.
func (s *session) timeLimit() time.Duration {
	if s.attempt.Timeout <= 0 {
		return 1<<63 - 1
	}
	return s.attempt.Timeout + backupLimit
}

var (
	errOverdue  = errors.New("the time limit passed")
	errStore    = errors.New("storing what the job said")
	errProtocol = errors.New("the agent does not speak our protocol")
)

// attach connects once, and pumps frames until done, an error, or the end of ctx.
func (s *session) attach(ctx context.Context, limit <-chan time.Time) (*wire.Done, error) {
	conn, err := s.ex.Attach(ctx, s.attempt.Sandbox)
	if err != nil {
		return nil, fmt.Errorf("attaching: %w", err)
	}
	defer conn.Close()
	p := startPump(conn)
	defer p.close()

	if err := p.hello(s.runner.Epoch, s.rec.last()); err != nil {
		return nil, err
	}
	welcome := time.NewTimer(welcomeWait)
	defer welcome.Stop()
	stopBackupC := s.stopDeadline()
	for {
		select {
		case f, ok := <-p.frames:
			if !ok {
				return nil, errors.Join(p.err(), s.rec.flush(ctx))
			}
			done, err := s.take(ctx, p, f, welcome)
			if done != nil || err != nil {
				return done, err
			}
		case <-s.rec.due():
			if err := s.rec.flush(ctx); err != nil {
				return nil, err
			}
		case req := <-s.attempt.Stop:
			s.attempt.Stop = nil
			s.stop, s.stopped = &req, time.Now()
			stopBackupC = s.stopDeadline()
			if err := p.stop(req); err != nil {
				return nil, err
			}
		case <-welcome.C:
			return nil, fmt.Errorf("the agent did not answer within %s", welcomeWait)
		case <-stopBackupC:
			return nil, errOverdue
		case <-limit:
			return nil, errOverdue
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// stopDeadline is when a stop that the agent was told of is enforced from outside.
func (s *session) stopDeadline() <-chan time.Time {
	if s.stop == nil {
		return nil
	}
	return time.After(time.Until(s.stopped.Add(stopGrace + stopBackup)))
}

// take handles one frame: the answers to hello here, everything spooled in the recorder.
func (s *session) take(ctx context.Context, p *pump, f wire.Frame, welcome *time.Timer) (*wire.Done, error) {
	switch f.Kind {
	case wire.KindWelcome:
		welcome.Stop()
		p.welcomed = true
		return nil, s.welcomed(ctx, p, f)
	case wire.KindRefused:
		var r wire.Refused
		if err := wire.Decode(f, &r); err != nil {
			return nil, fmt.Errorf("%w: %w", errProtocol, err)
		}
		return nil, fmt.Errorf("%w: it refused: %s", errProtocol, r.Reason)
	}
	if !p.welcomed {
		// Still on its way to whoever was attached before us. The agent sends all that we lack after its welcome.
		return nil, nil
	}
	done, err := s.rec.take(f)
	if err != nil {
		return nil, err
	}
	if done != nil || s.rec.full() {
		if err := s.rec.flush(ctx); err != nil {
			return nil, err
		}
	}
	return done, nil
}

// welcomed sends the job to an agent that has none yet, after committing that it may have it.
func (s *session) welcomed(ctx context.Context, p *pump, f wire.Frame) error {
	var w wire.Welcome
	if err := wire.Decode(f, &w); err != nil {
		return fmt.Errorf("%w: %w", errProtocol, err)
	}
	if w.Protocol != wire.Protocol {
		return fmt.Errorf("%w: it speaks version %d, this daemon %d", errProtocol, w.Protocol, wire.Protocol)
	}
	if w.Attempt != "" && w.Attempt != s.attempt.ID {
		return fmt.Errorf("%w: it runs %s, not %s", errProtocol, w.Attempt, s.attempt.ID)
	}
	if w.Attempt == "" {
		if err := s.events.Sent(ctx); err != nil {
			return fmt.Errorf("%w: %w", errStore, err)
		}
		if err := p.send(s.job()); err != nil {
			return err
		}
	}
	if s.stop != nil { // told once already, on a connection that broke
		return p.stop(*s.stop)
	}
	return nil
}

func (s *session) job() wire.Job {
	j := s.attempt.Job
	j.Attempt = s.attempt.ID
	j.Dir = s.ex.Paths(s.attempt.Sandbox).Source
	j.Limits.TimeoutMillis = s.attempt.Timeout.Milliseconds()
	j.Limits.GraceMillis = stopGrace.Milliseconds()
	return j
}

// overdue kills a sandbox whose agent did not keep the limit or the stop, and takes what it left.
func (s *session) overdue(ctx context.Context) (*wire.Done, Result) {
	if err := s.ex.Kill(ctx, s.attempt.Sandbox); err != nil && !errors.Is(err, ErrNoSandbox) {
		s.log.Warn("killing an overdue sandbox", "error", err)
	}
	if done := s.readSpool(ctx); done != nil {
		return done, Result{}
	}
	if s.stop != nil {
		return nil, Result{Status: s.stop.Status, Reason: s.stop.Reason, Message: s.stop.Message}
	}
	return nil, Result{
		Status: wire.StatusTimedOut, Reason: "timeout",
		Message: fmt.Sprintf("the build took longer than its limit of %s, and its agent did not end it; raise limits.timeout of the project or make the build shorter", s.attempt.Timeout),
	}
}

// lastWords handles a sandbox that ended, or vanished, with nobody attached.
func (s *session) lastWords(ctx context.Context, state SandboxState, gone error) (*wire.Done, Result) {
	if done := s.readSpool(ctx); done != nil {
		return done, Result{}
	}
	switch {
	case s.stop != nil:
		return nil, Result{Status: s.stop.Status, Reason: s.stop.Reason, Message: s.stop.Message}
	case gone != nil:
		return nil, fault("sandbox_lost", "the job's container vanished while it ran: something removed it; retry the build, and look who else cleans up on that engine")
	case state.OOMKilled:
		return nil, fault("oom", "the job's container ran out of memory and was killed by the kernel; raise limits.memory of the project, or let the build use less")
	case state.Error != "":
		return nil, fault("sandbox_lost", "the engine could not run the job's container: "+state.Error)
	}
	return nil, fault("sandbox_lost", fmt.Sprintf("the job's container ended (exit status %d) before the agent could say how the job went: something killed it from outside, or the engine was restarted; retry the build", state.ExitCode))
}

// readSpool takes the frames that nobody was attached for from the spool itself.
func (s *session) readSpool(ctx context.Context) *wire.Done {
	f, err := s.ex.Open(ctx, s.attempt.Sandbox, wire.SpoolFile)
	if err != nil {
		s.log.Info("the spool cannot be read", "error", err)
		return nil
	}
	defer f.Close()
	rd := wire.NewAgentReader(io.LimitReader(f, maxSpool))
	for {
		frame, err := rd.Read()
		if err != nil {
			_ = s.rec.flush(ctx)
			return nil
		}
		done, err := s.rec.take(frame)
		if err != nil {
			s.log.Warn("the spool holds a frame that makes no sense", "error", err)
			continue
		}
		if done != nil || s.rec.full() {
			if err := s.rec.flush(ctx); err != nil {
				s.log.Error("storing what the spool holds", "error", err)
				return nil
			}
		}
		if done != nil {
			return done
		}
	}
}

// maxSpool bounds what is read of a spool, which a hostile job may have made endless.
const maxSpool = 64 << 30
