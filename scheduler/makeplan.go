package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/internal/failpoint"
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
		return nil, &planFailure{status: Fault, reason: "project_removed", message: err.Error()}
	}
	t, err := s.Trigger(b.Trigger)
	if err != nil {
		return nil, &planFailure{status: Fault, reason: "trigger", message: err.Error()}
	}
	remote, err := s.remote(&p)
	if err != nil {
		return nil, &planFailure{status: Fault, reason: "settings", message: err.Error()}
	}
	ahead := s.lookAhead(ctx, &p)
	if f := s.resolveCommit(ctx, &p, &t, remote, b); f != nil {
		return nil, f
	}
	failpoint.Pass("2/commit-fetched")
	images := func(ctx context.Context, p *Project, b *Build, jobs []Job) *planFailure {
		return s.resolveImages(ctx, p, b, jobs, ahead)
	}
	jobs, taken := s.takeOver(&t, b)
	if taken {
		images = s.renewImages
	} else if f := s.readPlan(ctx, &p, &t, remote, b); f != nil {
		return nil, f
	} else {
		jobs = newJobs(b)
	}
	b.Given = givenBy(&p)
	s.readQuarantine(ctx, remote, b)
	if f := s.judgeJobs(ctx, &p, b, jobs); f != nil {
		return nil, f
	}
	warnOfOrigin(&t, b)
	s.leaveImagesOut(b)
	if f := s.checkSecrets(ctx, &p, &t, b, jobs); f != nil {
		return nil, f
	}
	if f := s.checkImages(ctx, &p, &t, b, jobs); f != nil {
		return nil, f
	}
	later := takesResults(&p, &t, b) // where all results were had before, nobody wants the tree
	group, gctx := errgroup.WithContext(ctx)
	var imageFailure, snapFailure *planFailure
	group.Go(func() error { imageFailure = images(gctx, &p, b, jobs); return nil })
	if !later {
		group.Go(func() error { snapFailure = s.snapshot(gctx, &p, remote, b); return nil })
	}
	_ = group.Wait()
	if f := cmp.Or(snapFailure, imageFailure); f != nil {
		return nil, f
	}
	warnOfAliases(b)
	s.proveJobs(ctx, &p, &t, b, jobs)
	if later && !allTaken(jobs) {
		if f := s.snapshot(ctx, &p, remote, b); f != nil {
			return nil, f
		}
	}
	failpoint.Pass("2/plan-made")
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
	b.Commit, b.Tree, b.Ref, b.Committed = got.Commit, got.Tree, cmp.Or(b.Ref, got.Ref), got.When
	b.Title, b.Author = cmp.Or(b.Title, got.Subject), cmp.Or(b.Author, got.Author)
	b.Trusted = s.judgeTrust(p, t, got.DefaultBranch)
	joinGroup(p, b)
	if b.Fork || !s.commitByHand(t) {
		return nil
	}
	// Forges give out commits of forks, too.
	pushed, err := s.source.Pushed(ctx, remote, b.Commit)
	if err != nil {
		return sourceFailure(err)
	}
	if !pushed {
		b.Trusted, b.Fork = false, true
	}
	return nil
}

// warnOfOrigin tells that a build counts as a stranger's although a person started it.
func warnOfOrigin(t *Trigger, b *Build) {
	if (t.Kind == KindManual || t.Kind == KindRetry) && b.Fork && branchOrTag(b.Ref) {
		b.Warnings = append(b.Warnings, "no branch or tag of the repository leads to this commit, so it may be anybody's: the build is untrusted and gets nothing that a stranger's would not get")
	}
}

// sourceFailure says whose fault it is that the source cannot be had: what does not exist was asked for wrongly;
// what cannot be reached is the machine's.
func sourceFailure(err error) *planFailure {
	f := &planFailure{status: Fault, reason: "source", message: "the source could not be fetched: " + err.Error()}
	var fe *source.FetchError
	switch {
	case errors.Is(err, syscall.ENOSPC):
		f.reason, f.passing = "disk_full", true
	case errors.As(err, &fe):
		f.reason = "source_" + string(fe.Kind)
		if fe.UserFault() {
			f.status = Failed
		}
		f.passing = fe.Kind == source.KindUnreachable || fe.Kind == source.KindTimeout || fe.Kind == source.KindInternal
	}
	return f
}

