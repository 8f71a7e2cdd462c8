//go:build linux

package agent

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// TestEachFileRunsAloneWhereItsResultIsNeeded: a command that fails for three files does not say for which. Each run has a
// name of its own, which says whether it tries again.
func TestEachFileRunsAloneWhereItsResultIsNeeded(t *testing.T) {
	s := newSandbox(t)
	k := s.talkTo(s.sharded(runShards + `'printf "%s<%s>\n" "$RUNNER_TEST_RUN" "$CODEBUILD_CURRENT_SHARD_FILES"; case $CODEBUILD_CURRENT_SHARD_FILES in ./b) exit 5;; "./c it") exit 127;; esac #'`))
	k.joined(wire.TestsAnswer{Strategy: wire.StrategyQueue})
	k.gave(wire.TestsAnswer{Token: 1, Items: []int{1, 0, 2}, Each: true})
	done := k.did(wire.TestsAnswer{Again: []int{1}})
	var outcomes []string
	for _, r := range done.Results {
		outcomes = append(outcomes, fmt.Sprint(r.Item, r.Outcome))
	}
	if done.Token != 1 || done.Exit == 0 || !slices.Equal(outcomes, []string{"1failed", "2broken", "0passed"}) {
		t.Errorf("did %+v, want test 1 failed, 0 passed, 2 broken", done)
	}
	k.gave(wire.TestsAnswer{Token: 8, Items: []int{1}, Each: true, Round: 8})
	k.did(wire.TestsAnswer{})
	k.gave(wire.TestsAnswer{Over: true, Why: "what came of it"})
	printed := k.end().output()
	for _, want := range []string{"run-1<./b>\nrun-2<./a>\nrun-3<./c it>\n", "run-4-retry-8<./b>\n", "codebuild-tests-run: what came of it\n"} {
		if !strings.Contains(printed, want) {
			t.Errorf("did not print %q, but\n%s", want, printed)
		}
	}
}

// TestWhatIsQuarantinedWholeRunsAlone, so that its failure can be told from that of others.
func TestWhatIsQuarantinedWholeRunsAlone(t *testing.T) {
	s := newSandbox(t)
	k := s.talkTo(s.sharded(runShards + `'printf "%s<%s>\n" "$RUNNER_TEST_RUN" "$CODEBUILD_CURRENT_SHARD_FILES"; case $CODEBUILD_CURRENT_SHARD_FILES in ./b) exit 5;; esac #'`))
	k.joined(wire.TestsAnswer{Strategy: wire.StrategyQueue})
	k.gave(wire.TestsAnswer{Token: 1, Items: []int{0, 1, 2}, Alone: []int{1}})
	done := k.did(wire.TestsAnswer{Why: "it does not count"})
	var outcomes []string
	for _, r := range done.Results {
		outcomes = append(outcomes, fmt.Sprint(r.Item, r.Outcome))
	}
	if done.Exit != 5 || done.Strict || !slices.Equal(outcomes, []string{"1failed", "0passed", "2passed"}) {
		t.Errorf("did %+v, want test 1 failed, the others passed", done)
	}
	k.gave(wire.TestsAnswer{Over: true})
	printed := k.end().output()
	for _, want := range []string{"run-1<./b>\nrun-2<./a\n./c it>\n", "codebuild-tests-run: it does not count\n"} {
		if !strings.Contains(printed, want) {
			t.Errorf("did not print %q, but\n%s", want, printed)
		}
	}
}
