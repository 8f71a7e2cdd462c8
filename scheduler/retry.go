package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/runner-ci/runner/runner"
)

// fillRetry completes a retry's trigger with what the build was asked for that it retries: its jobs see the same
// variables, and a plan that has to be made anew is made the same way.
func (s *Scheduler) fillRetry(t *Trigger) error {
	old, err := s.Build(t.RetryOf)
	if err != nil {
		return err
	}
	if !old.Status.Ended() {
		return &ConflictError{"build " + old.ID() + " still runs", "stop it first, or wait for its end"}
	}
	asked, err := s.Trigger(old.Trigger)
	if err != nil {
		return fmt.Errorf("what build %s was asked for: %w", old.ID(), err)
	}
	if t.FailedOnly && old.Status == Succeeded {
		return &ConflictError{"nothing failed in build " + old.ID(), "retry all of it, without --failed"}
	}
	t.Projects, t.Ref, t.Commit, t.Title = []string{old.Project}, old.Ref, old.Commit, old.Title
	t.Event, t.ActorID, t.Before = asked.Event, asked.ActorID, asked.Before
	t.Image = asked.Image
	t.PullRequest, t.HeadRef, t.BaseRef = asked.PullRequest, asked.HeadRef, asked.BaseRef
	t.Override = asked.Override
	if t.Submitter = asked.Submitter; asked.Kind == KindSubmit {
		t.Submitter = asked.Actor
	}
	t.Override.Parameters = old.Parameters
	t.Fork = asked.Fork || old.Fork
	t.SourceVersion = sourceVersion(&old, &asked)
	return nil
}

// unjudged follows a retry to what it is judged by: the build that it, or a retry in between, retried, where the source of
// that was had; else the trigger of the first one. Where it is nil, nobody has judged yet.
func (s *Scheduler) unjudged(t Trigger) (asked Trigger, judged *Build, err error) {
	for t.Kind == KindRetry {
		old, err := s.Build(t.RetryOf)
		if err != nil {
			return t, nil, err
		}
		if old.Tree != "" {
			return t, &old, nil
		}
		if t, err = s.Trigger(old.Trigger); err != nil {
			return t, nil, err
		}
	}
	return t, nil, nil
}

// judgeTrust is trusted for any trigger. A retry is trusted as the build it retries was; where that one ended before
// its source was had, nobody has judged it yet, and its own trigger is.
func (s *Scheduler) judgeTrust(p *Project, t *Trigger, defaultBranch string) bool {
	asked, judged, err := s.unjudged(*t)
	switch {
	case err != nil:
		return false
	case judged != nil:
		return judged.Trusted
	}
	return trusted(p, &asked, defaultBranch)
}

// MayBeTrusted tells whether a build is trusted, or may turn out to be: one whose source was not had has been judged by
// nobody, and it, or a retry of it, still will be. What cannot be known counts as yes.
func (s *Scheduler) MayBeTrusted(build string) (bool, error) {
	b, err := s.Build(build)
	if err != nil || b.Trusted || b.Tree != "" || b.Fork {
		return b.Trusted, err
	}
	t, err := s.Trigger(b.Trigger)
	if err != nil {
		return true, nil
	}
	asked, judged, err := s.unjudged(t)
	p, perr := s.Project(b.Project)
	switch {
	case err != nil || perr != nil:
		return true, nil
	case judged != nil:
		return judged.Trusted, nil
	}
	asked.Ref = cmp.Or(asked.Ref, b.Ref, "refs/heads/"+cmp.Or(p.Branch, "HEAD")) // which may be the default branch
	return trusted(&p, &asked, asked.Ref), nil
}

// commitByHand tells whether a person named the commit, and nobody has judged yet where it comes from.
func (s *Scheduler) commitByHand(t *Trigger) bool {
	asked, judged, err := s.unjudged(*t)
	return err == nil && judged == nil && asked.Kind == KindManual && asked.Commit != ""
}

