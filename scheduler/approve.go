package scheduler

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// ConflictError tells that what was asked for does not fit how things stand: nothing was changed.
type ConflictError struct {
	What string // a sentence without its full stop
	Hint string // what to do
}

// Error returns what is the case, and what to do.
func (e *ConflictError) Error() string { return e.What + "; " + e.Hint }

// Approve lets the commit of a pull request that waits be built. It holds for that commit alone: what is pushed to the
// pull request later waits again. The builds stay untrusted. A commit that is given must be the trigger's. The error is
// a *ConflictError when the trigger does not wait.
func (s *Scheduler) Approve(ctx context.Context, id, commit, by string) (Trigger, error) {
	seq, err := triggerSeq(id)
	if err != nil {
		return Trigger{}, err
	}
	var t *Trigger
	err = s.db.Update(func(tx *bbolt.Tx) error {
		if t, err = get[Trigger](tx, bucketTriggers, number(seq)); err != nil {
			return fmt.Errorf("trigger %s: %w", id, err)
		}
		if err := approvable(t, commit); err != nil {
			return err
		}
		t.Approved = &Approval{By: by, At: time.Now(), Commit: t.Commit}
		t.Outcome, t.Reason = OutcomePending, ""
		return putTrigger(tx, t)
	})
	if err != nil {
		return Trigger{}, err
	}
	s.log.Info("pull request approved", "trigger", t.ID, "pullRequest", t.PullRequest, "commit", t.Commit, "by", by)
	s.hub.tell(t.ID)
	s.wakePlanner()
	return *t, nil
}

// approvable tells why a trigger cannot be approved.
func approvable(t *Trigger, commit string) error {
	switch {
	case t.Outcome != OutcomeWaiting && t.Approved != nil:
		return &ConflictError{
			fmt.Sprintf("trigger %s was approved by %s at %s already", t.ID, t.Approved.By, t.Approved.At.UTC().Format(time.RFC3339)),
			"runner triggers shows what became of it",
		}
	case t.Outcome != OutcomeWaiting:
		return &ConflictError{
			fmt.Sprintf("trigger %s does not wait for approval: it is %s", t.ID, t.Outcome),
			"runner triggers --waiting lists those that do",
		}
	case t.Commit == "":
		return &ConflictError{
			fmt.Sprintf("trigger %s names no commit, so that an approval would be for whatever comes", t.ID),
			"push to the pull request again",
		}
	case commit != "" && commit != t.Commit:
		return &ConflictError{
			fmt.Sprintf("trigger %s is for commit %s, not for %s", t.ID, t.Commit, commit),
			"look at the commit that it is for, or approve the trigger of the other one",
		}
	}
	return nil
}

// waits tells whether a trigger needs an approval that it does not have: a pull request, and a command in a comment on one
// by somebody of whom nobody told that he belongs to the repository. Of projects with different policies the
// strictest decides: one delivery is one trigger.
func waits(t *Trigger, projects []Project) bool {
	if (t.Kind != KindPullRequest && t.Kind != KindComment) || (t.Approved != nil && t.Approved.Commit == t.Commit) {
		return false
	}
	for i := range projects {
		if projects[i].NeedsApproval(t.Fork || t.Kind == KindComment) { // anybody can comment
			return true
		}
	}
	return false
}

// stranger tells whether a build's commit may be anybody's. Of a ref that is neither branch nor tag and that a person
// starts by hand, a pull request's for one, nobody can tell where it comes from.
func stranger(t *Trigger) bool {
	return t.Fork || (t.Kind == KindManual && !branchOrTag(t.Ref))
}

// branchOrTag is true of refs that only those can push who may push to the repository; without a ref the default branch
// is meant.
func branchOrTag(ref string) bool {
	return ref == "" || strings.HasPrefix(ref, "refs/heads/") || strings.HasPrefix(ref, "refs/tags/")
}

// waitReason says what waits, and how it goes on.
func waitReason(t *Trigger) string {
	what := fmt.Sprintf("pull request #%d", t.PullRequest)
	switch {
	case t.Kind == KindComment && t.Actor != "":
		what = fmt.Sprintf("the command of %s in a comment on %s", t.Actor, what)
	case t.Kind == KindComment:
		what = "a command in a comment on " + what
	case t.Fork && t.HeadRepo != "":
		what += " from the fork " + t.HeadRepo
	case t.Fork:
		what += " from a fork"
	}
	return fmt.Sprintf("%s waits for approval: look at commit %.12s, then runner approve %s builds it, without secrets and untrusted", what, t.Commit, t.ID)
}
