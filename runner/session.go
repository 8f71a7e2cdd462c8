package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner/wire"
)

// session is one Run: it owns the attempt from the sandbox's creation, or its adoption, to its result.
type session struct {
	runner  *Runner
	ex      Executor
	attempt Attempt
	events  Events
	log     *slog.Logger

	rec      *recorder
	stop     *StopRequest       // the request to end the attempt, if one came
	over     <-chan StopRequest // the job has more of the disk than it may; nil: nobody measures
	stopped  time.Time
	rereads  int // of a spool that could not be read to its end
	began    time.Time
	patience time.Time       // until when what the job left is asked for again
	notes    []string        // our own lines for the end of the log
	asked    map[uint64]bool // ids of what the agent asked
	restores int             // caches that the job was given
	asks     *requests       // of the connection
	tests    asked           // about tests
	earlies  int             // early reports that were read
	resume   *wire.Resume    // a request to go on, until the agent did
	ours     bool            // the result is our judgement, which the agent did not know of
	decided  bool            // the result stands, whatever becomes of the context

	earlyTold   atomic.Int64 // the number after that of the newest early reports that were read
	earlyMissed atomic.Int64 // the same of those that were waited for in vain
	commanded   atomic.Bool  // a command of the job began

	provisioned bool // by this Run
	sent        bool // by this Run, or it may have been by another
	spooled     bool // the spool was read to its end, and it made sense
}

func (s *session) run(ctx context.Context) Result {
	s.began = time.Now()
	rec, err := newRecorder(s.runner.Artifacts, s.attempt.Log, s.attempt.Job.Limits.LogBytes, s.events)
	if err != nil {
		return s.storeFault(err)
	}
	s.rec = rec
	s.rec.mask = newRemask(s.attempt.secrets())
	s.sent = s.attempt.Sent
	s.rec.preface(s.attempt.Preface)
	defer func() { _ = s.rec.wait() }() // whoever takes the attempt up must find all that was begun
	res, ok := s.provision(ctx)
	if !ok {
		return s.finish(ctx, res)
	}
	over, endWatch := s.watchDisk(ctx)
	s.over = over
	done, res := s.follow(ctx)
	endWatch()
	if done == nil {
		return s.finish(ctx, res)
	}
	failpoint.Pass("6/done-read")
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
		case errors.Is(err, errUnready):
			_ = s.ex.Kill(ctx, s.attempt.Sandbox)
			return nil, *s.attempt.Instead
		case errors.Is(err, errEmpty):
			if res, ok := s.reprovision(ctx); !ok {
				return nil, res
			}
			continue
		case errors.Is(err, errOverdue):
			return s.overdue(ctx)
		case errors.Is(err, errStore):
			_ = s.ex.Kill(ctx, s.attempt.Sandbox)
			return nil, s.storeFault(err)
		case errors.Is(err, errProtocol):
			_ = s.ex.Kill(ctx, s.attempt.Sandbox)
			return nil, passing(fault("agent_error", err.Error()))
		}
		state, ierr := s.ex.Inspect(ctx, s.attempt.Sandbox)
		if errors.Is(ierr, ErrNoSandbox) || (ierr == nil && !state.Running) {
			if s.neverBegan(ctx, state, ierr) {
				if res, ok := s.reprovision(ctx); !ok {
					return nil, res
				}
				continue
			}
			done, res, uerr := s.lastWords(ctx, state, ierr)
			if uerr == nil {
				return done, res
			}
			err = uerr
		}
		s.log.Info("lost the agent's connection, attaching again", "error", err, "inspect", ierr, "in", backoff)
		if s.pause(ctx, backoff, limit.C) {
			return s.overdue(ctx)
		}
		if ctx.Err() != nil {
			return nil, Result{}
		}
		backoff = min(backoff*2, 5*time.Second)
	}
}

// pause waits before the next attach, which passes on a stop that comes meanwhile. It tells whether the time for
// attaching is over.
func (s *session) pause(ctx context.Context, d time.Duration, limit <-chan time.Time) (overdue bool) {
	select {
	case <-time.After(d):
	case req := <-s.attempt.Stop:
		s.stopWith(req)
	case req := <-s.over:
		s.stopWith(req)
	case req, open := <-s.attempt.Resume:
		s.resumeWith(req, open)
	case <-s.stopDeadline():
		return true
	case <-limit:
		return true
	case <-ctx.Done():
	}
	return false
}

// timeLimit is when the daemon stops trusting the agent to keep the time limit itself.
func (s *session) timeLimit() time.Duration {
	if s.attempt.Timeout <= 0 {
		return 1<<63 - 1
	}
	return s.attempt.Timeout + backupLimit + s.reportsTime()
}

