package scheduler

import (
	"strings"
	"testing"
)

// TestWhatWasSealedStaysSealed: files of the job may hold a secret that its project names no more.
func TestWhatWasSealedStaysSealed(t *testing.T) {
	c := newKeptScene(t)
	for _, sealed := range []bool{false, true} {
		c.sealed = sealed
		build, _ := c.fail()
		c.tend(0)
		if place, err := c.s.FindShell(build, "", ShellFailed); err != nil || place.Sealed != sealed {
			t.Errorf("of a job that was given secrets (%v): %+v, %v", sealed, place, err)
		}
	}
}

func TestASandboxThatWaitedIsSealedToo(t *testing.T) {
	c := newKeptScene(t)
	b := queued(t, c.s, fanout(1, false))
	e, l := take(t, c.s)
	ev := &attemptEvents{s: c.s, build: e.build, job: e.job, index: e.index, token: l.attempt.Token, sent: true, sealed: true}
	if err := ev.Sent(t.Context()); err != nil {
		t.Fatal(err)
	}
	if jobs, err := c.s.Jobs(b.ID()); err != nil || !jobs[0].Attempts[0].Sealed {
		t.Errorf("%+v, %v", jobs, err)
	}
}

// TestNobodyHasAllShells: one token leaves some for others.
func TestNobodyHasAllShells(t *testing.T) {
	c := newKeptScene(t)
	c.s.kept.whose["ann"], c.s.kept.people = maxOwnShells, maxOwnShells
	build, _ := c.fail()
	c.tend(0)
	if _, err := c.enterKept(build); err == nil || !strings.Contains(err.Error(), "as one may have") {
		t.Errorf("one more than one may have: %v", err)
	}
	c.s.kept.whose["ann"]--
	o, err := c.enterKept(build)
	if err != nil {
		t.Fatal(err)
	}
	if o.Leave(); c.s.kept.whose["ann"] != maxOwnShells-1 {
		t.Errorf("%v are counted after one was left", c.s.kept.whose)
	}
	c.s.kept.people = maxAllShells
	if _, err := c.enterKept(build); err == nil || !strings.Contains(err.Error(), "in all jobs") {
		t.Errorf("one more than may be in all: %v", err)
	}
}
