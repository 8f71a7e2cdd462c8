package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// variables is the flag --env NAME=VALUE. Unlike pflag's maps it splits nothing at commas, which values may hold;
// NAME alone takes the value from here.
type variables struct{ values *map[string]string }

func envFlag(cmd *cobra.Command, values *map[string]string) {
	cmd.Flags().VarP(variables{values}, "env", "e", "environment variable of every job, `NAME=VALUE`, or NAME as it is here; may be repeated")
}

func (v variables) Set(text string) error {
	name, value, given := strings.Cut(text, "=")
	if name == "" {
		return errors.New("write NAME=VALUE")
	}
	if !given {
		var ok bool
		if value, ok = os.LookupEnv(name); !ok {
			return fmt.Errorf("there is no variable %s here; write %s=VALUE", name, name)
		}
	}
	if *v.values == nil {
		*v.values = map[string]string{}
	}
	(*v.values)[name] = value
	return nil
}

// String names the variables and keeps their values to itself.
func (v variables) String() string {
	if v.values == nil {
		return ""
	}
	return strings.Join(slices.Sorted(maps.Keys(*v.values)), " ")
}

func (v variables) Type() string { return "variable" }

// debugFlag adds --debug, which makes codebuild-breakpoint hold the build.
func debugFlag(cmd *cobra.Command, debug *bool) {
	cmd.Flags().BoolVar(debug, "debug", false, "hold the build at codebuild-breakpoint until codebuild-resume or runner resume (runner run: Enter)")
}

// firstFlag adds --first-failure, which leaves the build to what is said.
func firstFlag(cmd *cobra.Command, first *bool, build string) {
	cmd.Flags().BoolVar(first, "first-failure", false, "leave as soon as a test has failed, with exit status 1; "+build)
}
