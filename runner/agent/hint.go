//go:build linux

package agent

import (
	"fmt"
	"strings"

	"github.com/runner-ci/runner/runner/wire"
)

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
	case 124:
		return ": that is how timeout says that its time was up"
	case 132:
		return ": it met an instruction that this processor does not have (ILL); is the program built for this machine?"
	case 134:
		return ": it gave itself up (ABRT), as failed assertions and runtimes without memory do"
	case 137:
		return ": it was killed (KILL), often because memory ran out"
	case 139:
		return ": it crashed (SEGV)"
	case 141:
		return ": who read its output went away (PIPE)"
	case 143:
		return ": it was ended by TERM"
	}
	return ""
}

// hintOf says what to do about failures that show in what a command printed.
func (p *phases) hintOf(printed string) string {
	u := p.shell.user
	switch {
	case !p.job.Privileged && strings.Contains(printed, "annot connect to the Docker daemon"):
		return ": this job has no Docker engine; set privileged-mode to yes (a project must be allowed to), with an image that has dockerd"
	case u.other() && (strings.Contains(strings.ToLower(printed), "permission denied") || strings.Contains(printed, "EACCES")):
		return fmt.Sprintf(": it ran as %s, and files of the source belong to root; give them away in an earlier phase that runs as root (chown -R %s \"$CODEBUILD_SRC_DIR\"), or write elsewhere", u.name, u.name)
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
