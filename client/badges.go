package client

import (
	"context"
	"net/url"
)

// The states of a badge are CodeBuild's.
const (
	BadgePassing    = "passing"
	BadgeFailing    = "failing" // failed, timed out, stopped, or the machine was at fault
	BadgeInProgress = "in progress"
	BadgeUnknown    = "unknown" // no build yet
)

// Whom a badge is shown.
const (
	BadgeToNobody  = "nobody"
	BadgeToReaders = "readers" // those who may look at the project
	BadgeToToken   = "token"   // whoever has its address, in which there is a token
	BadgeToAnybody = "anybody"
)

// Badge is the picture that tells whether a branch passes.
type Badge struct {
	Project  string `json:"project"`
	Branch   string `json:"branch,omitempty"` // empty: the project's default branch
	State    string `json:"state"`
	Shown    string `json:"shown"`    // to whom: nobody, readers, token, anybody
	URL      string `json:"url"`      // of the picture, with its token where it has one
	Page     string `json:"page"`     // of the project
	Markdown string `json:"markdown"` // shows the picture, as a link to the page
}

// Badge tells where a project's badge is, and what it says; branch "" is the default branch.
func (c *Client) Badge(ctx context.Context, project, branch string) (Badge, error) {
	var out Badge
	query := url.Values{}
	if branch != "" {
		query.Set("branch", branch)
	}
	err := c.get(ctx, projectPath(project, "/badge"), query, &out)
	return out, err
}
