package wire

// Phases that the agent runs, in order. The daemon runs the others.
const (
	PhaseInstall   = "INSTALL"
	PhasePreBuild  = "PRE_BUILD"
	PhaseBuild     = "BUILD"
	PhasePostBuild = "POST_BUILD"
	PhaseUpload    = "UPLOAD_ARTIFACTS"
)

// Job is all that the agent needs to know. It arrives on standard input and rests nowhere in the sandbox.
type Job struct {
	Attempt   string         `json:"attempt"`           // "api#142/BuildFanoutShard3@1"
	Version   string         `json:"version,omitempty"` // of the buildspec; "0.1" gives each command a shell of its own
	Shell     string         `json:"shell,omitempty"`   // env.shell; empty means sh
	Dir       string         `json:"dir"`               // CODEBUILD_SRC_DIR, where the first command starts
	Env       []Var          `json:"env,omitempty"`     // laid over the image's environment, literal values, later wins
	Secrets   []string       `json:"secrets,omitempty"` // values to mask in everything the job prints
	Phases    []Phase        `json:"phases"`
	Runtimes  []Var          `json:"runtimes,omitempty"` // install.runtime-versions; values may be $NAME
	Exported  []string       `json:"exported,omitempty"` // names of the variables whose last values Done tells
	Reports   []ReportSpec   `json:"reports,omitempty"`
	Artifacts *ArtifactSpec  `json:"artifacts,omitempty"`
	Secondary []ArtifactSpec `json:"secondary,omitempty"` // with an ID each
	Cache     *CacheSpec     `json:"cache,omitempty"`
	Context   []string       `json:"context,omitempty"` // what images are built of: files and directories below Dir, packed into ContextFile
	Shard     Shard          `json:"shard"`
	Limits    Limits         `json:"limits"`

	Buildspec  string          `json:"buildspec,omitempty"`  // its file's name, for the log
	Retries    int             `json:"retries,omitempty"`    // attempts before this one that on-failure: RETRY ended
	Privileged bool            `json:"privileged,omitempty"` // start the image's dockerd, if it has one
	Debug      bool            `json:"debug,omitempty"`      // codebuild-breakpoint holds the build
	Git        *GitCredentials `json:"git,omitempty"`        // for git-credential-helper
	Sharding   string          `json:"sharding,omitempty"`   // x-runner.sharding: instead of --sharding-strategy
}

// BuilderEngine is the agent's first argument where it runs the engine of a builder instead of a job; dockerd's follow.
const BuilderEngine = "builder-engine"

// HoldFile is a file that a daemon puts into the spool of a sandbox whose job has ended: an agent that is started again beside
// it stays, and runs nothing, so that people can look into the sandbox.
const HoldFile = "hold"

// HeldFile is the agent's answer in the same place, with what is in HoldFile, once its tools are there.
const HeldFile = "held"

// MaxHold bounds both in bytes.
const MaxHold = 64

// EndShell is the agent's first argument where it ends the processes of one person's shell, whose mark follows.
const EndShell = "end-shell"

// ShellMark is the variable by which the processes of a person's shell are known. Its value is the mark.
const ShellMark = "RUNNER_SHELL"

// Var is one environment variable.
type Var struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Phase is one of install, pre_build, build, post_build under its phase name (PhaseInstall …). A phase without
// commands is still entered.
type Phase struct {
	Name      string   `json:"name"`
	RunAs     string   `json:"runAs,omitempty"` // user of the image; empty is root
	Commands  []string `json:"commands,omitempty"`
	Finally   []string `json:"finally,omitempty"`
	OnFailure string   `json:"onFailure,omitempty"` // "", "ABORT", "CONTINUE" or "RETRY"
	Retry     *Retry   `json:"retry,omitempty"`     // with "RETRY"
}

// Retry asks for another attempt at the job when a phase fails: up to Count in all, if what went wrong matches
// Pattern (RE2).
type Retry struct {
	Count   int    `json:"count"`
	Pattern string `json:"pattern"`
}

// ArtifactSpec is the artifacts block of a buildspec. Paths may hold variables and be absolute.
type ArtifactSpec struct {
	ID             string   `json:"id,omitempty"` // of a secondary artifact
	Files          []string `json:"files"`
	Name           string   `json:"name,omitempty"`
	BaseDirectory  string   `json:"baseDirectory,omitempty"`
	ExcludePaths   []string `json:"excludePaths,omitempty"`
	DiscardPaths   bool     `json:"discardPaths,omitempty"`
	EnableSymlinks bool     `json:"enableSymlinks,omitempty"`
}

// PatchID is the id of the secondary artifact that is a patch: files below PatchFiles which the job changed, as they are now,
// and in PatchGone the names of those that it removed, separated by zero bytes. No buildspec can call one of its own so.
const (
	PatchID    = "x-runner.patch"
	PatchFiles = "files/"
	PatchGone  = "gone"
)

// ReportSpec is one report group of a buildspec. Group and paths may hold variables.
type ReportSpec struct {
	Group         string   `json:"group"`
	Files         []string `json:"files"`
	Format        string   `json:"format"` // JUNITXML, …
	BaseDirectory string   `json:"baseDirectory,omitempty"`
	DiscardPaths  bool     `json:"discardPaths,omitempty"`
}

// CacheSpec is the cache block of a buildspec. Its texts are expanded by the shell.
type CacheSpec struct {
	Paths    []string `json:"paths"`
	Key      string   `json:"key,omitempty"`
	Fallback []string `json:"fallback,omitempty"`
	Restore  bool     `json:"restore,omitempty"`
	Save     bool     `json:"save,omitempty"`
}

// GitCredentials are what git is given for repositories of one host.
type GitCredentials struct {
	URL      string `json:"url"` // "https://github.com"
	Username string `json:"username"`
	Token    string `json:"token"`
}

// Shard tells which part of the tests this job takes. Count 0 or 1 means all of them; Index counts from 0.
type Shard struct {
	Index int `json:"index"`
	Count int `json:"count"`
}

// Reasons of a job that went over one of its limits, and failed of that.
const (
	ReasonDisk = "disk_limit"
	ReasonOOM  = "oom"
	ReasonPIDs = "pids_limit"

	ReasonArtifacts = "artifact_limit"
)

// Limits that the agent keeps by its own monotonic clock and counters. Zero means no limit.
type Limits struct {
	TimeoutMillis int64 `json:"timeoutMillis,omitempty"`
	GraceMillis   int64 `json:"graceMillis,omitempty"` // between TERM and KILL
	// LogBytes bounds the text of the log. The spool, where base64 makes text a third larger, stays within 4/3 of it
	// and a fixed slack below 1 MiB, also when a job prints a byte at a time.
	LogBytes      int64 `json:"logBytes,omitempty"`
	ArtifactBytes int64 `json:"artifactBytes,omitempty"` // of each artifact
	CacheBytes    int64 `json:"cacheBytes,omitempty"`
	ReportBytes   int64 `json:"reportBytes,omitempty"` // of all reports together
	FileBytes     int64 `json:"fileBytes,omitempty"`   // of each file that a process of the job makes, holes included
}
