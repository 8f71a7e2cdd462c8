//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// phases runs the phases of one job and remembers what decided its result.
type phases struct {
	job   *wire.Job
	spool *spool
	log   *joblog
	out   *output
	shell *shell

	requests *requests
	cache    *cachePlan    // nil without one
	keeps    keeps         // what the job leaves
	work     time.Duration // of the phases that have ended

	patching *patching // nil: no files come back as a patch

	failed bool      // a phase failed: CODEBUILD_BUILD_SUCCEEDING is 0 from then on
	result wire.Done // of the first failure

	breaks  *breakpoints // nil: the build holds at none
	resumes <-chan wire.Resume
	shards  *shardCalls // nil: no tests come from the daemon
	early   *early
	engine  *engine // nil: the job gets none of its own
	failure failure // of the phase that failed last
	packing string  // the reason of the result if an artifact cannot be packed

	unstrained, strained strain // before the first command, and what the newest one added to it
}

// CodeBuild's codes in a phase's context.
const (
	codeCommand = "COMMAND_EXECUTION_ERROR"
	codeClient  = "CLIENT_ERROR"
	codeAgent   = "AGENT_ERROR" // ours: the agent itself could not go on
)

// ending is why a job ends before its time: somebody stopped it, or its time was up. It is the cause of the
// job's context.
type ending struct {
	status  wire.Status
	reason  string
	message string
	grace   time.Duration
	hurry   bool // the sandbox itself is about to go
}

func (e *ending) Error() string { return e.message }

// run runs the phases in the order that CodeBuild has:
//
//	INSTALL fails             the build ends
//	PRE_BUILD fails           the build ends
//	BUILD fails               POST_BUILD and UPLOAD_ARTIFACTS still run
//	POST_BUILD fails          UPLOAD_ARTIFACTS still runs
//	on-failure: ABORT         the build ends there, nothing is uploaded
//	on-failure: CONTINUE      the next phase runs
//	on-failure: RETRY         the build ends there and is tried again, unless that was done often enough, or something
//	                          else failed; then the first four lines hold
//
// Whatever went on, a build with a failed phase has failed. A cache is restored before INSTALL; collect says what is
// taken at the end.
func (p *phases) run(ctx context.Context) wire.Done {
	p.introduce()
	p.early.begin()
	defer p.early.close()
	err := p.startEngine(ctx)
	if err == nil {
		err = p.restoreCache(ctx)
	}
	if err != nil {
		return p.endedBy(err, wire.PhaseInstall)
	}
	for _, phase := range p.job.Phases {
		ok, err := p.phase(ctx, phase)
		if err != nil {
			return p.endedBy(err, phase.Name)
		}
		if !ok && p.wantsRetry(phase) {
			return p.retry(phase, p.collect(ctx, false))
		}
		if !ok && endsBuild(phase) {
			return p.collect(ctx, false)
		}
	}
	return p.collect(ctx, true)
}

func endsBuild(phase wire.Phase) bool {
	switch phase.OnFailure {
	case "ABORT":
		return true
	case "CONTINUE":
		return false
	}
	return phase.Name == wire.PhaseInstall || phase.Name == wire.PhasePreBuild
}

// phase runs one phase: its commands up to the first that fails, then all of finally. An error means that the
// job cannot go on at all.
func (p *phases) phase(ctx context.Context, phase wire.Phase) (ok bool, err error) {
	end := p.begin(phase.Name)
	failure, code, err := p.selectRuntimes(ctx, phase.Name)
	if err != nil {
		return false, p.broken(end, err)
	}
	if err := p.runAs(ctx, phase); err != nil {
		return p.cannotRunAs(err, phase.Name, end)
	}
	for i, text := range append(phase.Commands[:len(phase.Commands):len(phase.Commands)], phase.Finally...) {
		finally := i >= len(phase.Commands)
		if failure != "" && !finally {
			continue
		}
		exit, err := p.command(ctx, wire.CommandBegan{Phase: phase.Name, Index: i, Finally: finally, Text: text, At: time.Now().UnixNano()})
		if err != nil {
			return false, p.broken(end, err)
		}
		p.lookEarly(ctx, phase, i)
		if exit != 0 && failure == "" {
			code, failure = codeCommand, p.failedCommand(phase.Name, text, exit)
		}
	}
	if failure != "" {
		end(wire.StatusFailed, code, failure)
		return false, nil
	}
	end(wire.StatusSucceeded, "", "")
	return true, nil
}

