package buildspec

import "time"

// Spec is a buildspec that was read and checked. Plan makes jobs of it.
type Spec struct {
	File      string // as Parse was told
	Version   string // "0.1" or "0.2"
	RunAs     string // the user of all phases that name none; "" is root
	Env       Env
	Proxy     Proxy
	Phases    []Phase     // always the four, in order
	Reports   []Report    // in the order of the file
	Artifacts *Artifacts  // nil: nothing is kept
	Secondary []Artifacts // with an ID each, in the order of the file
	Cache     *Cache      // nil: nothing is cached
	Batch     *Batch      // nil: one job
	Services  []Service   // x-runner.services
	Images    []Image     // x-runner.images, in the order of the file
	Network   string      // x-runner.network; "" is the project's
	Sharding  string      // x-runner.sharding; "" is what codebuild-tests-run is told
	Patch     []string    // x-runner.patch; patterns of files that may be changed for who submitted them
	Shards    *Shards     // x-runner.shards; nil: batch.build-fanout.parallelism
	Retry     *TestRetry  // x-runner.tests; nil: tests that failed are not tried again
	Warnings  []Problem   // in the order of the text

	src      *source // for the places of what only Plan can judge
	noPhases bool    // the key is missing: only other files can say what to run
}

// Env is the env block.
type Env struct {
	Variables      []Var       // in the order of the file
	Parameters     []Parameter // parameter-store
	Secrets        []SecretRef // secrets-manager
	Exported       []string    // exported-variables
	GitCredentials bool        // git-credential-helper
	Shell          string      // "" means sh
	Image          string      // "" means the project's
}

// Proxy is the proxy block. Both are accepted for CodeBuild's sake: here neither logs nor artifacts leave the machine
// by way of the job's network.
type Proxy struct {
	UploadArtifacts bool
	Logs            bool
}

// Batch is the batch block: one of its four kinds, or none.
type Batch struct {
	FastFail bool
	Graph    []Entry // build-graph
	List     []Entry // build-list
	Matrix   *Matrix // build-matrix
	Fanout   *Fanout // build-fanout

	at mark // of the key batch
}

// Entry is one task of build-graph or build-list.
type Entry struct {
	Identifier    string
	Buildspec     string // path of another file; "" means this one
	DependsOn     []string
	IgnoreFailure bool
	DebugSession  bool
	Env           EntryEnv

	at        mark // of the identifier, or of what should have one
	specAt    mark // of buildspec's value
	dependsAt []mark
}

// EntryEnv is what a task of a batch changes.
type EntryEnv struct {
	ComputeType    string
	Fleet          string
	Image          string
	Type           string // environment type, "LINUX_CONTAINER"
	PrivilegedMode bool
	Variables      []Var
}

// Matrix is the block batch.build-matrix: one job for each combination of its axes.
type Matrix struct {
	IgnoreFailure bool
	Static        EntryEnv
	Axes          []Axis // in the order of the file: buildspec, compute-type, image, a variable each

	at mark
}

// Axis is one list of a matrix. Key is "buildspec", "compute-type", "image", "type", "privileged-mode" or
// "variables.NAME".
type Axis struct {
	Key    string
	Values []string

	marks []mark // of the values
}

// Fanout is the block batch.build-fanout.
type Fanout struct {
	Parallelism   int // 1 to MaxParallelism
	IgnoreFailure bool

	at mark // of parallelism
}

// Shards is how many jobs a fanout has, instead of its parallelism.
type Shards struct {
	Count  int           // 1 to MaxParallelism; 0 is auto
	Target time.Duration // how long the tests may take; 0: as long as more shards are not worth it

	at mark
}

// Var is one environment variable. Its value is literal: nothing in it is expanded.
type Var struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Parameter is a variable whose value is a parameter of the daemon's store. From may hold ${NAME}, which stands for a
// variable of the file or of the project.
type Parameter struct {
	Name string `json:"name"`
	From string `json:"from"`
	Line int    `json:"line"`
}

