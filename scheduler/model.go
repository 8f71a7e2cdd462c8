package scheduler

import (
	"fmt"
	"time"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/tests/quarantine"
)

// Status is CodeBuild's word for how far a build, job, attempt or phase has come.
type Status string

// The statuses. FAILED is the user's commands; FAULT is us or the machine.
const (
	InProgress Status = "IN_PROGRESS"
	Succeeded  Status = "SUCCEEDED"
	Failed     Status = "FAILED"
	Fault      Status = "FAULT"
	TimedOut   Status = "TIMED_OUT"
	Stopped    Status = "STOPPED"
)

// Ended tells whether nothing more will happen.
func (s Status) Ended() bool { return s != InProgress && s != "" }

// TriggerKind says what made a trigger.
type TriggerKind string

// The kinds of trigger.
const (
	KindPush        TriggerKind = "push"
	KindTag         TriggerKind = "tag"
	KindPullRequest TriggerKind = "pull_request"
	KindRelease     TriggerKind = "release"
	KindComment     TriggerKind = "comment" // a command in a comment on a pull request
	KindSubmit      TriggerKind = "submit"
	KindManual      TriggerKind = "manual"
	KindRetry       TriggerKind = "retry"
	KindSchedule    TriggerKind = "schedule"
	KindRegistry    TriggerKind = "registry" // an image was pushed
)

// Trigger is one accepted event, stored before it is acknowledged. It ends as builds, or as skipped with a reason.
type Trigger struct {
	ID       string      `json:"id"` // sortable, unique
	Kind     TriggerKind `json:"kind"`
	Projects []string    `json:"projects"`           // the projects it is for
	Delivery string      `json:"delivery,omitempty"` // forge and delivery id; a second one with the same is the first
	Received time.Time   `json:"received"`

	Ref         string   `json:"ref,omitempty"`     // refs/heads/…, refs/tags/…, refs/pull/N/head, refs/runner/submit/…
	Commit      string   `json:"commit,omitempty"`  // full id; empty: the tip of Ref
	Before      string   `json:"before,omitempty"`  // commit before the push
	BaseRef     string   `json:"baseRef,omitempty"` // of a pull request
	HeadRef     string   `json:"headRef,omitempty"` // branch that a pull request comes from, refs/heads/…
	PullRequest int      `json:"pullRequest,omitempty"`
	Fork        bool     `json:"fork,omitempty"`     // from a repository other than the project's
	HeadRepo    string   `json:"headRepo,omitempty"` // of a pull request: "owner/name" that it comes from, where that is told
	Draft       bool     `json:"draft,omitempty"`    // of a pull request
	Labels      []string `json:"labels,omitempty"`   // of a pull request
	Release     string   `json:"release,omitempty"`  // of a release: its name
	Event       string   `json:"event,omitempty"`    // CODEBUILD_WEBHOOK_EVENT
	Title       string   `json:"title,omitempty"`    // first line of the head commit or of the pull request
	Actor       string   `json:"actor,omitempty"`
	ActorID     string   `json:"actorId,omitempty"`
	Skip        string   `json:"skip,omitempty"`     // the forge side decided already: "branch deleted", …
	SkipWord    string   `json:"skipWord,omitempty"` // what in the head commit's message, as the forge sent it, asks that nothing be built
	Read        bool     `json:"read,omitempty"`     // the forge sent that message
	Trusted     bool     `json:"trusted"`            // see design: words
	Override    Override `json:"override"`
	RetryOf     string   `json:"retryOf,omitempty"` // build id
	FailedOnly  bool     `json:"failedOnly,omitempty"`
	Submitter   string   `json:"submitter,omitempty"` // of a retry of a submit: who sent the tree
	// SourceVersion is what the build was asked for that a retry retries: its own Commit says only what came of it.
	SourceVersion string `json:"sourceVersion,omitempty"`
	// Parent is the traceparent that a caller of the API sent with it; never a webhook's.
	Parent   string    `json:"parent,omitempty"`
	Approved *Approval `json:"approved,omitempty"` // of a pull request that had to wait

	Scheduled *ScheduledRun `json:"scheduled,omitempty"` // of a schedule
	Image     *PushedImage  `json:"image,omitempty"`     // of a registry

	Outcome Outcome  `json:"outcome"`
	Reason  string   `json:"reason,omitempty"`
	Builds  []string `json:"builds,omitempty"` // ids

	Skipped []Skipped `json:"skipped,omitempty"` // projects that build nothing of it
	Notes   []string  `json:"notes,omitempty"`   // what its filters could not be judged by

	look *Look // at the remote, that makes it
}

