package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/source"
)

// maxBuildspec bounds the bytes of a buildspec that are read at all.
const maxBuildspec = 1 << 20

// makePlan fetches the commit, reads its buildspec, expands it and resolves its images, filling in b. All that a
// build needs from outside is fixed here, so that its jobs and its retries see one and the same.
func (s *Scheduler) makePlan(ctx context.Context, b *Build) ([]Job, *planFailure) {
	p, err := s.Project(b.Project)
	if err != nil {
		return nil, &planFailure{Fault, "project_removed", err.Error()}
	}
	t, err := s.Trigger(b.Trigger)
	if err != nil {
		return nil, &planFailure{Fault, "trigger", err.Error()}
	}
	remote, err := s.remote(&p)
	if err != nil {
		return nil, &planFailure{Fault, "settings", err.Error()}
	}
	if f := s.resolveCommit(ctx, &p, &t, remote, b); f != nil {
		return nil, f
	}
	images := func(ctx context.Context) *planFailure { return s.resolveImages(ctx, &p, b) }
	jobs, taken := s.takeOver(&t, b)
	if taken {
		images = func(ctx context.Context) *planFailure { return s.renewImages(ctx, &p, b, jobs) }
	} else if f := s.readPlan(ctx, &p, &t, remote, b); f != nil {
		return nil, f
	} else {
		jobs = newJobs(b)
	}
	group, gctx := errgroup.WithContext(ctx)
	var imageFailure, snapFailure *planFailure
	group.Go(func() error { imageFailure = images(gctx); return nil })
	group.Go(func() error { snapFailure = s.snapshot(gctx, &p, remote, b); return nil })
	_ = group.Wait()
	if f := cmp.Or(snapFailure, imageFailure); f != nil {
		return nil, f
	}
	return jobs, nil
}

func (s *Scheduler) resolveCommit(ctx context.Context, p *Project, t *Trigger, remote source.Remote, b *Build) *planFailure {
	want := source.Want{Ref: b.Ref, Commit: b.Commit}
	if want.Ref == "" && p.Branch != "" {
		want.Ref = "refs/heads/" + p.Branch
	}
	got, err := s.source.Fetch(ctx, remote, want)
	if err != nil {
		return sourceFailure(err)
	}
	b.Commit, b.Tree, b.Ref = got.Commit, got.Tree, cmp.Or(b.Ref, got.Ref)
	b.Title, b.Author = cmp.Or(b.Title, got.Subject), cmp.Or(b.Author, got.Author)
	b.Trusted = s.judgeTrust(p, t, got.DefaultBranch)
	return nil
}

// sourceFailure says whose fault it is that the source cannot be had: what does not exist was asked for wrongly;
// what cannot be reached is the machine's.
func sourceFailure(err error) *planFailure {
	f := &planFailure{Fault, "source", "the source could not be fetched: " + err.Error()}
	var fe *source.FetchError
	switch {
	case errors.Is(err, syscall.ENOSPC):
		f.reason = "disk_full"
	case errors.As(err, &fe):
		f.reason = "source_" + string(fe.Kind)
		if fe.UserFault() {
			f.status = Failed
		}
	}
	return f
}

func (s *Scheduler) readPlan(ctx context.Context, p *Project, t *Trigger, remote source.Remote, b *Build) *planFailure {
	path := cmp.Or(t.Override.Buildspec, p.Buildspec, buildspec.DefaultFile)
	data, err := s.source.ReadFile(ctx, remote.URL, b.Commit, path, maxBuildspec)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &planFailure{Failed, "buildspec_missing", fmt.Sprintf("the commit has no %s: %v; add it, or name another with the project's buildspec setting", path, err)}
	case err != nil:
		return &planFailure{Fault, "source", fmt.Sprintf("reading %s: %v", path, err)}
	}
	spec, err := buildspec.Parse(path, data)
	if err != nil {
		return &planFailure{Failed, "buildspec", err.Error()}
	}
	plan, err := spec.Plan(buildspec.Options{Image: p.Image})
	if err != nil {
		return &planFailure{Failed, "buildspec", err.Error()}
	}
	for i := range plan.Jobs {
		j := &plan.Jobs[i]
		j.Image = cmp.Or(t.Override.Image, j.Image)
		if j.Image == "" && !s.needsNoImage(p) {
			return &planFailure{Failed, "no_image", fmt.Sprintf("no image to run %s in: write one under env.image in %s, or set the project's image", j.Name, path)}
		}
	}
	b.Plan, b.Warnings = plan, planWarnings(plan)
	return nil
}

