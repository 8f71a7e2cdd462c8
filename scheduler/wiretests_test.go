package scheduler

import (
	"testing"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/runner/wire"
)

// TestTryingAgainMeansTheQueue where nothing else is said: by the other strategies no shard could take what failed.
func TestTryingAgainMeansTheQueue(t *testing.T) {
	for _, tt := range []struct {
		sharding string
		retry    *buildspec.TestRetry
		want     string
	}{
		{"", nil, ""},
		{"", &buildspec.TestRetry{Each: 1}, wire.StrategyQueue},
		{wire.StrategyTiming, &buildspec.TestRetry{Each: 1}, wire.StrategyTiming},
	} {
		if got := wireJob(&buildspec.Job{Sharding: tt.sharding, TestRetry: tt.retry}).Sharding; got != tt.want {
			t.Errorf("with sharding %q and retry %v the agent is told %q, want %q", tt.sharding, tt.retry, got, tt.want)
		}
	}
}