// endPhase tells how a phase ended, with the code and the message of CodeBuild's phase context.
type endPhase func(status wire.Status, code, message string)

// begin tells that a phase began, and returns what tells that it ended.
func (p *phases) begin(name string) (end endPhase) {
	start := time.Now()
	p.breaks.enter(name)
	p.spool.add(wire.PhaseBegan{Phase: name, At: start.UnixNano()})
	p.log.say("Entering phase %s", name)
	return func(status wire.Status, code, message string) {
		p.work += time.Since(start)
		p.log.say("Phase complete: %s State: %s", name, status)
		p.log.say("Phase context status code: %s Message: %s", code, message)
		p.spool.add(wire.PhaseEnded{
			Phase: name, Status: status, Code: code, Message: cut(message),
			Millis: time.Since(start).Milliseconds(), At: time.Now().UnixNano(),
		})
	}
}

// broken ends a phase with which the job cannot go on, and returns why.
func (p *phases) broken(end endPhase, err error) error {
	end(statusOf(err), statusCode(err), p.log.masker.String(err.Error()))
	return err
}

// command runs one command and returns its exit status.
func (p *phases) command(ctx context.Context, c wire.CommandBegan) (int, error) {
	text := c.Text
	c.Text = cut(p.log.masker.String(text))
	p.spool.add(c)
	p.shards.enter(c.Phase, c.Index)
	p.log.say("Running command %s", text)
	p.log.forgetPrinted()
	start, before := time.Now(), sandboxStrain()
	exit, err := p.shell.run(ctx, text, !p.failed)
	if err != nil {
		return 0, err
	}
	p.strained = sandboxStrain().since(before)
	p.out.settle()
	p.spool.add(wire.CommandEnded{Phase: c.Phase, Index: c.Index, Exit: exit, Millis: time.Since(start).Milliseconds()})
	return exit, nil
}

// failedCommand records a command's failure and returns the phase's message.
func (p *phases) failedCommand(phase, text string, exit int) string {
	p.log.say("Command did not exit successfully %s exit status %d", text, exit)
	shown := cut(p.log.masker.String(text))
	printed := p.log.lastPrinted()
	reason, why := "command_failed", hint(exit, p.shell.name)
	limit, advice := p.metLimit(exit)
	if limit != "" {
		reason, why = limit, "; "+advice
		p.log.say("%s", advice)
	}
	result := wire.Done{
		Reason: reason, Phase: phase, Exit: exit, Command: shown,
		Message: fmt.Sprintf("in %s the command %s ended with exit status %d%s%s", phase, oneLine(shown), exit, why, p.hintOf(printed)),
	}
	p.fail(result)
	message := fmt.Sprintf("Error while executing command: %s. Reason: exit status %d", shown, exit)
	p.failure = failure{result: result, message: message, printed: printed}
	return message
}

// fail remembers a failure. The first one is the result.
func (p *phases) fail(result wire.Done) {
	if !p.failed {
		result.Status = wire.StatusFailed
		p.failed, p.result = true, result
	}
}

// endedBy makes the result of a job that could not go on: stopped, out of time, or for a fault.
func (p *phases) endedBy(err error, phase string) wire.Done {
	var why *ending
	if errors.As(err, &why) {
		p.log.say("%s", why.message)
		return wire.Done{Status: why.status, Reason: why.reason, Message: "in " + phase + ": " + why.message, Phase: phase}
	}
	if p.outOfProcesses(err) {
		done := endedByProcesses(phase)
		p.log.say("%s", done.Message)
		return done
	}
	return wire.Done{
		Status: wire.StatusFault, Reason: "agent_error", Phase: phase,
		Message: p.log.masker.String("the agent could not go on: " + err.Error() + "; see that the sandbox's disk is not full"),
	}
}

func statusOf(err error) wire.Status {
	var why *ending
	if errors.As(err, &why) {
		return why.status
	}
	return wire.StatusFault
}

func statusCode(err error) string {
	var why *ending
	if errors.As(err, &why) {
		return ""
	}
	return codeAgent
}