// SecretRef is a variable whose value is a secret of the daemon's store, or a field of one that holds JSON.
type SecretRef struct {
	Name    string `json:"name"`
	Secret  string `json:"secret"`            // name or ARN
	Key     string `json:"key,omitempty"`     // field of the JSON value; "" is the whole text
	Stage   string `json:"stage,omitempty"`   // "" is AWSCURRENT
	Version string `json:"version,omitempty"` // id of a version, instead of a stage
	Line    int    `json:"line"`
}

// Phase is what one of the four phases runs. Name is CodeBuild's: INSTALL, PRE_BUILD, BUILD or POST_BUILD.
// OnFailure is "", "ABORT", "CONTINUE" or "RETRY", with Retry saying how.
type Phase struct {
	Name      string    `json:"name"`
	RunAs     string    `json:"runAs,omitempty"` // "" is root
	Commands  []Command `json:"commands,omitempty"`
	Finally   []Command `json:"finally,omitempty"`
	OnFailure string    `json:"onFailure,omitempty"`
	Retry     *Retry    `json:"retry,omitempty"`
	Runtimes  []Var     `json:"runtimes,omitempty"` // runtime-versions, of INSTALL alone; values may be $NAME
}

// Retry is how often a job is tried again when a phase fails: up to Count times after the first, if the message of
// the failure matches Pattern (RE2).
type Retry struct {
	Count   int    `json:"count"`
	Pattern string `json:"pattern"`
}

// Command is one script for the shell, with the line on which it begins.
type Command struct {
	Text string `json:"text"`
	Line int    `json:"line"`
}

// Artifacts says which files a job leaves. Paths and Name may hold variables, which the shell expands in the job;
// paths are relative to BaseDirectory, and that to the source's root.
type Artifacts struct {
	ID             string   `json:"id,omitempty"` // of a secondary artifact
	Files          []string `json:"files"`
	Name           string   `json:"name,omitempty"`
	BaseDirectory  string   `json:"baseDirectory,omitempty"`
	ExcludePaths   []string `json:"excludePaths,omitempty"`
	DiscardPaths   bool     `json:"discardPaths,omitempty"`
	EnableSymlinks bool     `json:"enableSymlinks,omitempty"`
}

// Report is one report group: files that hold test results or coverage.
type Report struct {
	Group         string   `json:"group"` // name or ARN, may be $NAME
	Files         []string `json:"files"`
	Format        string   `json:"format"` // upper case, JUNITXML by default
	BaseDirectory string   `json:"baseDirectory,omitempty"`
	DiscardPaths  bool     `json:"discardPaths,omitempty"`
}

// Cache says which paths a job takes from builds before it and leaves to those after it. Paths, Key and Fallback are
// expanded by the shell in the job.
type Cache struct {
	Paths    []string `json:"paths"`
	Key      string   `json:"key,omitempty"`
	Fallback []string `json:"fallback,omitempty"`
	Action   string   `json:"action,omitempty"` // "restore" or "save"; "" is both
}

// Service is a container beside the job, which the job reaches by its name (x-runner.services).
type Service struct {
	Name       string   `json:"name"`
	Image      string   `json:"image"`
	Command    []string `json:"command,omitempty"`    // instead of the image's
	Entrypoint []string `json:"entrypoint,omitempty"` // instead of the image's
	Env        []Var    `json:"env,omitempty"`
	Health     *Health  `json:"health,omitempty"` // nil: the image's own check if it has one, else started is ready
}

// Health is how a service is asked whether it is ready. Durations are in seconds.
type Health struct {
	Command     string `json:"command"` // for the service's shell; exit status 0 is ready
	Interval    int    `json:"interval"`
	Timeout     int    `json:"timeout"`
	Retries     int    `json:"retries"`
	StartPeriod int    `json:"startPeriod,omitempty"`
}