// reportsTime is what the agent may need for reports after the end of the job's time.
func (s *session) reportsTime() time.Duration {
	if len(s.attempt.Job.Reports) == 0 {
		return 0
	}
	return reportsBackup
}

var (
	errUnready  = errors.New("the job cannot be sent")
	errEmpty    = errors.New("the warm sandbox was not filled")
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
	s.asks = s.newRequests(ctx, p)
	defer s.asks.close()

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
			p.taken(f)
			if done != nil || err != nil {
				return done, err
			}
		case <-s.rec.due():
			if err := s.rec.settle(ctx); err != nil {
				return nil, err
			}
		case req := <-s.attempt.Stop:
			if err := s.stopNow(p, req); err != nil {
				return nil, err
			}
			stopBackupC = s.stopDeadline()
		case req := <-s.over:
			if err := s.stopNow(p, req); err != nil {
				return nil, err
			}
			stopBackupC = s.stopDeadline()
		case req, open := <-s.attempt.Resume:
			if s.resumeWith(req, open); p.welcomed {
				if err := s.tellAgain(p); err != nil {
					return nil, err
				}
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

// stopWith takes the one request to end the attempt. Nothing further is asked for.
func (s *session) stopWith(req StopRequest) {
	s.attempt.Stop, s.over = nil, nil
	req.Message = s.rec.mask.masker.String(req.Message) // it may name files of the job's
	s.stop, s.stopped = &req, time.Now()
}

// stopNow takes the request, and tells the agent.
func (s *session) stopNow(p *pump, req StopRequest) error {
	s.stopWith(req)
	return p.stop(*s.stop)
}

// overDisk tells whether the job is ended because it had more of the disk than it may.
func (s *session) overDisk() bool { return s.stop != nil && s.stop.Reason == wire.ReasonDisk }

// stopDeadline is when a stop is enforced from outside, whether or not the agent could be told of it.
func (s *session) stopDeadline() <-chan time.Time {
	if s.stop == nil {
		return nil
	}
	return time.After(time.Until(s.stopped.Add(s.stop.grace() + stopBackup + s.reportsTime())))
}

// take handles one frame: the answers to hello here, everything spooled in the recorder.
func (s *session) take(ctx context.Context, p *pump, f wire.Frame, welcome *time.Timer) (*wire.Done, error) {
	switch f.Kind {
	case wire.KindWelcome:
		if p.welcomed {
			return nil, nil // an agent answers one hello once; each other one would cost a commit and the whole job again
		}
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
	if f.Kind == wire.KindAlive {
		s.alive(f)
		return nil, nil
	}
	if f.Kind == wire.KindRequest {
		var q wire.Request
		if wire.Decode(f, &q) != nil {
			return nil, nil // no agent's
		}
		return nil, s.asks.take(q)
	}
	fresh := f.Seq > s.rec.last()
	if f.Kind == wire.KindCommandBegan {
		s.commanded.Store(true)
	}
	done, err := s.rec.take(f)
	if err != nil {
		return nil, err
	}
	if fresh && f.Kind == wire.KindEarly {
		s.early(ctx, f)
	}
	s.resumed(f)
	// What came with the end of a job that left nothing is stored in one commit with the end of its log.
	return done, s.rec.keep(ctx, done != nil && leaves(done))
}

// leaves tells whether a job left something that is to be taken in, during which its last output should be readable.
func leaves(d *wire.Done) bool {
	return d.Artifacts != nil || d.Secondary != nil || d.Reports != nil || d.Cache != nil
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
		if s.attempt.Instead != nil {
			return errUnready
		}
		if s.attempt.Warm && !s.provisioned {
			return errEmpty
		}
		if err := s.events.Sent(ctx); err != nil {
			return fmt.Errorf("%w: %w", errStore, err)
		}
		s.sent = true
		failpoint.Pass("4/sent-committed")
		if err := p.send(s.job()); err != nil {
			return err
		}
	}
	if w.Request != nil {
		if err := s.asks.take(*w.Request); err != nil {
			return err
		}
	}
	return s.tellAgain(p)
}

func (s *session) job() wire.Job {
	j := s.attempt.Job
	j.Attempt = s.attempt.ID
	j.Dir = s.ex.Paths(s.attempt.Sandbox).Source
	j.Limits.TimeoutMillis = s.attempt.Timeout.Milliseconds()
	j.Limits.GraceMillis = stopGrace.Milliseconds()
	return j
}