func (s *Scheduler) readPlan(ctx context.Context, p *Project, t *Trigger, remote source.Remote, b *Build) *planFailure {
	name, data, f := s.readBuildspec(ctx, p, t, remote, b)
	if f != nil {
		return f
	}
	spec, err := buildspec.Parse(name, data)
	if err != nil {
		return &planFailure{status: Failed, reason: "buildspec", message: err.Error()}
	}
	var trouble error // of the mirror, which is nobody's buildspec's
	most := int(min(s.limitsOf(p).Jobs, buildspec.MaxJobs))
	plan, err := spec.Plan(buildspec.Options{Image: p.Image, MaxJobs: most, Parallelism: t.Override.Shards, Shards: s.chooseShards(p), Read: func(path string) ([]byte, error) {
		data, err := s.source.ReadFile(ctx, remote.URL, b.Commit, path, maxBuildspec)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && sourceFailure(err).status == Fault {
			trouble = err
		}
		return data, err
	}})
	switch {
	case err != nil && trouble != nil:
		return &planFailure{status: Fault, reason: "source", message: fmt.Sprintf("reading the buildspecs that %s names: %v", name, trouble)}
	case err != nil:
		return &planFailure{status: Failed, reason: "buildspec", message: err.Error()}
	}
	if t.Override.Shards > 0 && plan.Batch != "fanout" {
		return notThere(fmt.Sprintf("%s has no build-fanout, so there are no shards to have %d of", name, t.Override.Shards))
	}
	if f := narrow(plan, t.Override.Only); f != nil {
		return f
	}
	for i := range plan.Jobs {
		j := &plan.Jobs[i]
		j.Image = cmp.Or(t.Override.Image, j.Image)
		refused := buildspec.ForeignType(j.EnvType) || buildspec.WindowsShell(j.Shell)
		if j.Image == "" && !refused && !s.needsNoImage(p) {
			return &planFailure{status: Failed, reason: "no_image", message: fmt.Sprintf("no image to run %s in: write one under env.image in %s, or set the project's image", j.Name, name)}
		}
	}
	b.Plan, b.Warnings, b.Note = plan, planWarnings(plan), plan.Note
	return nil
}

// inlineName is what a buildspec is called that stands in a project's settings.
const inlineName = "buildspec"

// readBuildspec returns the text of the build's own buildspec: the one that the trigger names, else the project's.
func (s *Scheduler) readBuildspec(ctx context.Context, p *Project, t *Trigger, remote source.Remote, b *Build) (name string, data []byte, f *planFailure) {
	name = cmp.Or(t.Override.Buildspec, p.Buildspec, buildspec.DefaultFile)
	if t.Override.Buildspec == "" && p.InlineBuildspec() {
		return inlineName, []byte(p.Buildspec), nil
	}
	data, err := s.source.ReadFile(ctx, remote.URL, b.Commit, name, maxBuildspec)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return name, nil, &planFailure{status: Failed, reason: "buildspec_missing", message: fmt.Sprintf("the commit has no %s: %v; add it, or name another with the project's buildspec setting", name, err)}
	case err != nil:
		return name, nil, &planFailure{status: Fault, reason: "source", message: fmt.Sprintf("reading %s: %v", name, err)}
	}
	return name, data, nil
}

func planWarnings(plan *buildspec.Plan) (out []string) {
	for _, w := range plan.Warnings {
		out = append(out, w.String())
	}
	return out
}

func (s *Scheduler) needsNoImage(p *Project) bool {
	engine := s.engineOf(p)
	return slices.ContainsFunc(s.config().Engines, func(e config.Engine) bool { return e.ID == engine && e.Type == "process" })
}

// engineOf is the id of the engine that a project's jobs run on.
func (s *Scheduler) engineOf(p *Project) string { return cmp.Or(p.Engine, s.config().Engines[0].ID) }

// executor finds the engine that a project's jobs run on.
func (s *Scheduler) executor(p *Project) (runner.Executor, *planFailure) {
	engine := s.engineOf(p)
	ex, ok := s.runner.Executors[engine]
	if !ok {
		return nil, &planFailure{status: Fault, reason: engineUnknown, message: fmt.Sprintf("project %q runs on engine %q, which is not configured; add it under engines", p.Name, engine)}
	}
	return ex, nil
}

// snapshot lays the tree out once, before any job asks for it.
func (s *Scheduler) snapshot(ctx context.Context, p *Project, remote source.Remote, b *Build) *planFailure {
	snap, err := s.source.Snapshot(ctx, remote, b.Commit, source.SnapshotOptions{Submodules: p.Submodules, Stranger: b.Fork})
	if err != nil {
		return sourceFailure(err)
	}
	snap.Release()
	return nil
}

// newJobs makes the rows of a plan's jobs, in its order.
func newJobs(b *Build) []Job {
	jobs := make([]Job, 0, len(b.Plan.Jobs))
	names := make(map[string]string, len(b.Plan.Jobs))
	for i := range b.Plan.Jobs {
		names[b.Plan.Jobs[i].ID] = b.Plan.Jobs[i].Name
	}
	for i := range b.Plan.Jobs {
		pj := &b.Plan.Jobs[i]
		j := Job{Build: b.ID(), ID: pj.ID, Name: pj.Name, Shard: pj.Shard, Shards: pj.Shards, State: JobQueued, Status: InProgress, Why: waitsForSlot}
		if len(pj.DependsOn) > 0 {
			var on []string
			for _, id := range pj.DependsOn {
				on = append(on, cmp.Or(names[id], id))
			}
			j.State, j.Why = JobBlocked, waitsFor(on)
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// waitsForSlot is what a job that could run waits for.
const waitsForSlot = "waits for a slot"

// waitsFor names the jobs that a blocked one waits for, the first few of them.
func waitsFor(jobs []string) string {
	const most = 4
	if len(jobs) > most {
		return fmt.Sprintf("waits for %s and %d more", strings.Join(jobs[:most], ", "), len(jobs)-most)
	}
	return "waits for " + strings.Join(jobs, ", ")
}
