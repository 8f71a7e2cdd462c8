package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/runner-ci/runner/terminal"
)

// flagRow is a flag as help and manual show it.
type flagRow struct {
	short string // "f"; most flags have none
	name  string
	word  string // what its value is called: "PROJECT"; empty for one without a value
	usage string
}

// valueWords are what values are called where neither the flag's text nor its name says it well.
var valueWords = map[string]string{
	"network-untrusted": "NETWORK", "green-from": "WHO", "limit": "N", "depth": "N", "shards": "N", "slots": "N", "priority": "N",
	"max-jobs": "N", "concurrency-limit": "N", "jobs": "N", "pids": "N", "files": "N", "cpus": "N", "attempt": "N", "offset": "BYTE",
	"memory": "SIZE", "disk": "SIZE", "log": "SIZE", "cache": "SIZE", "reports": "SIZE", "timeout": "TIME", "queue-timeout": "TIME", "poll": "TIME",
	"since": "TIME", "green-age": "TIME", "out": "DIR", "artifacts": "SIZE", "listen": "ADDRESS", "username": "NAME", "cancel-superseded": "BOOL", "skip-words": "SWITCH",
	"green-before-push": "WHICH", "retry-faults": "WHICH", "approval": "WHICH", "paths-ignore": "PATHS", "protected": "REFS", "pull": "WHEN",
	"visibility": "WHO", "comment": "WHEN", "webhook": "HOW", "concurrency-group": "GROUP", "status-context": "NAME", "file": "FILE",
	"buildspec": "FILE", "config": "FILE", "commit": "ID", "docker-host": "URL", "zip": "FILE", "tar": "FILE", "until": "DAY",
}

// flagRows are the flags of a command, its own before those that all commands have.
func flagRows(cmd *cobra.Command) (rows []flagRow) {
	for _, set := range []*pflag.FlagSet{cmd.LocalNonPersistentFlags(), cmd.PersistentFlags(), cmd.InheritedFlags()} {
		set.VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && !slices.ContainsFunc(rows, func(r flagRow) bool { return r.name == f.Name }) {
				rows = append(rows, rowOf(f))
			}
		})
	}
	return rows
}

func rowOf(f *pflag.Flag) flagRow {
	word, usage := pflag.UnquoteUsage(f)
	switch {
	case f.Value.Type() == "bool":
		word = ""
	case word != strings.ToUpper(word) || word == "": // the name of a type
		if word = valueWords[f.Name]; word == "" {
			word = strings.ToUpper(f.Name[strings.LastIndexByte(f.Name, '-')+1:])
		}
	}
	if !strings.Contains(usage, "(default") && slices.Contains([]string{"int", "float64", "string"}, f.Value.Type()) && f.DefValue != "" && f.DefValue != "0" {
		usage += fmt.Sprintf(" (default %s)", f.DefValue)
	}
	return flagRow{f.Shorthand, f.Name, word, usage}
}

// spelled is how the flag is written: "--project PROJECT".
func (r flagRow) spelled() string {
	return strings.TrimSpace("--" + r.name + " " + r.word)
}

// flagUsages are the lines of a command's help that tell of its flags.
func flagUsages(cmd *cobra.Command) string {
	rows := flagRows(cmd)
	width := 0
	for _, r := range rows {
		if n := len(r.spelled()); n <= widestFlag {
			width = max(width, n)
		}
	}
	lines := make([]string, len(rows))
	for i, r := range rows {
		short := "    "
		if r.short != "" {
			short = "-" + r.short + ", "
		}
		spelled := r.spelled()
		if len(spelled) > widestFlag { // what it does stands below it
			lines[i] = fmt.Sprintf("  %s%s\n      %*s   %s", short, spelled, width, "", r.usage)
			continue
		}
		lines[i] = fmt.Sprintf("  %s%-*s   %s", short, width, spelled, r.usage)
	}
	return strings.Join(lines, "\n")
}

// widestFlag is the width of the column of flags, in columns of a terminal, at most.
const widestFlag = 30

// environment tells of the variables that a command heeds.
func environment(cmd *cobra.Command) string {
	own := cmd.Annotations["environment"]
	if own == "" {
		return ""
	}
	return own + "\nNO_COLOR        when set, nothing is coloured\nCLICOLOR_FORCE  when set and not 0, results are coloured in a pipe, too"
}

// colorFlag adds --color to all commands.
func (a *app) colorFlag(root *cobra.Command) {
	choices := strings.Join(terminal.Colors, ", ")
	root.PersistentFlags().StringVar(&a.color, "color", string(terminal.ColorAuto), "when results are coloured: `WHEN` is "+choices)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if !slices.Contains(terminal.Colors, a.color) {
			return usage(cmd, fmt.Errorf("--color %q is not known; there are %s", a.color, choices))
		}
		return nil
	}
}
