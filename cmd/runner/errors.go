package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/buildspec/tree"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
)

// Exit statuses: see also the EXIT STATUS section of each command's help.
const (
	statusOK          = 0
	statusFailed      = 1 // the user's build, or the thing that was checked
	statusTrouble     = 2 // ours, the machine's, or how we were called
	statusInterrupted = 130
)

// statusError ends the process with a status when everything has been said already.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// hintedError is an error with what to do about it.
type hintedError struct {
	err  error
	hint string
}

func (e *hintedError) Error() string { return e.err.Error() }
func (e *hintedError) Unwrap() error { return e.err }

// hinted adds what to do to an error.
func hinted(err error, format string, args ...any) error {
	return &hintedError{err, fmt.Sprintf(format, args...)}
}

// usage is an error of how a command was called.
func usage(cmd *cobra.Command, err error) error {
	return hinted(err, "see %s --help", cmd.CommandPath())
}

// exit prints an error and returns the process's exit status.
func (a *app) exit(err error) int {
	var status statusError
	switch {
	case err == nil:
		return statusOK
	case errors.As(err, &status):
		return int(status)
	case errors.Is(err, context.Canceled):
		return statusInterrupted
	}
	fmt.Fprint(a.err, a.describe(err))
	return statusTrouble
}

// describe is an error as it is printed: problems in a file as a compiler prints them, others with a hint.
func (a *app) describe(err error) string {
	var settings config.Problems
	var spec *buildspec.Error
	switch {
	case errors.As(err, &settings):
		return settings.Error() + "\n"
	case errors.As(err, &spec):
		return spec.Error() + "\n"
	}
	text := "error: " + strings.TrimSpace(err.Error()) + "\n"
	if hint := hintOf(err); hint != "" {
		text += "hint: " + hint + "\n"
	}
	return text
}

// hintOf finds what to do about an error.
func hintOf(err error) string {
	var own *hintedError
	if errors.As(err, &own) {
		return own.hint
	}
	var answer *client.Error
	if errors.As(err, &answer) {
		switch {
		case answer.Hint == "" && answer.Status == 401:
			return "give the daemon's token: runner login, or RUNNER_TOKEN"
		case answer.Hint == "" && answer.Status == 404:
			return "see what there is: runner ls, runner project ls, runner triggers"
		}
		return answer.Hint
	}
	var unread *tree.Error
	if errors.As(err, &unread) {
		return unread.Hint
	}
	var gone *client.UnreachableError
	if errors.As(err, &gone) {
		return gone.Hint
	}
	if errors.Is(err, os.ErrPermission) {
		return "run it as a user who may, or choose another place"
	}
	return ""
}
