package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/buildspec/tree"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/terminal"
)

// The formats of validate and plan.
const (
	formatText    = "text"
	formatJSON    = "json"
	formatSARIF   = "sarif"
	formatGitHub  = "github"
	formatMermaid = "mermaid"
)

var (
	validateFormats = []string{formatText, formatJSON, formatSARIF, formatGitHub}
	planFormats     = []string{formatText, formatJSON, formatMermaid}
)

func newValidate(a *app) *cobra.Command {
	var settings bool
	var format string
	cmd := &cobra.Command{
		Use:   "validate [FILE]...",
		Short: "Check buildspecs, or a runner.yml, and name each mistake with its line",
		Long: "Checks buildspec.yml, or the FILEs given, without running anything: every mistake is named with line and column,\n" +
			"what was found, what was expected, and the fix. Each file is judged alone; other files that a batch names are not\n" +
			"read (runner plan reads them). FILE - is standard input. A file called runner.yml is checked as the daemon's\n" +
			"configuration, and .runner/quarantine.yml as the tests whose failures do not count. Where no FILE is given, that one is\n" +
			"checked too, if it is here.",
		Example: "  runner validate\n  runner validate buildspec.yml ci/*.yml\n  git show HEAD:buildspec.yml | runner validate -\n" +
			"  runner validate --format sarif >buildspec.sarif    # for GitHub's code scanning\n" +
			"  runner validate --config /etc/runner/ci.yml",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, files []string) error {
			if err := a.chooseFormat(cmd, &format, validateFormats); err != nil {
				return err
			}
			if len(files) == 0 {
				files = unnamed(config.DefaultBuildspec)
			}
			if i := slices.Index(files, tree.Stdin); i >= 0 && slices.Contains(files[i+1:], tree.Stdin) {
				return usage(cmd, errors.New("standard input is named twice, and can be read once"))
			}
			verdicts := make([]tree.Verdict, len(files))
			for i, file := range files {
				verdicts[i] = a.judge(file, settings)
			}
			return a.tell(format, verdicts)
		},
	}
	cmd.Flags().BoolVar(&settings, "config", false, "the FILEs are configurations of the daemon, whatever their names")
	a.formatFlag(cmd, &format, validateFormats, "text, json, sarif, or github: workflow commands that annotate the lines")
	return exits(cmd, "0    every file is valid; there may be warnings", "1    a file is not", "2    trouble: a file cannot be read, wrong usage")
}

// formatFlag adds --format, whose values shells complete, and --json, which is short for one of them.
func (a *app) formatFlag(cmd *cobra.Command, format *string, known []string, help string) {
	cmd.Flags().StringVar(format, "format", formatText, help)
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(known, cobra.ShellCompDirectiveNoFileComp)) // fails for a flag that is not there
	cmd.Flags().BoolVar(&a.json, "json", false, "the same as --format json")
}

func (a *app) chooseFormat(cmd *cobra.Command, format *string, known []string) error {
	if a.json {
		if cmd.Flags().Changed("format") && *format != formatJSON {
			return usage(cmd, fmt.Errorf("--json and --format %s exclude each other", *format))
		}
		*format = formatJSON
	}
	a.json = *format == formatJSON
	if !slices.Contains(known, *format) {
		return usage(cmd, fmt.Errorf("--format %q is not known; there are %s", *format, strings.Join(known, ", ")))
	}
	return nil
}

func (a *app) judge(file string, settings bool) tree.Verdict {
	if base := filepath.Base(file); settings || base == "runner.yml" || base == "runner.yaml" {
		return judgeSettings(file)
	}
	if isQuarantine(file) {
		return judgeQuarantine(file, time.Now())
	}
	return tree.Judge(file, a.in)
}

// judgeSettings judges a configuration of the daemon.
func judgeSettings(file string) tree.Verdict {
	v := tree.Place(file, tree.KindConfiguration)
	if file == tree.Stdin {
		return v.Fail(hinted(errors.New("a configuration is not read from standard input"), "name its file: runner validate --config FILE"))
	}
	_, err := config.Load(file)
	var wrong config.Problems
	switch {
	case err == nil:
		v.Valid = true
	case !errors.As(err, &wrong):
		return v.Fail(err)
	}
	for _, p := range wrong {
		v.Problems = append(v.Problems, buildspec.Problem{
			File: p.File, Line: p.Line, Column: p.Column, Severity: buildspec.SeverityError,
			Message: p.Message, Hint: p.Hint, Excerpt: p.Excerpt,
		})
	}
	return v
}

// tell prints what was found. The exit status says whether the files are valid.
func (a *app) tell(format string, verdicts []tree.Verdict) error {
	var err error
	switch format {
	case formatJSON:
		err = terminal.VerdictsJSON(a.out, verdicts)
	case formatSARIF:
		err = terminal.SARIF(a.out, release(), verdicts)
	case formatGitHub:
		terminal.Annotations(a.view(), verdicts)
	default:
		terminal.Verdicts(a.view(), verdicts)
	}
	if err != nil {
		return err
	}
	return a.judged(verdicts...)
}

// judged tells of the files that could not be judged, and returns the exit status of a judgement.
func (a *app) judged(verdicts ...tree.Verdict) error {
	status := statusOK
	for _, v := range verdicts {
		switch {
		case v.Err != nil:
			fmt.Fprint(a.err, a.describe(v.Err))
			status = statusTrouble
		case !v.Valid && status == statusOK:
			status = statusFailed
		}
	}
	if status == statusOK {
		return nil
	}
	return statusError(status)
}
