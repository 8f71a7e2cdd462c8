package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
)

func newStart(a *app) *cobra.Command {
	var start client.Start
	var follow bool
	cmd := &cobra.Command{
		Use:   "start PROJECT",
		Short: "Start a build of a branch, tag or commit by hand, with parameters",
		Long: "Asks the daemon for a build of what its repository has; nothing is sent from here. Without --ref it is the default\n" +
			"branch. --param sets a parameter that the project's settings declare, and is checked at once; runner project show\n" +
			"lists them. --env sets any variable of the jobs. It needs a token that is admin of the project: a branch or tag that\n" +
			"is started by hand is trusted.",
		Example: "  runner start api\n  runner start api --ref release/2.1 -p target=staging --follow\n  runner start api --ref refs/tags/v2.1.0 -p dry-run=false",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			start.Project = args[0]
			t, err := c.Start(cmd.Context(), start)
			if err != nil {
				return err
			}
			return a.tellBuilt(cmd.Context(), c, t.ID, follow)
		},
	}
	f := cmd.Flags()
	f.StringVar(&start.Ref, "ref", "", "branch, or refs/tags/… for a tag (default the project's branch)")
	f.StringVar(&start.Commit, "commit", "", "full id of a commit (default the tip of the branch or tag)")
	f.VarP(parameters{&start.Parameters}, "param", "p", "parameter of the project, `NAME=VALUE`; may be repeated")
	f.StringVar(&start.Image, "image", "", "job image, in place of the buildspec's and the project's")
	envFlag(cmd, &start.Env)
	debugFlag(cmd, &start.Debug)
	f.BoolVar(&follow, "follow", false, "follow the build to its end")
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), "0    the build was made; with --follow, it SUCCEEDED", exitFailed+" (--follow)", exitTrouble, exitDetached)
}

// parameters is the flag --param NAME=VALUE. Which there are, the daemon knows.
type parameters struct{ values *map[string]string }

func (p parameters) Set(text string) error {
	name, value, given := strings.Cut(text, "=")
	switch {
	case name == "" || !given:
		return errors.New("write NAME=VALUE")
	case *p.values == nil:
		*p.values = map[string]string{}
	}
	if _, twice := (*p.values)[name]; twice {
		return fmt.Errorf("parameter %s is given twice", name)
	}
	(*p.values)[name] = value
	return nil
}

// String names the parameters that were given.
func (p parameters) String() string {
	if p.values == nil {
		return ""
	}
	return strings.Join(slices.Sorted(maps.Keys(*p.values)), " ")
}

func (p parameters) Type() string { return "parameter" }
