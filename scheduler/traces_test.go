package scheduler

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner"
)

// counted is a Meter that keeps what it is told.
type counted struct {
	noMeter
	told []string
}

func (c *counted) Build(project, status, reason string, _ time.Duration) {
	c.told = append(c.told, "build "+status+" "+reason)
}
func (c *counted) Job(status, reason string)          { c.told = append(c.told, "job "+status+" "+reason) }
func (c *counted) Attempt(engine string, _ bool)      { c.told = append(c.told, "attempt") }
func (c *counted) Phase(name string, _ time.Duration) { c.told = append(c.told, name) }
func (c *counted) Trace(outcome string)               { c.told = append(c.told, outcome) }

// TestEndsAreCountedAndDueOnce ends a build of three shards, of which one was never begun: each end is counted once, and is
// due for a trace until it is said to be done, also after a restart.
func TestEndsAreCountedAndDueOnce(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	meter := new(counted)
	s.UseMeter(meter)
	s.UseTraces()
	b := queued(t, s, fanout(3, false))
	for range 2 {
		e, l := take(t, s)
		if env := s.traceparent(l); len(env) != 1 || !strings.HasPrefix(env[0].Value, "00-") || len(env[0].Value) != 55 {
			t.Errorf("the job is given %v", env)
		}
		if err := s.finish(e, l.attempt.Token, green); err != nil {
			t.Fatal(err)
		}
		if err := s.finish(e, l.attempt.Token, green); !errors.Is(err, ErrFenced) {
			t.Fatalf("the second result was taken: %v", err)
		}
	}
	if _, err := s.Stop(t.Context(), b.ID(), "ada"); err != nil {
		t.Fatal(err)
	}
	want := "attempt PROVISIONING job SUCCEEDED  attempt PROVISIONING job SUCCEEDED  job STOPPED stopped build STOPPED stopped"
	if got := strings.Join(meter.told, " "); got != want {
		t.Errorf("counted was\n%s\nwant\n%s", got, want)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	for i := range 4 {
		d, err := s.NextTrace()
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case i == 3 && d != nil:
			t.Errorf("more is due than has ended: %+v", d)
		case i < 2 && (d.Job == nil || len(d.Job.Attempts) != 1):
			t.Errorf("part %d is %+v, want a job", i, d)
		case i == 2 && (d.Job != nil || len(d.Unbegun) != 1 || d.Trigger.ID != b.Trigger):
			t.Errorf("the last part is %+v, want the build with one job that never began", d)
		}
		if d != nil {
			if err := s.TraceDone(d); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestNothingIsDueWhereNobodyWantsTraces(t *testing.T) {
	s := open(t, statePath(t))
	queued(t, s, fanout(1, false))
	e, l := take(t, s)
	if err := s.finish(e, l.attempt.Token, green); err != nil {
		t.Fatal(err)
	}
	if d, err := s.NextTrace(); d != nil || err != nil || s.traceparent(l) != nil {
		t.Errorf("due is %+v, %v", d, err)
	}
}

func TestCommandsAreTakenOnce(t *testing.T) {
	now := time.Now()
	first := runner.Command{Phase: "BUILD", Text: "make", Began: now}
	var a Attempt
	applyCommands(&a, []runner.Command{first, {Phase: "BUILD", Exit: 2, Took: time.Second}})
	applyCommands(&a, []runner.Command{first, {Phase: "BUILD", Exit: 2, Took: time.Second}}) // told again after a restart
	applyCommands(&a, []runner.Command{{Phase: "BUILD", Index: 9, Exit: 1}})                 // its beginning was never told
	if len(a.Commands) != 1 || a.Commands[0].Exit != 2 || a.Commands[0].Took != time.Second || !a.Commands[0].Ended || a.Commands[0].Text != "make" {
		t.Errorf("kept are %+v", a.Commands)
	}
	for i := range 3 * runner.MaxCommands {
		applyCommands(&a, []runner.Command{{Phase: "BUILD", Index: i + 1, Began: now}})
	}
	if len(a.Commands) != runner.MaxCommands {
		t.Errorf("%d commands are kept", len(a.Commands))
	}
}
