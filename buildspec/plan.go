package buildspec

import (
	"fmt"
	"slices"
	"strconv"
)

// maxPlanBytes bounds the text of a plan over all of its jobs. The plan is stored with its build, and aliases and
// shards can multiply a short file.
const maxPlanBytes = 16 << 20

// Options are what a plan takes from outside the text.
type Options struct {
	Image   string // the project's image, for a buildspec that names none
	MaxJobs int    // 0: no bound but the language's own

	// Read returns another file of the same commit, for batch entries that name one. nil: such files are not looked
	// at, and their jobs have no phases. Its error is told at the entry that names the file.
	Read func(path string) ([]byte, error) `json:"-"`
}

// Plan is a build's jobs and how they hang together. It is stored, so that a retry runs the same.
type Plan struct {
	Batch    string    `json:"batch,omitempty"`    // "graph", "list", "matrix" or "fanout"; "" for a plain build
	FastFail bool      `json:"fastFail,omitempty"` // stop the others at the first job that fails
	Jobs     []Job     `json:"jobs"`               // at least one
	Warnings []Problem `json:"warnings,omitempty"`
}

// Job is one container's worth of a build, complete in itself: a graph, a list or a matrix makes jobs that differ
// in any of its fields, a fanout makes jobs that differ in their shard.
type Job struct {
	ID         string `json:"id"`                   // unique in the plan: "build", "BuildFanoutShard1", "linux_small"
	Identifier string `json:"identifier,omitempty"` // CODEBUILD_BATCH_BUILD_IDENTIFIER, "" for a plain build
	Name       string `json:"name"`                 // for people: "build", "shard 3/6", "linux_small"
	Buildspec  string `json:"buildspec"`            // the file that its phases stand in
	Version    string `json:"version"`              // of that file: "0.1" gives each command a shell of its own
	Image      string `json:"image,omitempty"`      // "": neither buildspec nor project names one
	Shell      string `json:"shell"`

	Env            []Var       `json:"env,omitempty"`      // env.variables of the file
	BatchEnv       []Var       `json:"batchEnv,omitempty"` // of its batch entry, which win over the project's
	Parameters     []Parameter `json:"parameters,omitempty"`
	Secrets        []SecretRef `json:"secrets,omitempty"`
	Exported       []string    `json:"exported,omitempty"`
	GitCredentials bool        `json:"gitCredentials,omitempty"`

	Phases    []Phase     `json:"phases"` // always the four, in order
	Reports   []Report    `json:"reports,omitempty"`
	Artifacts *Artifacts  `json:"artifacts,omitempty"`
	Secondary []Artifacts `json:"secondary,omitempty"`
	Cache     *Cache      `json:"cache,omitempty"`
	Services  []Service   `json:"services,omitempty"`

	Compute      string `json:"compute,omitempty"` // "BUILD_GENERAL1_SMALL", …; see ComputeOf
	EnvType      string `json:"envType,omitempty"` // "LINUX_CONTAINER", …
	Privileged   bool   `json:"privileged,omitempty"`
	DebugSession bool   `json:"debugSession,omitempty"` // codebuild-breakpoint holds the build

	Shard         int      `json:"shard,omitempty"`         // from 0
	Shards        int      `json:"shards,omitempty"`        // 0 or 1: not sharded
	DependsOn     []string `json:"dependsOn,omitempty"`     // ids of jobs that must succeed before this one starts
	IgnoreFailure bool     `json:"ignoreFailure,omitempty"` // the build can succeed although this job failed
}

// Plan expands the buildspec into jobs. The error is an *Error: more jobs than allowed, or a plan too large to keep.
// The jobs share memory with each other and with the Spec; they are to be read only.
func (s *Spec) Plan(opts Options) (*Plan, error) {
	plan := &Plan{Warnings: s.Warnings}
	job := s.job(opts)
	if s.Batch == nil || s.Batch.Fanout == nil {
		job.ID, job.Name = "build", "build"
		plan.Jobs = []Job{job}
	} else {
		fanout := s.Batch.Fanout
		if opts.MaxJobs > 0 && fanout.Parallelism > opts.MaxJobs {
			return nil, s.refuse(fanout.at, complaint{
				message: fmt.Sprintf("parallelism is %d, and this project may run %d jobs in one build", fanout.Parallelism, opts.MaxJobs),
				hint:    fmt.Sprintf("write parallelism: %d, or raise the project's limit", opts.MaxJobs),
			})
		}
		plan.Jobs = shards(job, *fanout)
	}
	if s.Batch != nil {
		plan.FastFail = s.Batch.FastFail
	}
	if size := job.size() * len(plan.Jobs); size > maxPlanBytes {
		return nil, s.refuse(mark{}, complaint{
			message: fmt.Sprintf("the plan of this build has %d bytes over %d jobs, and may have %d", size, len(plan.Jobs), maxPlanBytes),
			hint:    "move long scripts into files of the repository, or lower parallelism",
		})
	}
	return plan, nil
}

// job is what every job of the file has in common.
func (s *Spec) job(opts Options) Job {
	j := Job{
		Buildspec: s.File, Version: s.Version,
		Image: s.Env.Image, Shell: s.Env.Shell, Env: s.Env.Variables,
		Phases: s.Phases, Artifacts: s.Artifacts,
	}
	if j.Image == "" {
		j.Image = opts.Image
	}
	if j.Shell == "" {
		j.Shell = shells[0]
	}
	return j
}

// shards makes the jobs of a fanout. Their identifiers count from 1, because CodeBuild's report groups carry them
// for people to read; Shard counts from 0, because programs do.
func shards(common Job, f Fanout) []Job {
	jobs := make([]Job, f.Parallelism)
	for i := range jobs {
		j := common
		j.ID = "BuildFanoutShard" + strconv.Itoa(i+1)
		j.Identifier = j.ID
		j.Name = fmt.Sprintf("shard %d/%d", i+1, f.Parallelism)
		j.Shard, j.Shards = i, f.Parallelism
		j.IgnoreFailure = f.IgnoreFailure
		jobs[i] = j
	}
	return jobs
}

// itemBytes is what each stored item costs besides its text.
const itemBytes = 32

// size is about what a job takes in the state, in bytes.
func (j Job) size() int {
	n := len(j.Image) + len(j.Shell)
	for _, v := range j.Env {
		n += len(v.Name) + len(v.Value) + itemBytes
	}
	for _, p := range j.Phases {
		for _, c := range slices.Concat(p.Commands, p.Finally) {
			n += len(c.Text) + itemBytes
		}
	}
	if a := j.Artifacts; a != nil {
		n += len(a.Name) + len(a.BaseDirectory)
		for _, f := range slices.Concat(a.Files, a.ExcludePaths) {
			n += len(f) + itemBytes
		}
	}
	return n
}

// refuse is the error of a plan that cannot be made. A Spec that was not parsed has no text to show.
func (s *Spec) refuse(at mark, c complaint) *Error {
	src := s.src
	if src == nil {
		src = &source{file: s.File}
	}
	return src.refuse(at, c)
}
