package server

import "github.com/runner-ci/runner/client"

// Shower returns what shows builds, with their jobs, as the API does: for those who tell others of them.
func Shower(o Options) func(id string) (client.Build, error) {
	return (&api{Options: o.withDefaults()}).wholeBuild
}
