package buildspec

import "time"

// MaxJobs bounds the jobs of one build. Each of them is a row of the state. A project may set a lower bound by
// Options.MaxJobs.
const MaxJobs = 10_000

// Options are what a plan takes from outside the text.
type Options struct {
	Image   string // the project's image, for a buildspec that names none
	MaxJobs int    // 0: no bound but the language's own, MaxJobs

	Parallelism int // of a fanout, in place of what the file says; 0: as the file says

	// Shards chooses the number of shards from what is known of the project's tests, and says why. It gives 0 where
	// nothing is known. nil: there is no such knowledge here.
	Shards func(target time.Duration, most int) (n int, why string) `json:"-"`

	// Read returns another file of the same commit, for batch entries that name one. nil: such files are not looked
	// at, and their jobs have no phases. Its error is told at the entry that names the file.
	Read func(path string) ([]byte, error) `json:"-"`
}

// Plan is a build's jobs and how they hang together. It is stored, so that a retry runs the same.
type Plan struct {
	Batch    string    `json:"batch,omitempty"`    // "graph", "list", "matrix" or "fanout"; "" for a plain build
	FastFail bool      `json:"fastFail,omitempty"` // stop the others at the first job that fails
	Jobs     []Job     `json:"jobs"`               // at least one
	Note     string    `json:"note,omitempty"`     // why there are so many shards
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
	Patch     []string    `json:"patch,omitempty"` // patterns of files that come back as a patch where the job changes them
	Images    []Image     `json:"images,omitempty"`

	Compute      string `json:"compute,omitempty"` // "BUILD_GENERAL1_SMALL", …; see ComputeOf
	EnvType      string `json:"envType,omitempty"` // "LINUX_CONTAINER", …
	Privileged   bool   `json:"privileged,omitempty"`
	Network      string `json:"network,omitempty"`      // private or none: not more than that, whatever the project lets it reach
	DebugSession bool   `json:"debugSession,omitempty"` // codebuild-breakpoint holds the build

	Shard         int        `json:"shard,omitempty"`         // from 0
	Shards        int        `json:"shards,omitempty"`        // 0 or 1: not sharded
	Sharding      string     `json:"sharding,omitempty"`      // how codebuild-tests-run divides the tests; "": as it is told
	TestRetry     *TestRetry `json:"testRetry,omitempty"`     // how tests that failed are tried again; nil: not at all
	DependsOn     []string   `json:"dependsOn,omitempty"`     // ids of jobs that must succeed before this one starts
	IgnoreFailure bool       `json:"ignoreFailure,omitempty"` // the build can succeed although this job failed
}
