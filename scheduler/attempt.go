package scheduler

import (
	"context"
	"errors"
	"fmt"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// errSecrets wraps what keeps an attempt from its parameters and secrets.
var errSecrets = errors.New("a parameter or secret cannot be had")

// cannotStart is the result of an attempt that lacks something it needs.
func cannotStart(err error) runner.Result {
	res := runner.Result{Status: wire.StatusFault, Reason: "settings", Message: err.Error()}
	if errors.Is(err, errSecrets) {
		res.Reason = reasonSecrets
	}
	return res
}

// attempt puts together what package runner needs. Of an attempt whose job was sent already, the sandbox needs nothing
// any more: what cannot be had then is not worth its end, unless its agent turns out to have no job.
func (s *Scheduler) attempt(ctx context.Context, e *entry, l leased) (runner.Attempt, error) {
	b, a := l.build, l.attempt
	var lacks error // the first thing that the attempt has to do without
	note := func(err error) {
		if lacks == nil {
			lacks = err
		}
	}
	p, err := s.Project(b.Project)
	note(err)
	remote, err := s.remote(&p)
	note(err)
	pj, err := planJob(b, l.job.ID)
	if err != nil {
		return runner.Attempt{}, err
	}
	t, err := s.Trigger(b.Trigger)
	note(err)
	if lacks != nil && !a.Sent {
		return runner.Attempt{}, lacks
	}
	lim := s.limitsOf(&p)
	job, err := s.jobFor(ctx, &p, &t, l, pj, lim)
	note(err)
	if lacks != nil && !a.Sent {
		return runner.Attempt{}, lacks
	}
	if err != nil {
		s.log.Warn("not every secret of an adopted job can be masked a second time here; its agent masks them", "build", b.ID(), "job", l.job.ID, "error", err)
	}
	if !a.Sent {
		if err := s.keepKey(ctx, b, l.job); err != nil {
			s.log.Warn("noting that a job's settings changed before it started", "build", b.ID(), "job", l.job.ID, "error", err)
		}
	}
	if job.Git = gitCredentials(&p, b, pj, remote.Token); job.Git != nil {
		job.Secrets = append(job.Secrets, job.Git.Token)
	}
	images, lackingImages := s.imagesFor(ctx, &p, &t, b, pj, job.Env)
	if note(lackingImages); lacks != nil && !a.Sent {
		return runner.Attempt{}, lacks
	}
	if err := errors.Join(lackingImages, err); err != nil && len(pj.Images) > 0 {
		images = &runner.Images{Lacks: err.Error()} // the job goes on, and its images must not be left out in silence
	}
	limits := s.limitsFor(ctx, lim, pj, a.Engine)
	var instead *runner.Result
	if lacks != nil {
		res := cannotStart(lacks)
		instead = &res
	}
	return runner.Attempt{
		ID: workerID(b.ID(), l.job.ID, a.Number), Sandbox: a.Sandbox, Sent: a.Sent, Warm: a.Warm, Instead: instead,
		Begun: a.Begun || a.Sent && a.Boot != s.boot, Preface: preface(l.job, &a),
		Image: b.Images[pj.Image], Job: job,
		Source: runner.Checkout{Remote: remote, Commit: b.Commit, Ref: b.Ref, Depth: p.Depth, Submodules: p.Submodules, Stranger: b.Fork},
		Limits: limits, Log: a.Log, Set: a.Log, Timeout: lim.Timeout, Stop: e.stop, Resume: e.resume,
		Privileged: job.Privileged, Services: services(b, pj, limits), Network: s.networkOf(&p, b, pj), Cache: cacheScope(b, &t),
		Tests: s.testsOf(l), Images: images,
	}, nil
}

// jobFor is what the agent reads, with everything that depends on build and attempt.
func (s *Scheduler) jobFor(ctx context.Context, p *Project, t *Trigger, l leased, pj *buildspec.Job, lim config.Limits) (wire.Job, error) {
	job := wireJob(pj)
	job.Env = append(s.builtins(p, l, pj, t), s.builtBefore(l.build, pj)...)
	job.Retries = retries(l.job)
	job.Debug = job.Debug || t.Override.Debug
	job.Privileged = pj.Privileged && p.Privileged && !l.build.Fork
	job.Limits = wire.Limits{
		LogBytes: lim.LogBytes, ArtifactBytes: lim.ArtifactBytes, CacheBytes: lim.CacheBytes, ReportBytes: lim.ReportBytes,
		FileBytes: lim.DiskBytes,
	}
	env, mask, err := s.openSecrets(ctx, p, l.build, t, pj)
	if job.Secrets = mask; l.attempt.Sent {
		job.Secrets = append(job.Secrets, s.formerSecrets(ctx, p, l.build, t, pj)...)
	}
	if err != nil {
		return job, fmt.Errorf("%w: %w; it could when the build was planned, so look at the secret store", errSecrets, err)
	}
	job.Env = append(append(job.Env, env...), onlyTests(pj, t.Override.Only)...)
	job.Context = contextOf(pj)
	return job, nil
}

// limitsFor asks the engine what it has where a compute type has to be fitted into it.
func (s *Scheduler) limitsFor(ctx context.Context, lim config.Limits, pj *buildspec.Job, engine string) runner.Limits {
	var has runner.Capacity
	if ex, ok := s.runner.Executors[engine]; ok && pj.Compute != "" {
		var err error
		if has, err = ex.Capacity(ctx); err != nil {
			s.log.Warn("an engine does not tell what it has", "engine", engine, "error", err)
		}
	}
	limits, _ := jobLimits(lim, pj, has)
	return limits
}
