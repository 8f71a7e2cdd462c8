package scheduler

import (
	"cmp"
	"strings"
	"time"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// wireJob translates a planned job into what the agent reads. What depends on the build and the attempt is not in it.
func wireJob(j *buildspec.Job) wire.Job {
	out := wire.Job{
		Version: j.Version, Shell: j.Shell, Shard: wire.Shard{Index: j.Shard, Count: j.Shards},
		Exported: j.Exported, Artifacts: wireArtifact(j.Artifacts), Cache: wireCache(j.Cache),
		Buildspec: j.Buildspec, Debug: j.DebugSession, Sharding: j.Sharding,
	}
	if j.TestRetry != nil {
		out.Sharding = cmp.Or(out.Sharding, wire.StrategyQueue) // by which tests can be tried again
	}
	for _, p := range j.Phases {
		out.Phases = append(out.Phases, wirePhase(&p))
		for _, r := range p.Runtimes {
			out.Runtimes = append(out.Runtimes, wire.Var{Name: r.Name, Value: r.Value})
		}
	}
	for i := range j.Secondary {
		out.Secondary = append(out.Secondary, *wireArtifact(&j.Secondary[i]))
	}
	if len(j.Patch) > 0 {
		out.Secondary = append(out.Secondary, wire.ArtifactSpec{ID: wire.PatchID, Files: j.Patch})
	}
	for _, r := range j.Reports {
		out.Reports = append(out.Reports, wire.ReportSpec{
			Group: r.Group, Files: r.Files, Format: r.Format, BaseDirectory: r.BaseDirectory, DiscardPaths: r.DiscardPaths,
		})
	}
	return out
}

func wirePhase(p *buildspec.Phase) wire.Phase {
	out := wire.Phase{Name: p.Name, RunAs: p.RunAs, OnFailure: p.OnFailure}
	for _, c := range p.Commands {
		out.Commands = append(out.Commands, c.Text)
	}
	for _, c := range p.Finally {
		out.Finally = append(out.Finally, c.Text)
	}
	if p.Retry != nil {
		out.Retry = &wire.Retry{Count: p.Retry.Count, Pattern: p.Retry.Pattern}
	}
	return out
}

func wireArtifact(a *buildspec.Artifacts) *wire.ArtifactSpec {
	if a == nil {
		return nil
	}
	return &wire.ArtifactSpec{
		ID: a.ID, Files: a.Files, Name: a.Name, BaseDirectory: a.BaseDirectory, ExcludePaths: a.ExcludePaths,
		DiscardPaths: a.DiscardPaths, EnableSymlinks: a.EnableSymlinks,
	}
}

func wireCache(c *buildspec.Cache) *wire.CacheSpec {
	if c == nil {
		return nil
	}
	return &wire.CacheSpec{
		Paths: c.Paths, Key: c.Key, Fallback: c.Fallback,
		Restore: !strings.EqualFold(c.Action, "save"), Save: !strings.EqualFold(c.Action, "restore"),
	}
}

// services are the containers beside a job, each within the limits of the job's own.
func services(b *Build, pj *buildspec.Job, l runner.Limits) (out []runner.Service) {
	for _, s := range pj.Services {
		service := runner.Service{
			Name: s.Name, Image: b.Images[s.Image], Command: s.Command, Entrypoint: s.Entrypoint, Limits: l,
		}
		for _, v := range s.Env {
			service.Env = append(service.Env, v.Name+"="+v.Value)
		}
		if h := s.Health; h != nil {
			service.Health = &runner.Health{
				Command: h.Command, Interval: seconds(h.Interval), Timeout: seconds(h.Timeout), Retries: h.Retries,
				StartPeriod: seconds(h.StartPeriod),
			}
		}
		out = append(out, service)
	}
	return out
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// imagesOf are the references of the images that a job needs: its own first, then those of its services, then that of its
// builder.
func (s *Scheduler) imagesOf(pj *buildspec.Job) []string {
	refs := []string{pj.Image}
	for _, service := range pj.Services {
		refs = append(refs, service.Image)
	}
	if len(pj.Images) > 0 {
		refs = append(refs, s.config().Images.Builder)
	}
	return refs
}
