package scheduler

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// TestManyListsOfShortNames: a job that divides ever more lists of names of six letters, which are little to store and
// much to hold, is refused before the daemon's memory is full.
func TestManyListsOfShortNames(t *testing.T) {
	names := make([]string, 60_000)
	for i := range names {
		names[i] = fmt.Sprintf("t%05d", i)
	}
	s := open(t, statePath(t))
	queued(t, s, fanout(2, false))
	sh := startShards(t, s, 1)[0]
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for call := range 100 {
		a, err := sh.tests.Join(t.Context(), wire.TestCall{Phase: wire.PhaseBuild, Call: call}, wire.StrategyQueue, names)
		if err != nil {
			t.Fatal(err)
		}
		if a.Refused == "" {
			continue
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); call < 5 || held > 2*maxTestBytes || !strings.Contains(a.Refused, "128 MiB") {
			t.Errorf("list %d is refused with %d MiB held: %s", call+1, held>>20, a.Refused)
		}
		return
	}
	t.Error("a hundred lists of 60,000 tests each are taken")
}
