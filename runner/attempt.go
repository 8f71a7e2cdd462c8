package runner

import (
	"context"
	"time"

	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/source"
)

// Attempt is one try at a job, with all that is needed to run it, or to find it again after a restart.
type Attempt struct {
	ID      string // "api#142/BuildFanoutShard3@1", known to the agent
	Sandbox string // id of the sandbox it is bound to; its row was committed before Run is called
	Sent    bool   // a former Run may have handed the job over: a missing sandbox then means a lost one
	Warm    bool   // Sandbox was made ahead by Runner.Warm
	Begun   bool   // a command of the job began before this Run, or may have
	Preface string // a line for the beginning of its log; empty: none
	Image   Image
	Job     wire.Job // Attempt and Dir are filled in by Run
	Source  Checkout
	Limits  Limits
	Log     string // id of its log in the artifact store
	Set     string // id that its artifact set will have; those of secondary artifacts and reports begin with it

	// Instead is the result when the job would have to be sent: something that it needs cannot be had. A job that the agent
	// has already goes on. Nil: it can be sent.
	Instead *Result

	Privileged bool
	Services   []Service
	Network    Network
	Cache      CacheScope
	Timeout    time.Duration

	// Images are built once the job has succeeded; nil: none.
	Images *Images

	// Tests divides the tests of the build among its shards; nil: this job gets no tests from the daemon.
	Tests TestQueue

	// Resume delivers requests to go on at a breakpoint.
	Resume <-chan ResumeRequest

	// Stop delivers at most one request to end the attempt: by a person, by a failed sibling, by the queue.
	Stop <-chan StopRequest
}

// StopRequest ends an attempt early.
type StopRequest struct {
	Status  wire.Status // StatusStopped, StatusTimedOut, or StatusFailed where the job went over a limit
	Reason  string      // a word
	Message string      // a sentence
}

// grace is what lies between TERM and KILL: next to nothing for a job that fills the disk meanwhile.
func (r StopRequest) grace() time.Duration {
	if r.Reason == wire.ReasonDisk {
		return time.Millisecond
	}
	return stopGrace
}

// ResumeRequest lets a job go on that waits at a breakpoint.
type ResumeRequest struct {
	By    string
	Pause int // number of the pause that is meant, so that a request which comes twice ends no other; 0: any
}

// TestQueue is a build's tests, as one attempt of it sees them. What it answers is durable. Its methods are idempotent: a
// restart asks again. A refusal is part of the answer; an error means that nothing could be decided, and the same call
// may succeed later.
type TestQueue interface {
	// Split tells which of the files that the attempt found are to be split into their tests before it joins: the same
	// for all attempts of a call.
	Split(ctx context.Context, call wire.TestCall, strategy string, names []string) (wire.TestsAnswer, error)
	// Join brings the attempt in with the tests that it found.
	Join(ctx context.Context, call wire.TestCall, strategy string, names []string) (wire.TestsAnswer, error)
	// Take asks for the next batch.
	Take(ctx context.Context, call wire.TestCall, request uint64) (wire.TestsAnswer, error)
	// Done answers a batch.
	Done(ctx context.Context, call wire.TestCall, done wire.TestsDone) (wire.TestsAnswer, error)
	// Alive says that the attempt still works on a batch.
	Alive(call wire.TestCall, token uint64)
}

// CacheScope says which caches a job may read, in the order in which they are looked at, and where it leaves its own.
// A scope is a project with a ref, or with the word for its protected refs: what an untrusted build leaves is read by
// builds of its own ref alone. An empty Write leaves none.
type CacheScope struct {
	Read  []string
	Write string
}

// Checkout says which tree becomes the workspace, and how its .git is shaped.
type Checkout struct {
	Remote     source.Remote
	Commit     string
	Ref        string
	Depth      int
	Submodules bool
	Stranger   bool // the commit may be anybody's: see source.SnapshotOptions
}

// Result is how an attempt ended. Set is empty when it left no artifacts.
type Result struct {
	Status    wire.Status
	Reason    string // a word: command_failed, timeout, oom, sandbox_lost, …
	Message   string // a sentence for people
	Phase     string // the phase that decided the status
	Exit      int
	Command   string // the command whose exit status that is
	Set       string
	Secondary map[string]string // ids of the sets of secondary artifacts, by the artifact's id
	Reports   *Reports
	Exported  []wire.Var
	Images    []BuiltImage
	Retry     bool      // on-failure: RETRY asks for another attempt
	Transient bool      // the machine's fault, and such that another attempt may succeed
	Begun     bool      // of a FAULT: a command of the job began, or may have: nobody can tell
	Cache     *CacheUse // what the job had of the cache that it names, where it succeeded and asked for one
}

// CacheUse is whether a job was given a cache, and under what it leaves its own.
type CacheUse struct {
	Scope string `json:"scope"`
	Paths string `json:"paths"` // digest
	Hit   bool   `json:"hit,omitempty"`
}

// Reports is where the files of report groups were stored: in one set, below "0/" for the first group.
type Reports struct {
	Set    string             `json:"set"`
	Groups []wire.ReportGroup `json:"groups"`
}

// Progress is what happened since the last call, in order, with the newest frame it covers.
type Progress struct {
	Frame  uint64
	Phases []wire.PhaseEnded // began ones have an empty Status
	// Command is the newest command that began, nil when none did since.
	Command *wire.CommandBegan
	// Commands are those that began or ended; a command can come twice, in parts.
	Commands []Command
	// Paused tells that the job waits at a breakpoint (true) or no longer does (false); nil: nothing was said.
	Paused *bool
	Pause  int // its number, from 1
}

// Command is what is known of one command: that it began, or that it ended.
type Command struct {
	Phase   string        `json:"phase"`
	Index   int           `json:"index,omitempty"`
	Finally bool          `json:"finally,omitempty"`
	Began   time.Time     `json:"began,omitzero"`   // zero of one that ended
	Text    string        `json:"text,omitempty"`   // its first line, cut
	Offset  int64         `json:"offset,omitempty"` // how long the log was when it began: the line that names it follows
	Ended   bool          `json:"ended,omitempty"`
	End     int64         `json:"end,omitempty"` // how long the log was when it ended
	Exit    int           `json:"exit,omitempty"`
	Took    time.Duration `json:"took,omitempty"`
}

// MaxCommands bounds how many commands of an attempt are told of: a job can run, and forge, any number.
const MaxCommands = 200

// maxCommandText bounds the text of each, in bytes.
const maxCommandText = 160

// Events is what Run tells its caller while an attempt runs. Each method returns when the fact is durable; an
// error ends the attempt as a FAULT. All are idempotent: after a restart the same facts can arrive again.
type Events interface {
	// Sent is called before the job is handed to the agent.
	Sent(ctx context.Context) error
	// Cold is called when the sandbox that was made ahead cannot be used, before it is removed: the job is not out, and
	// the sandbox will be made like any other.
	Cold(ctx context.Context) error
	// Progress is called with frames not reported before, or reported again after a restart.
	Progress(ctx context.Context, p Progress) error
}
