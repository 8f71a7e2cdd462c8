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
	Attempt   string        `json:"attempt"`           // "api#142/BuildFanoutShard3@1"
	Shell     string        `json:"shell,omitempty"`   // env.shell; empty means sh
	Dir       string        `json:"dir"`               // CODEBUILD_SRC_DIR, where the first command starts
	Env       []Var         `json:"env,omitempty"`     // laid over the image's environment, literal values, later wins
	Secrets   []string      `json:"secrets,omitempty"` // values to mask in everything the job prints
	Phases    []Phase       `json:"phases"`
	Artifacts *ArtifactSpec `json:"artifacts,omitempty"`
	Shard     Shard         `json:"shard"`
	Limits    Limits        `json:"limits"`
}

// Var is one environment variable.
type Var struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Phase is one of install, pre_build, build, post_build under its phase name (PhaseInstall …). A phase without
// commands is still entered.
type Phase struct {
	Name      string   `json:"name"`
	Commands  []string `json:"commands,omitempty"`
	Finally   []string `json:"finally,omitempty"`
	OnFailure string   `json:"onFailure,omitempty"` // "", "ABORT" or "CONTINUE"
}

// ArtifactSpec is the artifacts block of a buildspec. Paths may hold variables and be absolute.
type ArtifactSpec struct {
	Files          []string `json:"files"`
	Name           string   `json:"name,omitempty"`
	BaseDirectory  string   `json:"baseDirectory,omitempty"`
	ExcludePaths   []string `json:"excludePaths,omitempty"`
	DiscardPaths   bool     `json:"discardPaths,omitempty"`
	EnableSymlinks bool     `json:"enableSymlinks,omitempty"`
}

// Shard tells which part of the tests this job takes. Count 0 or 1 means all of them; Index counts from 0.
type Shard struct {
	Index int `json:"index"`
	Count int `json:"count"`
}

// Limits that the agent keeps by its own monotonic clock and counters. Zero means no limit.
type Limits struct {
	TimeoutMillis int64 `json:"timeoutMillis,omitempty"`
	GraceMillis   int64 `json:"graceMillis,omitempty"` // between TERM and KILL
	// LogBytes bounds the text of the log. The spool, where base64 makes text a third larger, stays within 4/3 of it
	// and a fixed slack below 1 MiB, also when a job prints a byte at a time.
	LogBytes      int64 `json:"logBytes,omitempty"`
	ArtifactBytes int64 `json:"artifactBytes,omitempty"`
}
