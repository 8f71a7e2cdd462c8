package web

import (
	"slices"

	"github.com/runner-ci/runner/client"
)

// scopes are what a grant may allow, each more than the one before.
var scopes = []string{"read", "submit", "admin"}

// everywhere stands for all projects, and for the daemon itself.
const everywhere = "*"

// may tells whether somebody has a scope for a project, so that no button is shown which the API would refuse. The API
// decides again when it is asked.
func may(who client.Identity, scope, project string) bool {
	return slices.ContainsFunc(who.Grants, func(g client.Grant) bool {
		return slices.Index(scopes, g.Scope) >= slices.Index(scopes, scope) &&
			(slices.Contains(g.Projects, everywhere) || slices.Contains(g.Projects, project))
	})
}
