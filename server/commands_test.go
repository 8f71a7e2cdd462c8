package server

import (
	"testing"
	"time"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/scheduler"
)

func TestCommandsAreShownWhileThereIsRoom(t *testing.T) {
	began := time.Now().Add(-time.Hour)
	at := &scheduler.Attempt{Commands: []runner.Command{
		{Phase: "BUILD", Text: "quick", Began: began, Ended: true, Offset: 12},
		{Phase: "BUILD", Index: 1, Text: "of an older row", Began: began, Took: 2 * time.Second, Exit: 1},
		{Phase: "BUILD", Index: 2, Text: "cut off", Began: began},
	}}
	room := 7
	got := showCommands(at, &room)
	if len(got) != 3 || room != 4 || got[0].Ended.IsZero() || got[0].Seconds != 0 || got[0].Offset != 12 {
		t.Fatalf("shown are %+v, and there is room for %d", got, room)
	}
	if got[1].Seconds != 2 || !got[1].Ended.Equal(began.Add(2*time.Second)) || got[1].Exit != 1 {
		t.Errorf("one of an older row is %+v", got[1])
	}
	if got[2].Seconds < 3600 || !got[2].Ended.IsZero() {
		t.Errorf("one that runs is %+v", got[2])
	}
	at.EndedAt = began.Add(time.Minute)
	if got = showCommands(at, &room); got[2].Seconds != 60 || !got[2].Ended.IsZero() {
		t.Errorf("one that ended with its job is %+v", got[2])
	}
	if got = showCommands(at, &room); got != nil || room != 1 {
		t.Errorf("shown are %+v beyond the room, of which %d is left", got, room)
	}
	if got = showCommands(nil, &room); got != nil {
		t.Errorf("a job that never began shows %+v", got)
	}
}
