package server

import (
	"slices"
	"testing"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/scheduler"
)

func TestAJobShowsItsPlaceInTheGraph(t *testing.T) {
	d := newDaemon(t)
	b := running()
	b.Plan = &buildspec.Plan{Jobs: []buildspec.Job{
		{ID: "test", Image: "golang", IgnoreFailure: true}, {ID: "deploy", Image: "busybox", DependsOn: []string{"test"}},
	}}
	d.state.put(b, job("test", scheduler.JobLeased, scheduler.InProgress, scheduler.InProgress), job("deploy", scheduler.JobBlocked, scheduler.InProgress))
	got, err := d.client().Build(t.Context(), "api#1")
	if err != nil || len(got.Jobs) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	test, deploy := got.Jobs[0], got.Jobs[1]
	if test.Image != "golang" || !test.Ignored || deploy.Ignored || !slices.Equal(deploy.DependsOn, []string{"test"}) {
		t.Errorf("the jobs show %+v and %+v", test, deploy)
	}
}