// takeOver gives a retry the plan and the images of the build it retries, and, when only the failed jobs are
// wanted, the results of those that succeeded. It reports false where there is nothing to take over.
func (s *Scheduler) takeOver(t *Trigger, b *Build) ([]Job, bool) {
	old, results, ok := s.predecessor(t)
	if !ok {
		return nil, false
	}
	b.Plan, b.Images, b.Warnings, b.Note = old.Plan, old.Images, planWarnings(old.Plan), old.Plan.Note
	jobs := newJobs(b)
	if !results {
		return jobs, true
	}
	former, err := s.Jobs(old.ID())
	if err != nil {
		return jobs, true
	}
	for i := range jobs {
		f := slices.IndexFunc(former, func(j Job) bool { return j.ID == jobs[i].ID && j.Status == Succeeded })
		if f < 0 {
			continue
		}
		taken := former[f]
		taken.Build = b.ID()
		taken.TakenFrom = cmp.Or(taken.TakenFrom, old.ID())
		jobs[i] = taken
	}
	return jobs, true
}

// predecessor finds the build whose plan a retry takes over, and tells whether it takes over results, too. It is the
// build that is retried; but a retry that ended before it had a plan passes on to the one that it retried itself.
func (s *Scheduler) predecessor(t *Trigger) (old Build, results, ok bool) {
	results = true
	for t.Kind == KindRetry {
		results = results && t.FailedOnly
		old, err := s.Build(t.RetryOf)
		if err != nil {
			return Build{}, false, false
		}
		if s.havePlan(&old) {
			return old, results, true
		}
		asked, err := s.Trigger(old.Trigger)
		if err != nil {
			return Build{}, false, false
		}
		t = &asked
	}
	return Build{}, false, false
}

// havePlan tells whether planning came to its end: there is a plan, and an image for each of its jobs.
func (s *Scheduler) havePlan(b *Build) bool {
	if b.Plan == nil {
		return false
	}
	for i := range b.Plan.Jobs {
		for _, ref := range s.imagesOf(&b.Plan.Jobs[i]) {
			if _, ok := b.Images[ref]; !ok {
				return false
			}
		}
	}
	return true
}

// renewImages sees to it that the engine has the images which a retry took over and still needs. They are pinned by
// the engine's own ids, and between a build and its retry somebody may have cleaned the engine up.
func (s *Scheduler) renewImages(ctx context.Context, p *Project, b *Build, jobs []Job) *planFailure {
	ex, f := s.executor(p)
	if f != nil {
		return f
	}
	images, seen := maps.Clone(b.Images), make(map[string]bool)
	for i := range jobs {
		if jobs[i].State == JobEnded {
			continue
		}
		for _, ref := range s.imagesOf(&b.Plan.Jobs[i]) {
			if seen[ref] {
				continue
			}
			seen[ref] = true
			old := images[ref]
			img, f := s.renewImage(ctx, ex, p, ref, old, s.lends(p, b, ref))
			if f != nil {
				return f
			}
			if old.ID != "" && img.ID != old.ID && (old.Digest == "" || img.Digest != old.Digest) {
				b.Warnings = append(b.Warnings, fmt.Sprintf(
					"image %q may differ from the one of the build that this one retries: %s is gone from engine %s and cannot be pulled again, so %s is used, which has the name now",
					ref, old.ID, ex.Engine(), img.ID))
			}
			images[ref] = img
		}
	}
	b.Images = images
	return nil
}

// renewImage returns the same image where that can be had, else the one that has its name now.
func (s *Scheduler) renewImage(ctx context.Context, ex runner.Executor, p *Project, written string, old runner.Image, lend bool) (runner.Image, *planFailure) {
	if old.ID == "" { // of a job that was refused, or an engine that has no images
		return s.takeImage(ctx, ex, p, written, lend)
	}
	img, f := resolveImage(ctx, ex, runner.ImageRequest{Ref: old.ID, Pull: "never"})
	if f.noImage() && old.Digest != "" {
		img, f = s.askForImage(ctx, ex, p, old.Pinned(), lend)
	}
	if f.noImage() {
		return s.askForImage(ctx, ex, p, old.Ref, lend)
	}
	img.Ref, img.Digest = old.Ref, old.Digest
	return img, f
}
