//go:build linux

package agent

import (
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// unitReport writes a report that is newer than the one before.
const unitReport = `sh -c "sleep .02; echo \"<testsuite name=\\\"$(date +%s%N)\\\"/>\" >unit.xml; exit 1"`

func (s *sandbox) reporting(commands ...string) wire.Job {
	job := s.sharded(commands...)
	job.Reports = []wire.ReportSpec{{Group: "unit", Files: []string{"*.xml"}, Format: "JUNITXML"}}
	return job
}

// TestWhatWasWrittenBeforeIsNoPartOfABatch: the same line of the shell writes a report before the call, and the second
// batch writes none.
func TestWhatWasWrittenBeforeIsNoPartOfABatch(t *testing.T) {
	s := newSandbox(t)
	k := s.talkTo(s.reporting("echo '<testsuites/>' >unit.xml; "+runShards+`'[ -e wrote ] && exit 1; touch wrote; `+unitReport+` #'`, ":"))
	k.joined(wire.TestsAnswer{Strategy: wire.StrategyTiming})
	k.gave(wire.TestsAnswer{Token: 1, Items: []int{0}})
	if d := k.did(wire.TestsAnswer{}); d.From != 1 || d.Early != 2 {
		t.Errorf("reports %d to %d belong to the first batch, want 1 to 2", d.From, d.Early)
	}
	k.gave(wire.TestsAnswer{Token: 2, Items: []int{1}})
	if d := k.did(wire.TestsAnswer{}); d.From != 2 || d.Early != 2 {
		t.Errorf("reports %d to %d belong to the second batch, which wrote none", d.From, d.Early)
	}
	k.gave(wire.TestsAnswer{Over: true})
	k.end()
}

// TestNoReportsBelongToBatchesSideBySide: who knows which of the two wrote them.
func TestNoReportsBelongToBatchesSideBySide(t *testing.T) {
	s := newSandbox(t)
	slow := runShards + `'touch began; while [ ! -e go ]; do sleep .02; done; ` + unitReport + ` #'`
	fast := runShards + `'while [ ! -e began ]; do sleep .02; done; ` + unitReport + `; touch go; exit 1 #'`
	k := s.talkTo(s.reporting(slow+" & "+fast+"; wait", ":"))
	given, batches, over := map[int]bool{}, 0, 0
	for over < 2 {
		id, req := k.tests()
		answer := wire.TestsAnswer{Strategy: wire.StrategyTiming}
		switch call := req.Call.Call; {
		case req.Take != nil && !given[call]:
			given[call] = true
			answer = wire.TestsAnswer{Token: 1, Items: []int{0}}
		case req.Take != nil:
			answer = wire.TestsAnswer{Over: true}
			over++
		case req.Done != nil:
			batches++
			if req.Done.From != req.Done.Early || req.Done.Early == 0 {
				t.Errorf("reports %d to %d belong to call %d, beside which another one ran", req.Done.From, req.Done.Early, call)
			}
		}
		k.tell(id, answer)
	}
	if batches != 2 {
		t.Errorf("%d batches ran, want 2", batches)
	}
	k.end()
}
