package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/terminal"
)

// maxBuildspec bounds a file that validate reads, in bytes; what is larger was named by mistake.
const maxBuildspec = 16 << 20

// verdict is what --json prints of a file.
type verdict struct {
	File     string              `json:"file"`
	Valid    bool                `json:"valid"`
	Jobs     []string            `json:"jobs,omitempty"` // names, of a buildspec
	Problems []buildspec.Problem `json:"problems"`
}

func newValidate(a *app) *cobra.Command {
	var settings bool
	cmd := &cobra.Command{
		Use:   "validate [FILE]",
		Short: "Check a buildspec, or a runner.yml, and name each mistake with its line",
		Long: "Checks buildspec.yml, or the FILE given, without running anything: every mistake is named with line and column,\n" +
			"what was found, what was expected, and the fix. A file called runner.yml is checked as the daemon's configuration.",
		Example: "  runner validate\n  runner validate ci/buildspec.yml --json\n  runner validate --config /etc/runner/ci.yml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			file := config.DefaultBuildspec
			if len(args) == 1 {
				file = args[0]
			}
			check := checkBuildspec
			if base := filepath.Base(file); settings || base == "runner.yml" || base == "runner.yaml" {
				check = checkSettings
			}
			v, err := check(file)
			if err != nil {
				return err
			}
			return a.tell(v)
		},
	}
	cmd.Flags().BoolVar(&settings, "config", false, "FILE is a configuration of the daemon, whatever its name")
	a.jsonFlag(cmd)
	return exits(cmd, "0    the file is valid; there may be warnings", "1    it is not", "2    trouble: the file cannot be read, wrong usage")
}

func checkBuildspec(file string) (verdict, error) {
	v := verdict{File: file}
	text, err := readSpec(file)
	if err != nil {
		return v, err
	}
	spec, err := buildspec.Parse(file, text)
	if err == nil {
		var plan *buildspec.Plan
		if plan, err = spec.Plan(buildspec.Options{}); err == nil {
			v.Valid, v.Problems = true, plan.Warnings
			for _, job := range plan.Jobs {
				v.Jobs = append(v.Jobs, job.Name)
			}
			return v, nil
		}
	}
	var wrong *buildspec.Error
	if !errors.As(err, &wrong) {
		return v, err
	}
	v.Problems = wrong.Problems
	return v, nil
}

func readSpec(file string) ([]byte, error) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, hinted(fmt.Errorf("there is no file %s", file), "name it: runner validate FILE")
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, hinted(fmt.Errorf("%s is a directory", file), "name the file in it: runner validate %s", filepath.Join(file, config.DefaultBuildspec))
	case info.Size() > maxBuildspec:
		return nil, fmt.Errorf("%s has %s; that is no buildspec", file, terminal.Size(info.Size()))
	}
	return os.ReadFile(file)
}

func checkSettings(file string) (verdict, error) {
	v := verdict{File: file}
	_, err := config.Load(file)
	var wrong config.Problems
	switch {
	case err == nil:
		v.Valid = true
	case !errors.As(err, &wrong):
		return v, err
	}
	for _, p := range wrong {
		v.Problems = append(v.Problems, buildspec.Problem{
			File: p.File, Line: p.Line, Column: p.Column, Severity: buildspec.SeverityError,
			Message: p.Message, Hint: p.Hint, Excerpt: p.Excerpt,
		})
	}
	return v, nil
}

// tell prints what was found. The exit status says whether the file is valid.
func (a *app) tell(v verdict) error {
	if v.Problems == nil {
		v.Problems = []buildspec.Problem{}
	}
	if a.json {
		if err := terminal.JSON(a.out, v); err != nil {
			return err
		}
	} else {
		for i, p := range v.Problems {
			if i > 0 {
				a.view().Lines("")
			}
			a.view().Lines(p.String())
		}
		if v.Valid {
			text := v.File + " is valid"
			if len(v.Jobs) > 0 {
				text += ": " + terminal.Count(len(v.Jobs), "job", "jobs")
			}
			a.view().Lines(text)
		}
	}
	if !v.Valid {
		return statusError(statusFailed)
	}
	return nil
}
