package client

import "strings"

// waitWords are the kinds of steps and waits that people call otherwise.
var waitWords = map[string]string{
	StepSubmitted: "trigger", StepStart: "sandbox", StepFinish: "result", StepMany: "earlier",
}

// WaitWord is a kind of step or wait as people say it.
func WaitWord(kind string) string {
	if word := waitWords[kind]; word != "" {
		return word
	}
	return kind
}

// Word is what a step is called: sandbox, slot, or the phase in lower case.
func (s Step) Word() string {
	if s.Kind == StepPhase {
		return strings.ToLower(s.Phase)
	}
	return WaitWord(s.Kind)
}
