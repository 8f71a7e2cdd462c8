//go:build !windows

package main

import (
	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/server"
)

func newOpenAPI(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "openapi",
		Short: "Print the OpenAPI document of the API",
		Long: "Prints the description of the daemon's API as this release has it, in OpenAPI 3.1: every route with its parameters, types,\n" +
			"errors and the scope that it needs. It asks no daemon; a daemon serves the same at /openapi.json, and as a page at /api.",
		Example: "  runner openapi >runner.openapi.json\n  runner openapi | jq '.paths | keys'",
		Args:    needs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(server.OpenAPI(release()))
			return err
		},
	}
	return exits(cmd, exitDone, "2    trouble: wrong usage, standard output cannot be written")
}