// Override is what one trigger changes of its project's settings.
type Override struct {
	Image     string            `json:"image,omitempty"`
	Buildspec string            `json:"buildspec,omitempty"` // path
	Env       map[string]string `json:"env,omitempty"`
	Debug     bool              `json:"debug,omitempty"`  // codebuild-breakpoint holds the jobs
	Shards    int               `json:"shards,omitempty"` // of a build-fanout, in place of its parallelism
	Only      []string          `json:"only,omitempty"`   // patterns: jobs of a batch, or tests of a fanout
	// Parameters are those of the build, of triggers that may choose them; see parametersOf.
	Parameters []config.Chosen `json:"parameters,omitempty"`
}

// Approval is a person's word that one commit of a pull request may be built. It makes nothing trusted.
type Approval struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Commit string    `json:"commit"`
}

// Outcome is what became of a trigger.
type Outcome string

// The outcomes.
const (
	OutcomePending Outcome = "pending" // accepted, its builds are being made
	OutcomeBuilt   Outcome = "built"
	OutcomeSkipped Outcome = "skipped" // with a reason
	OutcomeWaiting Outcome = "waiting" // a pull request, for approval
)

// Build is one commit, one project, one plan, one result.
type Build struct {
	Project string `json:"project"`
	Number  int    `json:"number"`
	Seq     uint64 `json:"seq"` // order over all projects
	Trigger string `json:"trigger"`

	Commit    string    `json:"commit,omitempty"`
	Tree      string    `json:"tree,omitempty"`
	Ref       string    `json:"ref,omitempty"`
	Committed time.Time `json:"committed,omitzero"`
	Title     string    `json:"title,omitempty"`
	Author    string    `json:"author,omitempty"`
	RetryOf   string    `json:"retryOf,omitempty"`

	PullRequest int    `json:"pullRequest,omitempty"`
	Tells       string `json:"tells,omitempty"` // push, pull_request or tag; "": the forge is told nothing of it

	Status  Status `json:"status"`
	Phase   string `json:"phase"`             // the newest phase any part of it reached
	Reason  string `json:"reason,omitempty"`  // a word
	Message string `json:"message,omitempty"` // a sentence that says what to do
	Trusted bool   `json:"trusted"`
	Fork    bool   `json:"fork,omitempty"` // of a stranger's pull request, which gets nothing

	Plan     *buildspec.Plan         `json:"plan,omitempty"`
	Images   map[string]runner.Image `json:"images,omitempty"` // by reference as written
	Warnings []string                `json:"warnings,omitempty"`
	Note     string                  `json:"note,omitempty"` // why there are so many shards

	Parameters []config.Chosen `json:"parameters,omitempty"` // fixed when it is made
	Given      *Given          `json:"given,omitempty"`      // what its project gave its jobs when it was planned; nil in rows of older versions

	Quarantine quarantine.List `json:"quarantine,omitempty"` // the file's, whether in force or not

	Phases []Phase `json:"phases"` // SUBMITTED, QUEUED and DOWNLOAD_SOURCE of the build as a whole

	Created   time.Time `json:"created"`
	Started   time.Time `json:"started,omitzero"`
	EndedAt   time.Time `json:"ended,omitzero"`
	Open      int       `json:"open,omitempty"`      // jobs that have not ended; 0 in rows of older versions, too
	StopBy    string    `json:"stopBy,omitempty"`    // who asked, while it is being stopped
	StopCause string    `json:"stopCause,omitempty"` // "fast_fail": nothing of it begins any more; "superseded": StopBy is a build
	Faults    int       `json:"faults,omitempty"`    // tries that followed a fault: of its planning, then of its jobs
	Again     *Again    `json:"again,omitempty"`     // while it waits to be planned again

	Group string `json:"group,omitempty"` // of concurrency
	Limit int    `json:"limit,omitempty"` // of builds of the group that run at once
	Holds bool   `json:"holds,omitempty"` // it has one of the group's places, until it ends

	index *planIndex // of Plan
}

// ID is the build's name for people: "api#142".
func (b *Build) ID() string { return fmt.Sprintf("%s#%d", b.Project, b.Number) }

