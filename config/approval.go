package config

import "strings"

// Which pull requests wait for a person's approval: CodeBuild's FORK_PULL_REQUESTS, ALL_PULL_REQUESTS and DISABLED.
const (
	ApproveForks = "forks"
	ApproveAll   = "all"
	ApproveNone  = "none"
)

// NeedsApproval tells whether a pull request of this project waits until somebody has approved its commit.
func (p *Project) NeedsApproval(fork bool) bool {
	switch p.Approval {
	case ApproveNone:
		return false
	case ApproveAll:
		return true
	}
	return fork
}

// maxInline bounds a buildspec that stands in a project's settings, in bytes.
const maxInline = 256 << 10

// InlineBuildspec tells that the setting buildspec is the YAML itself: it has a line end, which no path has.
func (p *Project) InlineBuildspec() bool { return strings.Contains(p.Buildspec, "\n") }
