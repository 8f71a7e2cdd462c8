//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	cache    *cachePlan // nil without one
	keeps    keeps      // what the job leaves

	failed bool      // a phase failed: CODEBUILD_BUILD_SUCCEEDING is 0 from then on
	result wire.Done // of the first failure
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
//
// Whatever went on, a build with a failed phase has failed. A cache is restored before INSTALL; collect says what is
// taken at the end.
func (p *phases) run(ctx context.Context) wire.Done {
	p.introduce()
	if err := p.restoreCache(ctx); err != nil {
		return p.endedBy(err, wire.PhaseInstall)
	}
	for _, phase := range p.job.Phases {
		ok, err := p.phase(ctx, phase)
		if err != nil {
			return p.endedBy(err, phase.Name)
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

func (p *phases) introduce() {
	p.log.say("CODEBUILD_SRC_DIR=%s", p.job.Dir)
	p.log.say("Phases found in YAML: %d", len(p.job.Phases))
	for _, phase := range p.job.Phases {
		p.log.say(" %s: %d commands", phase.Name, len(phase.Commands)+len(phase.Finally))
	}
}

// phase runs one phase: its commands up to the first that fails, then all of finally. An error means that the
// job cannot go on at all.
func (p *phases) phase(ctx context.Context, phase wire.Phase) (ok bool, err error) {
	end := p.begin(phase.Name)
	failure, code, err := p.selectRuntimes(ctx, phase.Name)
	if err != nil {
		end(statusOf(err), statusCode(err), p.log.masker.String(err.Error()))
		return false, err
	}
	for i, text := range append(phase.Commands[:len(phase.Commands):len(phase.Commands)], phase.Finally...) {
		finally := i >= len(phase.Commands)
		if failure != "" && !finally {
			continue
		}
		exit, err := p.command(ctx, wire.CommandBegan{Phase: phase.Name, Index: i, Finally: finally, Text: text})
		if err != nil {
			end(statusOf(err), statusCode(err), p.log.masker.String(err.Error()))
			return false, err
		}
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

// begin tells that a phase began, and returns what tells that it ended.
func (p *phases) begin(name string) (end func(status wire.Status, code, message string)) {
	start := time.Now()
	p.spool.add(wire.PhaseBegan{Phase: name, At: start.UnixNano()})
	p.log.say("Entering phase %s", name)
	return func(status wire.Status, code, message string) {
		p.log.say("Phase complete: %s State: %s", name, status)
		p.log.say("Phase context status code: %s Message: %s", code, message)
		p.spool.add(wire.PhaseEnded{
			Phase: name, Status: status, Code: code, Message: cut(message),
			Millis: time.Since(start).Milliseconds(), At: time.Now().UnixNano(),
		})
	}
}

// command runs one command and returns its exit status.
func (p *phases) command(ctx context.Context, c wire.CommandBegan) (int, error) {
	text := c.Text
	c.Text = cut(p.log.masker.String(text))
	p.spool.add(c)
	p.log.say("Running command %s", text)
	start := time.Now()
	exit, err := p.shell.run(ctx, text, !p.failed)
	if err != nil {
		return 0, err
	}
	p.out.settle()
	p.spool.add(wire.CommandEnded{Phase: c.Phase, Index: c.Index, Exit: exit, Millis: time.Since(start).Milliseconds()})
	return exit, nil
}

// failedCommand records a command's failure and returns the phase's message.
func (p *phases) failedCommand(phase, text string, exit int) string {
	p.log.say("Command did not exit successfully %s exit status %d", text, exit)
	shown := cut(p.log.masker.String(text))
	p.fail(wire.Done{
		Reason: "command_failed", Phase: phase, Exit: exit,
		Message: fmt.Sprintf("in %s the command %s ended with exit status %d%s", phase, oneLine(shown), exit, hint(exit, p.shell.name)),
	})
	return fmt.Sprintf("Error while executing command: %s. Reason: exit status %d", shown, exit)
}

// fail remembers a failure. The first one is the result.
func (p *phases) fail(result wire.Done) {
	if !p.failed {
		result.Status = wire.StatusFailed
		p.failed, p.result = true, result
	}
}

// hint says what to do about the exit statuses that have a meaning of their own.
func hint(exit int, shell string) string {
	switch exit {
	case 126:
		return ": something is there but cannot be executed; check its mode (chmod +x) and its first line"
	case 127:
		advice := ": a program was not found in the image; install it in the install phase, or choose another image"
		if shell == "bash" {
			return advice
		}
		return fmt.Sprintf("%s (the shell is %s: for [[ and arrays set env.shell to bash)", advice, shell)
	case 137:
		return ": it was killed (KILL), often because memory ran out"
	case 139:
		return ": it crashed (SEGV)"
	case 143:
		return ": it was ended by TERM"
	}
	return ""
}

// oneLine shortens a command of many lines to its first.
func oneLine(text string) string {
	first, rest, more := strings.Cut(strings.TrimSpace(text), "\n")
	if more && strings.TrimSpace(rest) != "" {
		return first + " …"
	}
	return first
}

// cut bounds a text that a frame repeats, without splitting a character.
func cut(text string) string {
	if len(text) <= wire.MaxCommandText {
		return text
	}
	return strings.ToValidUTF8(text[:wire.MaxCommandText], "")
}

// endedBy makes the result of a job that could not go on: stopped, out of time, or for a fault.
func (p *phases) endedBy(err error, phase string) wire.Done {
	var why *ending
	if errors.As(err, &why) {
		p.log.say("%s", why.message)
		return wire.Done{Status: why.status, Reason: why.reason, Message: why.message, Phase: phase}
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