func planWarnings(plan *buildspec.Plan) (out []string) {
	for _, w := range plan.Warnings {
		out = append(out, w.String())
	}
	return out
}

func (s *Scheduler) needsNoImage(p *Project) bool {
	engines := s.config().Engines
	i := 0
	if p.Engine != "" {
		i = slices.IndexFunc(engines, func(e config.Engine) bool { return e.ID == p.Engine })
	}
	return i >= 0 && engines[i].Type == "process"
}

// executor finds the engine that a project's jobs run on.
func (s *Scheduler) executor(p *Project) (runner.Executor, *planFailure) {
	engine := cmp.Or(p.Engine, s.config().Engines[0].ID)
	ex, ok := s.runner.Executors[engine]
	if !ok {
		return nil, &planFailure{Fault, engineUnknown, fmt.Sprintf("project %q runs on engine %q, which is not configured; add it under engines", p.Name, engine)}
	}
	return ex, nil
}

func (s *Scheduler) resolveImages(ctx context.Context, p *Project, b *Build) *planFailure {
	ex, f := s.executor(p)
	if f != nil {
		return f
	}
	b.Images = make(map[string]runner.Image)
	for i := range b.Plan.Jobs {
		ref := b.Plan.Jobs[i].Image
		if _, done := b.Images[ref]; done {
			continue
		}
		img, f := s.askForImage(ctx, ex, p, ref)
		if f != nil {
			return f
		}
		b.Images[ref] = img
	}
	return nil
}

// askForImage resolves a reference with the project's pull policy and its registry's credentials.
func (s *Scheduler) askForImage(ctx context.Context, ex runner.Executor, p *Project, ref string) (runner.Image, *planFailure) {
	auth, err := s.registryAuth(ref)
	if err != nil {
		return runner.Image{}, &planFailure{Fault, "settings", err.Error()}
	}
	return resolveImage(ctx, ex, runner.ImageRequest{Ref: ref, Pull: p.Pull, Auth: auth})
}

// Reasons of builds that ended at their image or their engine.
const (
	imageMissing      = "image"
	engineUnavailable = "engine_unavailable"
	engineUnknown     = "unknown_engine"
)

func resolveImage(ctx context.Context, ex runner.Executor, req runner.ImageRequest) (runner.Image, *planFailure) {
	img, err := ex.Resolve(ctx, req)
	var missing *runner.ImageError
	switch {
	case err == nil:
		return img, nil
	case errors.As(err, &missing):
		return img, &planFailure{Fault, imageMissing, err.Error()}
	}
	return img, &planFailure{Fault, engineUnavailable, err.Error() + "; start it (systemctl start docker), or correct engines in the configuration"}
}

// snapshot lays the tree out once, before any job asks for it.
func (s *Scheduler) snapshot(ctx context.Context, p *Project, remote source.Remote, b *Build) *planFailure {
	snap, err := s.source.Snapshot(ctx, remote, b.Commit, source.SnapshotOptions{Submodules: p.Submodules})
	if err != nil {
		return sourceFailure(err)
	}
	snap.Release()
	return nil
}

func newJobs(b *Build) []Job {
	var jobs []Job
	for i := range b.Plan.Jobs {
		pj := &b.Plan.Jobs[i]
		j := Job{Build: b.ID(), ID: pj.ID, Name: pj.Name, Shard: pj.Shard, Shards: pj.Shards, State: JobQueued, Status: InProgress, Why: "waits for a slot"}
		if len(pj.DependsOn) > 0 {
			j.State, j.Why = JobBlocked, "waits for other jobs"
		}
		jobs = append(jobs, j)
	}
	return jobs
}
