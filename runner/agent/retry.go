//go:build linux

package agent

import (
	"fmt"
	"regexp"

	"github.com/runner-ci/runner/runner/wire"
)

// failure is what is known of the command that failed a phase.
type failure struct {
	result  wire.Done
	message string // of the phase's context
	printed string // the end of what it printed
}

// wantsRetry tells whether a phase that failed asks for another attempt at the whole job: not more often than it may,
// and only when its pattern is found in the phase's message or in what the command printed last. A phase whose user
// is missing fails the same way again, and is not tried again.
func (p *phases) wantsRetry(phase wire.Phase) bool {
	r := phase.Retry
	if phase.OnFailure != "RETRY" || p.job.Retries >= r.Count || p.failure.result.Phase != phase.Name {
		return false
	}
	pattern, err := regexp.Compile(r.Pattern)
	if err != nil {
		return false // check has refused it
	}
	return pattern.MatchString(p.failure.message) || pattern.MatchString(p.failure.printed)
}

// retry ends this attempt, of which nothing is left but reports. Nothing is uploaded: the next one does.
func (p *phases) retry(phase wire.Phase, left wire.Done) wire.Done {
	if left.Status != wire.StatusFailed {
		return left // stopped meanwhile
	}
	again := fmt.Sprintf("the build is tried again, retry %d of %d", p.job.Retries+1, phase.Retry.Count)
	p.log.say("on-failure of %s is RETRY: %s", phase.Name, again)
	done := p.failure.result
	done.Status, done.Retry = wire.StatusFailed, true
	done.Message += "; " + again
	done.Reports, done.Exported = left.Reports, left.Exported
	return done
}

// checkOnFailure refuses what no phase can ask for.
func checkOnFailure(phase wire.Phase) error {
	switch phase.OnFailure {
	case "", "ABORT", "CONTINUE":
		return nil
	case "RETRY":
		if phase.Retry == nil {
			return fmt.Errorf("phase %s has on-failure RETRY, but not how often and for what", phase.Name)
		}
		if _, err := regexp.Compile(phase.Retry.Pattern); err != nil {
			return fmt.Errorf("phase %s has on-failure RETRY with the pattern %q, which is no RE2 expression: %w", phase.Name, phase.Retry.Pattern, err)
		}
		return nil
	}
	return fmt.Errorf("phase %s has on-failure %q, expected ABORT, CONTINUE or RETRY", phase.Name, phase.OnFailure)
}
