package scheduler

import (
	"time"

	"go.etcd.io/bbolt"
)

// made is what a commit made of a trigger, for what follows it.
type made struct {
	builds     []Build
	superseded []superseded
}

// makeBuilds numbers and stores the builds that a trigger makes, and names them in the trigger, which is the caller's to
// store. In the same transaction the builds that they supersede are told to stop. A project in which a newer trigger of the
// same branch or pull request was quicker builds nothing of it.
func (s *Scheduler) makeBuilds(tx *bbolt.Tx, t *Trigger, projects []Project) (out made, err error) {
	now := time.Now()
	t.Builds, t.Outcome = nil, OutcomeBuilt
	for i := range projects {
		p := &projects[i]
		supersedes := s.supersedes(p, t)
		if supersedes {
			newer, err := newerBuild(tx, p.Name, t)
			if err != nil {
				return out, err
			}
			if newer != "" && s.mayStop(p, t) {
				t.Skipped = append(t.Skipped, Skipped{Project: p.Name, Reason: "superseded: " + newer + " is of a newer push to " + shownRef(t.Ref)})
				continue
			}
		}
		b := Build{
			Project: p.Name, Trigger: t.ID, Commit: t.Commit, Ref: t.Ref, Title: t.Title, Author: t.Actor,
			PullRequest: t.PullRequest, Tells: event(&p.Project, t),
			RetryOf: t.RetryOf, Parameters: parametersOf(p, t), Fork: stranger(t), Status: InProgress, Phase: phaseSource, Created: t.Received,
			Phases: []Phase{
				{Name: phaseSubmitted, Status: Succeeded, Started: t.Received, Took: now.Sub(t.Received)},
				{Name: phaseSource, Status: InProgress, Started: now},
			},
		}
		joinGroup(p, &b)
		if err := newBuild(tx, &b); err != nil {
			return out, err
		}
		out.builds = append(out.builds, b)
		t.Builds = append(t.Builds, b.ID())
		if supersedes {
			stopped, err := s.stopOlder(tx, p, t, &b, now)
			if err != nil {
				return out, err
			}
			out.superseded = append(out.superseded, stopped...)
		}
	}
	return out, nil
}
