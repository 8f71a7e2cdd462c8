package server

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/explain"
	"github.com/runner-ci/runner/scheduler"
)

func TestABuildIsExplained(t *testing.T) {
	p := config.Project{Name: "api", URL: "https://example.com/api.git"}
	p.Fill()
	d := newDaemon(t, p)
	b := over(running(), scheduler.Succeeded)
	at := func(s int) time.Time { return b.Created.Add(time.Duration(s) * time.Second) }
	b.EndedAt = at(20)
	b.Phases = []scheduler.Phase{{Name: "DOWNLOAD_SOURCE", Status: scheduler.Succeeded, Started: b.Created, Took: 2 * time.Second}}
	d.state.put(b, scheduler.Job{
		ID: "build", Name: "build", State: scheduler.JobEnded, Status: scheduler.Succeeded, Queued: at(2), Started: at(7), EndedAt: at(20),
		Attempts: []scheduler.Attempt{{Number: 1, Started: at(7), EndedAt: at(20), Phases: []scheduler.Phase{{Name: "BUILD", Status: scheduler.Succeeded, Started: at(8), Took: 12 * time.Second}}}},
	})
	e, err := d.client().Explain(t.Context(), "api#1")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, s := range e.Path {
		kinds = append(kinds, s.Kind)
	}
	if want := []string{client.StepSource, client.StepSlot, client.StepStart, client.StepPhase}; !slices.Equal(kinds, want) || e.Seconds != 20 {
		t.Errorf("its %g s are those of %v, want 20 s of %v", e.Seconds, kinds, want)
	}
	if len(e.Waits) != 1 || e.Waits[0].Kind != client.StepSlot || e.Waits[0].Seconds != 5 || len(e.Savings) != 1 || e.Savings[0].Kind != client.SaveSlots {
		t.Errorf("the waits are %+v and the savings %+v", e.Waits, e.Savings)
	}
	if resp, _ := d.do("GET", "/api/v1/builds/api/2/explain", nil, nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a build that is not there is answered %d", resp.StatusCode)
	}
}

// TestWhoMayNotSeeABuildIsNotToldThatItHeldASlot: that somebody did is all that is said.
func TestWhoMayNotSeeABuildIsNotToldThatItHeldASlot(t *testing.T) {
	now := time.Now()
	a := &api{Options: Options{Scheduler: heldBy{held: []scheduler.Held{{Build: "api#9"}, {Build: "hidden#1"}, {Build: "web#2"}}}}}
	grants := access.Grants{{Scope: access.Read, Projects: []string{"web"}}}
	jobs := []scheduler.Job{{Queued: now.Add(-time.Minute), Started: now}}
	held, err := a.heldSlots(&scheduler.Build{Project: "api"}, jobs, now, func(p string) bool { return grants.May(access.Read, p) })
	if err != nil || len(held) != 3 || held[0].Build != "api#9" || held[1].Build != "" || held[2].Build != "web#2" {
		t.Errorf("told of %+v (%v)", held, err)
	}
}

// heldBy is a scheduler that says who held slots.
type heldBy struct {
	Scheduler
	held []scheduler.Held
}

func (h heldBy) Held(_, _ time.Time) ([]scheduler.Held, error) { return h.held, nil }

// TestStrangersAreNotToldWhoWorksHere: nor how busy they are.
func TestStrangersAreNotToldWhoWorksHere(t *testing.T) {
	at := time.Now()
	known := explain.Input{Held: []explain.Held{{Build: "api#1"}}, Approved: &scheduler.Approval{By: "ada", At: at, Commit: "c"}}
	approved := known.Approved
	forStrangers(&known)
	if a := known.Approved; known.Held != nil || a.By != "somebody" || !a.At.Equal(at) || approved.By != "ada" {
		t.Errorf("strangers are told of %+v and %+v", known.Held, a)
	}
}
