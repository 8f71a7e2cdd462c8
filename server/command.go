package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/runner-ci/runner/forge"
	"github.com/runner-ci/runner/scheduler"
)

// takeCommand does what a comment on a pull request asks for. Whom the forge tells to belong to the repository may have a
// pull request built, which is an approval of the commit that the forge told of last, and have what failed tried again.
// What anybody else asks for waits like a pull request from a fork, and so does what nobody told the commit of: the one
// that the person looked at who asked for it could be another than the one that is there now.
func (a *api) takeCommand(ctx context.Context, f forge.Forge, delivery string, projects []string, e forge.Event) ([]hookAnswer, error) {
	if e.Command == forge.CommandRetry && e.Member && e.Skip == "" {
		return a.takeRetries(ctx, delivery, projects, e)
	}
	t := hookTrigger(delivery, projects, e)
	if t.Commit == "" && t.Skip == "" {
		head, known, err := a.Scheduler.HeadOf(projects, e.PullRequest)
		if err != nil {
			return nil, err
		}
		if known {
			t.Commit, t.Fork, t.HeadRepo, t.HeadRef, t.BaseRef = head.Commit, head.Fork, head.HeadRepo, head.HeadRef, head.BaseRef
			t.Ref, t.Title, t.Draft, t.Labels = head.Ref, head.Title, head.Draft, head.Labels
		}
	}
	if e.Meant != "" && t.Commit != "" && t.Skip == "" && !strings.HasPrefix(t.Commit, e.Meant) {
		t.Skip = fmt.Sprintf("the command is for commit %s, and the head of the pull request is %.12s by now: look at that one", e.Meant, t.Commit)
	}
	if e.Member && t.Commit != "" && t.Skip == "" {
		t.Approved = &scheduler.Approval{By: cmp.Or(e.Actor, e.ActorID) + " at " + f.Name(), At: time.Now(), Commit: t.Commit}
	}
	answer, err := a.takeTrigger(ctx, t)
	return []hookAnswer{answer}, err
}

// takeRetries retries the newest build of a pull request, of each project.
func (a *api) takeRetries(ctx context.Context, delivery string, projects []string, e forge.Event) ([]hookAnswer, error) {
	var all []hookAnswer
	for _, project := range projects {
		answer, err := a.takeRetry(ctx, delivery+"/"+project, project, e)
		if err != nil {
			return nil, err
		}
		all = append(all, answer)
	}
	return all, nil
}

// takeRetry retries a project's newest build of a pull request that came to its jobs. What speaks against it is the reason of a trigger that
// was skipped, since nobody reads what a webhook is answered.
func (a *api) takeRetry(ctx context.Context, delivery, project string, e forge.Event) (hookAnswer, error) {
	first, again, err := a.Scheduler.Delivered(delivery)
	if err != nil || again {
		answer := answerOf(first) // the newest build may be another one by now
		answer.again = again
		return answer, err
	}
	skipped := hookTrigger(delivery, []string{project}, e)
	b, err := a.Scheduler.NewestBuild(project, []string{e.Ref})
	if err != nil {
		return hookAnswer{}, err
	}
	if b == nil {
		skipped.Skip = fmt.Sprintf("no build of pull request #%d has come to its jobs, so there is nothing to retry; /runner build makes one", e.PullRequest)
		return a.takeTrigger(ctx, skipped)
	}
	answer, err := a.takeTrigger(ctx, scheduler.Trigger{
		Kind: scheduler.KindRetry, Projects: []string{project}, Delivery: delivery, RetryOf: b.ID(),
		FailedOnly: b.Status != scheduler.Succeeded, Actor: e.Actor, ActorID: e.ActorID,
	})
	var conflict *scheduler.ConflictError
	if errors.As(err, &conflict) {
		skipped.Skip = conflict.What
		return a.takeTrigger(ctx, skipped)
	}
	return answer, err
}
