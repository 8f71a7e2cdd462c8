package buildspec

// Spec is a buildspec that was read and checked. Plan makes jobs of it.
type Spec struct {
	File      string // as Parse was told
	Version   string // "0.2"
	Env       Env
	Phases    []Phase    // always the four, in order
	Artifacts *Artifacts // nil: nothing is kept
	Batch     *Batch     // nil: one job
	Warnings  []Problem  // in the order of the text

	src *source // for the places of what only Plan can judge
}

// Env is the env block.
type Env struct {
	Variables []Var  // in the order of the file
	Shell     string // "" means sh
	Image     string // "" means the project's
}

// Batch is the batch block.
type Batch struct {
	FastFail bool
	Fanout   *Fanout // nil: one job
}

// Fanout is the block batch.build-fanout.
type Fanout struct {
	Parallelism   int // 1 to MaxParallelism
	IgnoreFailure bool

	at mark // of parallelism
}

// Var is one environment variable. Its value is literal: nothing in it is expanded.
type Var struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Phase is what one of the four phases runs. Name is CodeBuild's: INSTALL, PRE_BUILD, BUILD or POST_BUILD.
// OnFailure is "", "ABORT" or "CONTINUE".
type Phase struct {
	Name      string    `json:"name"`
	Commands  []Command `json:"commands,omitempty"`
	Finally   []Command `json:"finally,omitempty"`
	OnFailure string    `json:"onFailure,omitempty"`
}

// Command is one script for the shell, with the line on which it begins.
type Command struct {
	Text string `json:"text"`
	Line int    `json:"line"`
}

// Artifacts says which files a job leaves. Paths and Name may hold variables, which the shell expands in the job;
// paths are relative to BaseDirectory, and that to the source's root.
type Artifacts struct {
	Files          []string `json:"files"`
	Name           string   `json:"name,omitempty"`
	BaseDirectory  string   `json:"baseDirectory,omitempty"`
	ExcludePaths   []string `json:"excludePaths,omitempty"`
	DiscardPaths   bool     `json:"discardPaths,omitempty"`
	EnableSymlinks bool     `json:"enableSymlinks,omitempty"`
}