// Job is one container's worth of a build.
type Job struct {
	Build     string    `json:"build"` // id
	ID        string    `json:"id"`    // the plan's job id: "build", "BuildFanoutShard1"
	Name      string    `json:"name"`  // for people: "build", "shard 1/4"
	Shard     int       `json:"shard"` // from 0
	Shards    int       `json:"shards"`
	Status    Status    `json:"status"`
	State     JobState  `json:"state"`
	Why       string    `json:"why,omitempty"` // what a job waits for: other jobs, a slot, a person at a breakpoint
	Reason    string    `json:"reason,omitempty"`
	Message   string    `json:"message,omitempty"`
	Queued    time.Time `json:"queued,omitzero"`
	Started   time.Time `json:"started,omitzero"`
	EndedAt   time.Time `json:"ended,omitzero"`
	Attempts  []Attempt `json:"attempts"`
	Again     *Again    `json:"again,omitempty"`     // while it waits for another attempt after a fault
	TakenFrom string    `json:"takenFrom,omitempty"` // build whose result of this job was taken over
	// Key is of what success is proof, while the job may yet prove it; of an ended job, of what its result is proof. See proofKey.
	Key   string `json:"key,omitempty"`
	Proof *Proof `json:"proof,omitempty"` // by which a push took the result of TakenFrom

	For *GroupWait `json:"-"` // what Why says, where it waits for its build's concurrency group
}

// end is a job's last transition, with or without an attempt.
func (j *Job) end(status Status, reason, message string, now time.Time) {
	j.State, j.Status, j.Reason, j.Message, j.EndedAt, j.Why = JobEnded, status, reason, message, now, ""
	j.Again = nil
	if status != Succeeded {
		j.Key = ""
	}
}

// JobState is where a job is in the queue. A lease is a state of the row, never its deletion.
type JobState string

// The states of a job.
const (
	JobBlocked JobState = "blocked" // waits for other jobs
	JobQueued  JobState = "queued"  // waits for a slot
	JobLeased  JobState = "leased"  // an attempt holds it
	JobEnded   JobState = "ended"
)

// Attempt is one try at a job.
type Attempt struct {
	Number  int       `json:"number"` // from 1
	Token   uint64    `json:"token"`  // fencing: a write with an older one is refused
	Engine  string    `json:"engine"`
	Sandbox string    `json:"sandbox"`        // id; its row exists before its container
	Sent    bool      `json:"sent"`           // the job was handed to the agent, or may have been
	Warm    bool      `json:"warm,omitempty"` // the sandbox was made ahead of the job
	Status  Status    `json:"status"`
	Phase   string    `json:"phase"`
	Reason  string    `json:"reason,omitempty"`
	Message string    `json:"message,omitempty"`
	Exit    int       `json:"exit"`
	Phases  []Phase   `json:"phases"`
	Command string    `json:"command,omitempty"` // the command that runs, or that failed
	Log     string    `json:"log"`               // id in the artifact store
	Set     string    `json:"set,omitempty"`     // id of the artifact set, when there is one
	Started time.Time `json:"started"`
	EndedAt time.Time `json:"ended,omitzero"`
	Boot    string    `json:"boot,omitempty"`  // the run of the machine's kernel in which it was leased
	Begun   bool      `json:"begun,omitempty"` // a command of it began
	Frame   uint64    `json:"frame"`           // newest frame of the agent that this row reflects

	Paused    time.Time         `json:"paused,omitzero"`     // since when it is held at a breakpoint
	Pause     int               `json:"pause,omitempty"`     // the number of that pause
	Resume    string            `json:"resume,omitempty"`    // who let it go on, until it does
	Entered   string            `json:"entered,omitempty"`   // who first went into it while it ran
	Sealed    bool              `json:"sealed,omitempty"`    // it was given what is secret, and may have left it in files
	Retry     bool              `json:"retry,omitempty"`     // on-failure: RETRY asked for the attempt after it
	Secondary map[string]string `json:"secondary,omitempty"` // ids of artifact sets, by the secondary artifact's id
	Reports   *runner.Reports   `json:"reports,omitempty"`
	Waited    time.Duration     `json:"waited,omitempty"` // for tests that other shards ran

	// Of the wait for its slot, how long no job at all was started: for lack of disk space, and because the daemon drained.
	WaitedSpace time.Duration `json:"waitedSpace,omitempty"`
	WaitedDrain time.Duration `json:"waitedDrain,omitempty"`

	Exported []wire.Var          `json:"exported,omitempty"`
	Images   []runner.BuiltImage `json:"images,omitempty"`   // of x-runner.images
	Commands []runner.Command    `json:"commands,omitempty"` // the first ones
	Cache    *runner.CacheUse    `json:"cache,omitempty"`    // of a job that succeeded and asked for one
}

// Phase is one phase's record.
type Phase struct {
	Name    string        `json:"name"`
	Status  Status        `json:"status"`
	Started time.Time     `json:"started"`
	Took    time.Duration `json:"took"`
	Code    string        `json:"code,omitempty"`
	Message string        `json:"message,omitempty"`
	Offset  int64         `json:"offset,omitempty"` // of one that an agent ran: how long the log was when it began
}
