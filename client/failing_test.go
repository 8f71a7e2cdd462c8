package client

import (
	"fmt"
	"testing"
)

func TestSinceWhenABuildFails(t *testing.T) {
	const main, other = "refs/heads/main", "refs/heads/other"
	build := func(n int, ref, status string) Build {
		return Build{ID: fmt.Sprintf("api#%d", n), Number: n, Ref: ref, Status: status}
	}
	past := []Build{
		build(12, main, "SUCCEEDED"), // later than the one that is looked at
		build(10, main, "FAILED"), build(9, other, "SUCCEEDED"), build(8, main, "FAULT"), build(7, main, "STOPPED"),
		build(6, main, "SUCCEEDED"), build(5, main, "FAILED"), build(4, main, "SUCCEEDED"),
	}
	got := FailingSince(build(11, main, "FAILED"), past, "main")
	if got.Self || got.First.Number != 8 || got.Streak != 3 || got.Passed.Number != 6 || got.Good != 2 || got.Of != 3 || got.Base != nil {
		t.Errorf("on main: %+v, first %+v", got, got.First)
	}
	got = FailingSince(build(11, other, "FAILED"), past, "main")
	if !got.Self || got.Streak != 1 || got.Passed.Number != 9 || got.Base == nil || got.Base.Number != 10 || !got.OnBase {
		t.Errorf("on another branch: %+v", got)
	}
}

func TestSubmitsOfOnePersonAreALineOfWork(t *testing.T) {
	a, b := Build{Ref: Submits + "1", Author: "ann"}, Build{Ref: Submits + "2", Author: "ann"}
	if !SameLine(a, b) || SameLine(a, Build{Ref: Submits + "3", Author: "bob"}) || SameLine(a, Build{Ref: "refs/heads/main", Author: "ann"}) {
		t.Error("submits are of one line where they are of one person, and there alone")
	}
}
