package scheduler

import (
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
	if b.Ref == "" || strings.HasPrefix(b.Ref, "refs/runner/") {
		// Each submit has a ref that no other one has; what they share is who sent them.
		own = b.Project + "/submit/" + t.Actor
	}
	return runner.CacheScope{Read: []string{own, protected}, Write: own}
}
