package access

import (
	"fmt"
	"slices"
)

// Scope is how much may be done. Each one includes those before it.
type Scope string

// The scopes, from the least.
const (
	Feed   Scope = "feed"   // read feeds, with the token in their address; nothing else
	Read   Scope = "read"   // look at builds, logs, artifacts, tests
	Submit Scope = "submit" // send working trees; stop, retry and resume builds that are not trusted
	Admin  Scope = "admin"  // everything
)

// Scopes lists the scopes, from the least.
var Scopes = []Scope{Feed, Read, Submit, Admin}

// Everything among the projects of a Grant stands for all of them, and for what concerns the daemon as a whole.
const Everything = "*"

// Covers tells whether a scope includes another. An unknown scope includes nothing and is included by none.
func (s Scope) Covers(need Scope) bool {
	has, wanted := slices.Index(Scopes, s), slices.Index(Scopes, need)
	return wanted >= 0 && has >= wanted
}

// Grant is a scope within some projects. Without projects it grants nothing.
type Grant struct {
	Scope    Scope    `json:"scope"`
	Projects []string `json:"projects"` // names, or Everything
}

// Check tells what is wrong with a grant.
func (g Grant) Check() error {
	if !slices.Contains(Scopes, g.Scope) {
		return fmt.Errorf("%q is no scope; there are feed, read, submit and admin", g.Scope)
	}
	if len(g.Projects) == 0 || slices.Contains(g.Projects, "") {
		return fmt.Errorf("the scope names no project; name some, or %s for all", Everything)
	}
	return nil
}

// Grants is all that somebody may do.
type Grants []Grant

// Root is the right to everything.
func Root() Grants { return Grants{{Scope: Admin, Projects: []string{Everything}}} }

// May tells whether something that needs a scope may be done to a project, or with Everything to the daemon as a whole.
func (gs Grants) May(need Scope, project string) bool {
	return slices.ContainsFunc(gs, func(g Grant) bool {
		return g.Scope.Covers(need) && (slices.Contains(g.Projects, Everything) || project != "" && slices.Contains(g.Projects, project))
	})
}

// Somewhere tells whether there is any project to which something that needs a scope may be done.
func (gs Grants) Somewhere(need Scope) bool {
	return slices.ContainsFunc(gs, func(g Grant) bool { return g.Scope.Covers(need) && len(g.Projects) > 0 })
}
