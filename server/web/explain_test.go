package web

import (
	"fmt"
	"testing"

	"github.com/runner-ci/runner/client"
)

func TestWhatDecidedHowLongABuildTook(t *testing.T) {
	e := client.Explanation{Build: "api#7", Seconds: 20, Path: []client.Step{
		{Kind: client.StepSource, Seconds: 1},
		{Kind: client.StepStart, Name: "shard 1/2", Seconds: 3},
		{Kind: client.StepPhase, Phase: "BUILD", Name: "shard 1/2", Seconds: 12},
		{Kind: client.StepBetween, Name: "shard 1/2", Seconds: 2.5}, {Kind: client.StepSlot, Name: "shard 2/2", Seconds: 1},
		{Kind: client.StepPhase, Phase: "POST_BUILD", Name: "shard 2/2", Seconds: 2.1},
	}, Savings: []client.Saving{{Kind: client.SaveSlots, Seconds: 2}, {Kind: client.SaveWarm, Seconds: 0.2, AtMost: true}}}
	d := decide(e, 2)
	if got, want := fmt.Sprint(d.Steps), "[{build shard 1/2 12 60} {sandbox shard 1/2 3 15} {post_build shard 2/2 2.1 11}]"; got != want {
		t.Errorf("it was decided by %s, want %s", got, want)
	}
	if len(d.Savings) != 1 || d.Savings[0].Kind != client.SaveSlots || d.Command != "runner explain api#7" {
		t.Errorf("%+v", d)
	}
	if d = decide(e, 1); d.Steps[0].Of != "" {
		t.Errorf("of a build with one job, the job is named: %+v", d.Steps)
	}
	if d = decide(client.Explanation{Build: "api#8"}, 1); d != nil {
		t.Errorf("of a build of no length is told %+v", d)
	}
}
