package main

import (
	"maps"
	"reflect"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/terminal"
)

func newProjectSet(a *app) *cobra.Command {
	var p client.Project
	written := newLimitFlags(&p)
	cmd := &cobra.Command{
		Use:   "set PROJECT",
		Short: "Change some of a project's settings",
		Long: "Changes the settings that are named, and leaves the others. An empty value (--image \"\") goes back to the default;\n" +
			"variables are added to those there are.",
		Example: "  runner project set api --poll 1m\n  runner project set api --image golang:1.26 --timeout 30m\n  runner project set api --webhook auto --forge-token file:/etc/runner/token",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := written.read(); err != nil {
				return usage(cmd, err)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			changed, err := c.Project(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			laidOver(&changed, &p, cmd.Flags(), written)
			if err := c.PutProject(cmd.Context(), changed); err != nil {
				return err
			}
			saved, err := c.Project(cmd.Context(), args[0])
			switch {
			case err != nil:
				return err
			case a.json:
				return terminal.JSON(a.out, saved)
			}
			terminal.Project(a.view(), saved)
			return nil
		},
	}
	projectFlags(cmd, &p)
	webhookFlag(cmd, &p, "auto: the daemon registers the webhook; off: it does not")
	written.add(cmd)
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}

// laidOver puts those settings into a project whose flags were written.
func laidOver(into, from *client.Project, flags *pflag.FlagSet, limits limitFlags) {
	to, of := reflect.ValueOf(into).Elem(), reflect.ValueOf(from).Elem()
	at := make(map[uintptr][]int) // fields by their addresses, which are those that the flags write to
	eachLeaf(of, nil, func(field reflect.Value, index []int) { at[field.Addr().Pointer()] = index })
	copied := func(pointer uintptr) {
		if index, ok := at[pointer]; ok {
			to.FieldByIndex(index).Set(of.FieldByIndex(index))
		}
	}
	flags.Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "env":
			into.Env = joined(into.Env, from.Env)
		case "parameter-store":
			into.Parameters = joined(into.Parameters, from.Parameters)
		case "secrets-manager":
			into.Secrets = joined(into.Secrets, from.Secrets)
		case "protected":
			into.Protected = from.Protected
		case "paths":
			into.Paths = from.Paths
		case "paths-ignore":
			into.PathsIgnore = from.PathsIgnore
		default:
			if v := reflect.ValueOf(f.Value); v.Kind() == reflect.Pointer {
				copied(v.Pointer())
			}
		}
	})
	for _, l := range limits {
		if flags.Changed(l.name) {
			copied(reflect.ValueOf(l.into).Pointer())
		}
	}
}

// eachLeaf visits the fields of a struct that are no structs themselves, with the way to each.
func eachLeaf(v reflect.Value, way []int, visit func(field reflect.Value, index []int)) {
	for i := range v.NumField() {
		index := append(slices.Clone(way), i)
		if v.Field(i).Kind() == reflect.Struct {
			eachLeaf(v.Field(i), index, visit)
			continue
		}
		visit(v.Field(i), index)
	}
}

// joined is a map with the entries of both, where b's go before a's.
func joined(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	if out == nil {
		out = make(map[string]string)
	}
	maps.Copy(out, b)
	return out
}
