package server

import (
	"context"

	"github.com/runner-ci/runner/client"
)

// Shower returns what shows builds, with their jobs, as the API does: for those who tell others of them: to strangers, too, so
// that no build names another project.
func Shower(o Options) func(id string) (client.Build, error) {
	a := &api{Options: o.withDefaults()}
	return func(id string) (client.Build, error) { return a.wholeBuild(context.Background(), id) }
}
