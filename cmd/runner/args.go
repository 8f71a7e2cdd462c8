package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// needs makes a command take the arguments that its Use line names: those in brackets may be missing, and the last may be
// there several times where dots follow it.
func needs(cmd *cobra.Command, args []string) error {
	_, words, _ := strings.Cut(cmd.Use, " ")
	names := strings.Fields(words)
	required := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return strings.HasPrefix(name, "[") })
	switch {
	case len(args) < len(required):
		return fmt.Errorf("%s is missing: %s %s", required[len(args)], cmd.CommandPath(), words)
	case len(args) > len(names) && !repeats(cmd):
		return fmt.Errorf("%q is one argument too many: %s", args[len(names)], strings.TrimSpace(cmd.CommandPath()+" "+words))
	}
	return nil
}

// repeats tells whether the last argument of a command may be there several times: "caches rm [ID…]".
func repeats(cmd *cobra.Command) bool {
	return !strings.Contains(cmd.Use, foreignCommand) && (strings.Contains(cmd.Use, "…") || strings.HasSuffix(cmd.Use, "..."))
}

// foreignCommand stands in a Use line before a command that is run elsewhere: "shell BUILD [-- COMMAND...]".
const foreignCommand = "[--"

// useLine is how a command is called. Its own flags stand before a command that is run elsewhere.
func useLine(cmd *cobra.Command) string {
	line, flags := strings.TrimSuffix(cmd.UseLine(), " [flags]"), " [flags]"
	if at := strings.Index(line, " "+foreignCommand); at >= 0 {
		return line[:at] + flags + line[at:]
	}
	return line + flags
}

// jobFlag adds --job to a command that takes the job as its second argument, too: the same flag for the same thing.
func jobFlag(cmd *cobra.Command, job *string) {
	cmd.Flags().StringVar(job, "job", "", "the `JOB`, by its id; the same as the second argument")
}

// jobArg is the job that a command was given: by the flag, or as its second argument.
func jobArg(cmd *cobra.Command, flag string, args []string) (string, error) {
	switch {
	case len(args) < 2:
		return flag, nil
	case flag != "" && flag != args[1]:
		return "", usage(cmd, errors.New("two jobs are named; name one, as an argument or with --job"))
	}
	return args[1], nil
}

// first is the first argument, or nothing.
func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
