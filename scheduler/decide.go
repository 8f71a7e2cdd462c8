package scheduler

import (
	"errors"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/internal/failpoint"
)

// Skipped is a project that builds nothing of a trigger, and why.
type Skipped struct {
	Project string `json:"project"`
	Reason  string `json:"reason"`
	Passed  bool   `json:"passed,omitempty"` // a check that is required of the commit counts as passed
}

// decision is what is to become of a trigger.
type decision struct {
	projects []Project // that build it
	skipped  []Skipped
	notes    []string
	waits    bool   // for approval
	asks     bool   // git has to be asked first
	reason   string // why nothing is built, where no project is to blame
}

// decide judges a trigger by the settings of its projects and by what git said, as far as it was asked. It changes nothing.
func (s *Scheduler) decide(t *Trigger, git looks) (d decision, err error) {
	if t.Skip != "" {
		return decision{reason: t.Skip}, nil
	}
	d.reason = "its project was removed"
	open := false
	for _, name := range t.Projects {
		p, err := s.Project(name)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return d, err
		}
		f := &facts{t: t, git: git[p.URL]}
		f.owner, f.repo = ownerAndName(p.URL)
		v, reason, passed := f.judge(&p)
		for _, note := range f.unknown {
			if !slices.Contains(d.notes, note) {
				d.notes = append(d.notes, note)
			}
		}
		if v == no {
			d.skipped = append(d.skipped, Skipped{Project: name, Reason: reason, Passed: passed})
			continue
		}
		open = open || v == ask
		d.projects = append(d.projects, p)
	}
	// A stranger's commit is fetched after somebody has looked at it, so that is asked for first.
	d.waits = len(d.projects) > 0 && waits(t, d.projects)
	d.asks = open && !d.waits
	return d, nil
}

// carryOut makes of a trigger what was decided, in the caller's transaction.
func (s *Scheduler) carryOut(tx *bbolt.Tx, t *Trigger, d decision) (made made, err error) {
	t.Skipped, t.Notes = slices.Clone(d.skipped), d.notes
	t.Builds, t.Reason = nil, ""
	switch {
	case d.waits:
		t.Outcome, t.Reason = OutcomeWaiting, waitReason(t)
	case len(d.projects) > 0:
		if made, err = s.makeBuilds(tx, t, d.projects); err != nil {
			return made, err
		}
	}
	if !d.waits && len(t.Builds) == 0 {
		t.Outcome, t.Reason = OutcomeSkipped, skipReason(t.Skipped, d.reason)
	}
	return made, putTrigger(tx, t)
}

// skipReason is why a trigger builds nothing. Where its projects have reasons of their own, these stand in Skipped, since not
// everybody may know of each project.
func skipReason(skipped []Skipped, otherwise string) string {
	if len(skipped) == 0 {
		return otherwise
	}
	for _, x := range skipped[1:] {
		if x.Reason != skipped[0].Reason {
			return "each of its projects skips it"
		}
	}
	return skipped[0].Reason
}

// planTrigger decides a trigger's fate and commits it together with the builds it makes. A trigger that git has to be asked
// about, or whose commit has to be looked up, stays pending.
func (s *Scheduler) planTrigger(t *Trigger) ([]Build, error) {
	d, err := s.decide(t, nil)
	if err == nil && d.asks && s.source == nil {
		d, err = s.decide(t, s.blind(t))
	}
	if err != nil || d.asks || d.unpinned(t) {
		return nil, err
	}
	return s.commitTrigger(t, d)
}

// commitTrigger commits what was decided of a pending trigger.
func (s *Scheduler) commitTrigger(t *Trigger, d decision) ([]Build, error) {
	seq, err := triggerSeq(t.ID)
	if err != nil {
		return nil, err
	}
	key := number(seq)
	var made made
	err = s.group.update(func(tx *bbolt.Tx) (err error) {
		made.builds, made.superseded = nil, nil // this may run twice
		cur, err := get[Trigger](tx, bucketTriggers, key)
		if err != nil {
			return err
		}
		if *t = *cur; t.Outcome == OutcomePending { // else somebody was quicker
			made, err = s.carryOut(tx, t, d)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	failpoint.Pass("2/builds-numbered")
	s.meter.Trigger(string(t.Kind), string(t.Outcome))
	s.hub.tell(append([]string{t.ID}, t.Builds...)...)
	s.supersede(made.superseded)
	return made.builds, nil
}

// ownerAndName are the two parts of a repository's name, as its address has them.
func ownerAndName(url string) (owner, name string) {
	_, rest, found := strings.Cut(url, "://")
	if found {
		_, rest, _ = strings.Cut(rest, "/")
	} else if _, path, scp := strings.Cut(url, ":"); scp {
		rest = path // git@host:owner/name.git
	}
	rest = strings.TrimSuffix(strings.Trim(rest, "/"), ".git")
	at := strings.LastIndex(rest, "/")
	return rest[:max(at, 0)], rest[at+1:]
}
