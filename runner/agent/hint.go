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
