package scheduler

import (
	"cmp"
	"strings"

	"github.com/runner-ci/runner/runner"
)

// cacheScope says which caches a build's jobs read and leave. A trusted build reads what trusted ones left, and nothing
// else: what anybody else wrote could be meant for it. Others read that, too, after what builds of their own ref left,
// which is where they leave theirs.
func cacheScope(b *Build, t *Trigger) runner.CacheScope {
	protected := b.Project + "/protected"
	if b.Trusted && !b.Fork {
		return runner.CacheScope{Read: []string{protected}, Write: protected}
	}
	own := b.Project + "/ref/" + b.Ref
	switch {
	case b.Fork && branchOrTag(b.Ref) && b.Ref != "":
		// Started by hand of a commit that is not on that branch: what it leaves is not for the branch's builds.
		own = b.Project + "/commit/" + b.Commit
	case b.Ref == "" || strings.HasPrefix(b.Ref, "refs/runner/"):
		// Each submit has a ref that no other one has; what they share is who sent them, whoever retries one: what one person's
		// tree leaves is not for another's.
		own = b.Project + "/submit/" + cmp.Or(t.Submitter, t.Actor)
	}
	return runner.CacheScope{Read: []string{own, protected}, Write: own}
}
