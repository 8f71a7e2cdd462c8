package runner

import (
	"context"
	"errors"
	"fmt"

	"github.com/runner-ci/runner/runner/wire"
)

// overdue kills a sandbox whose agent did not keep the limit or the stop, and takes what it left.
func (s *session) overdue(ctx context.Context) (*wire.Done, Result) {
	killing := s.ex.Kill(ctx, s.attempt.Sandbox)
	if killing != nil && !errors.Is(killing, ErrNoSandbox) {
		s.log.Warn("killing an overdue sandbox", "error", killing)
	}
	done, reading := s.readSpool(ctx)
	switch {
	case done != nil:
		return done, Result{}
	case errors.Is(reading, errStore):
		return nil, s.storeFault(reading)
	case s.stop != nil:
		return nil, s.stopResult()
	case unavailable(killing):
		return nil, s.unknownEnd(killing)
	case reading != nil:
		return nil, s.unknownEnd(reading)
	}
	return nil, Result{
		Status: wire.StatusTimedOut, Reason: "timeout",
		Message: fmt.Sprintf("the build took longer than its limit of %s, and its agent did not end it; raise limits.timeout of the project or make the build shorter", s.attempt.Timeout),
	}
}

func (s *session) stopResult() Result {
	return Result{Status: s.stop.Status, Reason: s.stop.Reason, Message: s.stop.Message}
}

// unknownEnd is the result of a job whose own cannot be had before its time is over.
func (s *session) unknownEnd(err error) Result {
	if unavailable(err) {
		return passing(fault("engine_unavailable", fmt.Sprintf("how the job ended is not known: %v; start the engine (systemctl start docker) and retry the build", err)))
	}
	return passing(fault("spool_unreadable", fmt.Sprintf("how the job ended is not known: %v; look at the disk below the daemon's data directory and retry the build", err)))
}

// maxRereads bounds how often a spool is read that ends with an error while its engine answers.
const maxRereads = 8

// lastWords handles a sandbox that ended, or vanished, with nobody attached. An error means that its spool cannot be
// read now: the result may be in it, so the caller tries again.
func (s *session) lastWords(ctx context.Context, state SandboxState, gone error) (*wire.Done, Result, error) {
	done, err := s.readSpool(ctx)
	switch {
	case done != nil:
		return done, Result{}, nil
	case errors.Is(err, errStore):
		return nil, s.storeFault(err), nil
	case err != nil && (unavailable(err) || s.rereads < maxRereads):
		s.rereads++
		return nil, Result{}, err
	case s.stop != nil:
		return nil, s.stopResult(), nil
	case err != nil:
		return nil, s.unknownEnd(err), nil
	}
	return nil, vanished(state, gone), nil
}

// vanished is the result of a sandbox that ended without a result in its spool. That the job used up its memory is its
// own doing; every other end came from outside.
func vanished(state SandboxState, gone error) Result {
	switch {
	case gone != nil:
		return passing(fault("sandbox_lost", "the job's container vanished while it ran: something removed it; look who else cleans up on that engine"))
	case state.OOMKilled:
		return Result{
			Status: wire.StatusFailed, Reason: "oom",
			Message: "the job's container ran out of memory and was killed by the kernel; raise limits.memory of the project, or let the build use less",
		}
	case state.Error != "":
		return passing(fault("sandbox_lost", "the engine could not run the job's container: "+state.Error))
	}
	return passing(fault("agent_killed", fmt.Sprintf("the job's container ended (exit status %d) before its agent could say how the job went: something killed it from outside, or the engine or its machine was restarted", state.ExitCode)))
}

// begun tells whether a command of the job began, or may have: what nobody can tell counts as begun, since a lost deploy
// may have happened. The agent spools that a command begins before it begins.
func (s *session) begun() bool {
	if s.attempt.Begun || s.rec != nil && s.rec.began {
		return true
	}
	return s.sent && (!s.spooled || s.rec.gap > 0)
}
