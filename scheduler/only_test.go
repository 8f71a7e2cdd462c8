package scheduler

import (
	"strings"
	"testing"

	"github.com/runner-ci/runner/buildspec"
)

func TestOnlyLeavesWhatIsAskedForWithWhatItNeeds(t *testing.T) {
	graph := func() *buildspec.Plan {
		return &buildspec.Plan{Batch: "graph", Jobs: []buildspec.Job{
			{ID: "lint", Name: "lint"}, {ID: "compile", Name: "compile"}, {ID: "unit_a", Name: "unit_a", DependsOn: []string{"link"}},
			{ID: "link", Name: "link", DependsOn: []string{"compile"}}, {ID: "unit_b", Name: "unit_b", DependsOn: []string{"compile"}},
		}}
	}
	for _, c := range []struct {
		only []string
		want string // or what is said
	}{
		{nil, "lint compile unit_a link unit_b"},
		{[]string{"lint"}, "lint"},
		{[]string{"unit_a"}, "compile unit_a link"},
		{[]string{"unit_*"}, "compile unit_a link unit_b"},
		{[]string{"unit_b", "lint"}, "lint compile unit_b"},
		{[]string{"lint", "deploy"}, `no job of the batch matches "deploy"; it has lint, compile, unit_a, link, unit_b`},
		{[]string{"un"}, `no job of the batch matches "un"`},
	} {
		plan := graph()
		f := narrow(plan, c.only)
		var ids []string
		for i := range plan.Jobs {
			ids = append(ids, plan.Jobs[i].ID)
		}
		if got := strings.Join(ids, " "); f == nil && got != c.want || f != nil && (f.reason != "override" || f.status != Failed || !strings.HasPrefix(f.message, c.want)) {
			t.Errorf("--only %v leaves %s (%+v), want %s", c.only, got, f, c.want)
		}
		if noted := strings.Contains(plan.Note, "as --only says"); noted != (f == nil && len(c.only) > 0) {
			t.Errorf("--only %v is noted as %q", c.only, plan.Note)
		}
	}
	if f := narrow(&buildspec.Plan{Jobs: []buildspec.Job{{ID: "build"}}}, []string{"build"}); f == nil {
		t.Error("a part of a build of one job can be asked for")
	}
	fanout := &buildspec.Plan{Batch: "fanout", Jobs: []buildspec.Job{{ID: "BuildFanoutShard1", Shards: 1}}}
	if f := narrow(fanout, []string{"a_test.py"}); f != nil || len(fanout.Jobs) != 1 {
		t.Errorf("a shard went: %+v", f)
	}
	if got := onlyTests(&fanout.Jobs[0], []string{"a", "b*"}); len(got) != 1 || got[0].Value != "a\nb*" {
		t.Errorf("a shard is told %v", got)
	}
	if got := onlyTests(&graph().Jobs[0], []string{"a"}); len(got) != 0 {
		t.Errorf("a job of a graph is told %v", got)
	}
}
