package buildspec

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// planner expands one Spec.
type planner struct {
	*report // on the text of the file that holds the batch
	spec    *Spec
	opts    Options
	named   map[string]base // other files by path
	read    int             // bytes of them
	others  []Problem       // of them
	broken  bool            // one of them cannot be built
	size    int             // of the plan so far, in bytes
	total   int             // jobs that a matrix makes
	note    string          // why there are so many shards
}

// base is what the jobs of one file have in common.
type base struct {
	job  Job
	size int
	ok   bool
}

// Plan expands the buildspec into jobs. The error is an *Error, which holds everything that is wrong: more jobs than
// allowed, a plan too large to keep, another file that cannot be read or understood. The jobs share memory with each
// other and with the Spec; they are to be read only.
func (s *Spec) Plan(opts Options) (*Plan, error) {
	src := s.src
	if src == nil {
		src = &source{file: s.File} // a Spec that was not parsed has no text to show
	}
	p := &planner{report: newReport(src), spec: s, opts: opts, named: map[string]base{}}
	plan := &Plan{}
	if b := s.Batch; b != nil {
		plan.FastFail = b.FastFail
	}
	plan.Batch, plan.Jobs = p.jobs()
	plan.Note = p.note
	if !p.failed() && !p.broken {
		p.checkSize(len(plan.Jobs))
	}
	warnings := append(slices.Clip(s.Warnings), p.problems()...)
	slices.SortStableFunc(warnings, byPlace)
	warnings = append(warnings, p.others...)
	if p.failed() || p.broken {
		return nil, &Error{Problems: warnings}
	}
	plan.Warnings = warnings
	return plan, nil
}

func byPlace(a, b Problem) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

// jobs are the jobs of the file, with the kind of its batch.
func (p *planner) jobs() (kind string, jobs []Job) {
	b := p.spec.Batch
	switch {
	case b == nil:
		return "", p.single()
	case b.Fanout != nil:
		return "fanout", p.shards(b.Fanout)
	case b.Matrix != nil:
		return "matrix", p.matrix(b.Matrix)
	case b.Graph != nil:
		return "graph", p.entries(b.Graph, "build-graph")
	case b.List != nil:
		return "list", p.entries(b.List, "build-list")
	}
	return "", p.single()
}

func (p *planner) single() []Job {
	own := p.base()
	job := own.job
	job.ID, job.Name = "build", "build"
	p.size += own.size
	return []Job{job}
}

// shards makes the jobs of a fanout. Their identifiers count from 1, because CodeBuild's report groups carry them
// for people to read; Shard counts from 0, because programs do.
func (p *planner) shards(f *Fanout) []Job {
	count, at, what := p.countShards(f)
	if most := p.opts.MaxJobs; most > 0 && count > most {
		p.fail(at, complaint{
			message: fmt.Sprintf("%s is %d, and this project may run %d jobs in one build", what, count, most),
			hint:    fmt.Sprintf("write %s: %d, or raise limits.jobs of the project", what, most),
		})
		return nil
	}
	own := p.base()
	jobs := make([]Job, count)
	for i := range jobs {
		j := own.job
		j.ID = "BuildFanoutShard" + strconv.Itoa(i+1)
		j.Identifier = j.ID
		j.Name = fmt.Sprintf("shard %d/%d", i+1, count)
		j.Shard, j.Shards = i, count
		j.IgnoreFailure = f.IgnoreFailure
		jobs[i] = j
	}
	p.size += own.size * len(jobs)
	return jobs
}

// entries makes the jobs of a graph or a list, in the order of the file.
func (p *planner) entries(entries []Entry, kind string) []Job {
	if !p.allow(len(entries), p.spec.Batch.at, fmt.Sprintf("%s has %d entries", kind, len(entries))) {
		return nil
	}
	jobs := make([]Job, 0, len(entries))
	for i := range entries {
		e := &entries[i]
		from := p.file(e.Buildspec, e.specAt)
		if !from.ok {
			continue
		}
		j := from.job
		j.ID, j.Identifier, j.Name = e.Identifier, e.Identifier, e.Identifier
		j.DependsOn, j.IgnoreFailure, j.DebugSession = e.DependsOn, e.IgnoreFailure, e.DebugSession
		e.Env.apply(&j)
		p.size += from.size + 3*len(j.ID) + len(j.Image) + varBytes(j.BatchEnv) + textBytes(j.DependsOn)
		jobs = append(jobs, j)
	}
	return jobs
}

// apply changes a job's environment to what its entry says.
func (e EntryEnv) apply(j *Job) {
	j.Image = cmp.Or(e.Image, j.Image)
	j.Compute, j.EnvType, j.Privileged = e.ComputeType, e.Type, e.PrivilegedMode
	j.BatchEnv = e.Variables
}

// allow tells whether a build may have so many jobs.
func (p *planner) allow(jobs int, at mark, found string) bool {
	switch most := p.opts.MaxJobs; {
	case most > 0 && jobs > most:
		p.fail(at, complaint{
			message: fmt.Sprintf("%s, and this project may run %d jobs in one build", found, most),
			hint:    "make fewer jobs, or raise limits.jobs of the project",
		})
	case jobs > MaxJobs:
		p.fail(at, complaint{
			message: fmt.Sprintf("%s, and a build may have %d jobs", found, MaxJobs),
			hint:    "split it into several buildspecs, each with a project of its own",
		})
	default:
		return true
	}
	return false
}

// base is what the jobs of the file itself have in common.
func (p *planner) base() base { return baseOf(p.spec, p.opts.Image) }

// baseOf is what the jobs of a file have in common, on an image unless the file names one.
func baseOf(s *Spec, image string) base {
	j := Job{
		Buildspec: s.File, Version: s.Version,
		Image: cmp.Or(s.Env.Image, image), Shell: cmp.Or(s.Env.Shell, shells[0]),
		Env: s.Env.Variables, Parameters: s.Env.Parameters, Secrets: s.Env.Secrets,
		Exported: s.Env.Exported, GitCredentials: s.Env.GitCredentials,
		Phases: s.Phases, Reports: s.Reports, Artifacts: s.Artifacts, Secondary: s.Secondary, Cache: s.Cache,
		Services: s.Services, Images: s.Images, Network: s.Network, Patch: s.Patch, Sharding: s.Sharding, TestRetry: s.Retry,
	}
	return base{job: j, size: j.size(), ok: true}
}
