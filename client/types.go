// Package client is the API of a Runner daemon: its types, and a Go client that speaks it. The daemon's own
// handlers use the same types, so the two cannot drift apart.
package client

import "time"

// Page is one page of a list, newest first. Next is empty on the last page; pass it as Cursor for the next one.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// Build is what the API shows of a build. Status and Phase are CodeBuild's words.
type Build struct {
	ID       string      `json:"id"` // "api#142"
	Project  string      `json:"project"`
	Number   int         `json:"number"`
	Trigger  string      `json:"trigger"`
	Kind     string      `json:"kind"` // what made it: a push, a pull request, …
	Status   string      `json:"status"`
	Phase    string      `json:"phase"`
	Reason   string      `json:"reason,omitempty"`
	Message  string      `json:"message,omitempty"`
	Commit   string      `json:"commit,omitempty"`
	Tree     string      `json:"tree,omitempty"`
	Ref      string      `json:"ref,omitempty"`
	Title    string      `json:"title,omitempty"`
	Author   string      `json:"author,omitempty"`
	RetryOf  string      `json:"retryOf,omitempty"`
	Trusted  bool        `json:"trusted"`
	Fork     bool        `json:"fork,omitempty"` // of a commit that may be anybody's
	Created  time.Time   `json:"created"`
	Started  time.Time   `json:"started,omitzero"`
	Ended    time.Time   `json:"ended,omitzero"`
	Seconds  float64     `json:"seconds"` // from created to ended, or to now
	Warnings []string    `json:"warnings,omitempty"`
	Note     string      `json:"note,omitempty"` // why there are so many shards
	Phases   []Phase     `json:"phases,omitempty"`
	Tests    *BuildTests `json:"tests,omitempty"` // none before a job has told of a failure, or one that left reports has ended
	Jobs     []Job       `json:"jobs,omitempty"`  // only where one build is asked for

	TestProgress *TestProgress `json:"testProgress,omitempty"` // of a build that runs, where shards take tests from a queue; with Jobs

	PushProof  *PushProof  `json:"pushProof,omitempty"`  // of a submitted tree, where a push of it would be green at once; with Jobs
	Parameters []Parameter `json:"parameters,omitempty"` // of the build, chosen or by default
}

// Job is one container's worth of a build; its newest attempt is spread over it.
type Job struct {
	ID       string    `json:"id"`   // "build", "BuildFanoutShard1"
	Name     string    `json:"name"` // "build", "shard 1/4"
	Status   string    `json:"status"`
	State    string    `json:"state"` // blocked, queued, leased, ended
	Why      string    `json:"why,omitempty"`
	Phase    string    `json:"phase,omitempty"`
	Command  string    `json:"command,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Message  string    `json:"message,omitempty"`
	Exit     int       `json:"exit"`
	Image    string    `json:"image,omitempty"`
	Attempt  int       `json:"attempt"`        // number of the newest one, from 1; 0 before the first
	Warm     bool      `json:"warm,omitempty"` // its sandbox was made before there was a job for it
	Queued   time.Time `json:"queued,omitzero"`
	Started  time.Time `json:"started,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	Seconds  float64   `json:"seconds"`
	Phases   []Phase   `json:"phases,omitempty"`
	LogBytes int64     `json:"logBytes"`
	Commands []Command `json:"commands,omitempty"` // the first 200 of the newest attempt, where one build is asked for

	ImageDigest string `json:"imageDigest,omitempty"` // of the image's manifest; empty of one that was made beside the engine

	DependsOn []string `json:"dependsOn,omitempty"` // ids of the jobs that must succeed first
	Ignored   bool     `json:"ignored,omitempty"`   // ignore-failure: the build can succeed although this job failed

	Paused    time.Time     `json:"paused,omitzero"` // since when it is held at a breakpoint; Resume lets it go on
	Exported  []Variable    `json:"exported,omitempty"`
	Images    []Image       `json:"images,omitempty"`    // built of the job's workspace, and perhaps pushed
	Secondary []string      `json:"secondary,omitempty"` // ids of the secondary artifacts that it left
	Reports   []ReportGroup `json:"reports,omitempty"`

	Attempts []Attempt `json:"attempts,omitempty"` // all of them, where there was more than one
	RetryAt  time.Time `json:"retryAt,omitzero"`   // when the next one may begin, while the job waits for it after a fault

	Kept    *Kept  `json:"kept,omitempty"`    // its sandbox, which OpenShell opens with At "failed"; nil: none is kept
	Entered string `json:"entered,omitempty"` // who went into it while it ran; its result is no proof then

	TakenFrom string `json:"takenFrom,omitempty"` // id of the build whose result, log and artifacts these are
	Proof     *Proof `json:"proof,omitempty"`     // by which a push took that result, because its tree is the same
}

// Kept is the sandbox of a job that failed, as the job left it.
type Kept struct {
	Until  time.Time `json:"until"`            // when it goes, unless somebody is in it or room is needed before
	Bytes  int64     `json:"bytes,omitempty"`  // that it takes of the disk; 0: not measured
	Inside int       `json:"inside,omitempty"` // shells that are open in it
}

// Proof is by whom and when a result was had that a push took.
type Proof struct {
	Build string    `json:"build"`
	Kind  string    `json:"kind"`         // of that build: submit, push, …
	By    string    `json:"by,omitempty"` // who started it
	At    time.Time `json:"at"`           // when the job had ended
}

// Command is one command that a job ran, or runs.
type Command struct {
	Phase   string    `json:"phase"`
	Index   int       `json:"index"`             // from 0, over the phase's commands and then its finally
	Finally bool      `json:"finally,omitempty"` // it is one of finally
	Text    string    `json:"text"`              // its first line, cut
	Started time.Time `json:"started,omitzero"`
	Seconds float64   `json:"seconds"`        // so far, of one that runs
	Ended   time.Time `json:"ended,omitzero"` // not set of one that runs, or that ended with its job
	Exit    int       `json:"exit"`
	Offset  int64     `json:"offset"` // byte of the job's log at which the line that names the command begins, and then its output
}

// PushProof says which pushes of a submitted tree will take all its results, as things are.
type PushProof struct {
	Trusted bool      `json:"trusted"` // also one to the default branch; else only to refs that are not protected
	Until   time.Time `json:"until"`
}

// Attempt is one try at a job. Each has a log of its own.
type Attempt struct {
	Number  int       `json:"number"` // from 1
	Status  string    `json:"status"`
	Reason  string    `json:"reason,omitempty"`
	Message string    `json:"message,omitempty"`
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
}

// Variable is one exported variable with its last value.
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// ReportGroup is one group of report files that a job left. They lie below Folder in its set of reports.
type ReportGroup struct {
	Name       string `json:"name"`
	Format     string `json:"format"` // JUNITXML, …
	Files      int    `json:"files"`
	Folder     string `json:"folder"`               // "0/"
	Discovered bool   `json:"discovered,omitempty"` // found by looking, not declared
}

// Phase is one phase's record.
type Phase struct {
	Name    string    `json:"name"`
	Status  string    `json:"status"`
	Started time.Time `json:"started,omitzero"`
	Seconds float64   `json:"seconds"`
	Code    string    `json:"code,omitempty"`
	Message string    `json:"message,omitempty"`
}

// Trigger is one accepted event and its fate: pending, built, skipped (with a reason) or waiting.
type Trigger struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	Projects []string  `json:"projects"`
	Delivery string    `json:"delivery,omitempty"`
	Received time.Time `json:"received"`
	Ref      string    `json:"ref,omitempty"`
	Commit   string    `json:"commit,omitempty"`
	Title    string    `json:"title,omitempty"`
	Actor    string    `json:"actor,omitempty"`
	Outcome  string    `json:"outcome"`
	Reason   string    `json:"reason,omitempty"`
	Builds   []string  `json:"builds,omitempty"`

	PullRequest int       `json:"pullRequest,omitempty"`
	Fork        bool      `json:"fork,omitempty"`     // of a pull request from another repository
	HeadRepo    string    `json:"headRepo,omitempty"` // of a pull request: "owner/name" that it comes from
	Draft       bool      `json:"draft,omitempty"`    // of a pull request
	Labels      []string  `json:"labels,omitempty"`   // of a pull request
	Release     string    `json:"release,omitempty"`  // of a release: its name
	ApprovedBy  string    `json:"approvedBy,omitempty"`
	Skipped     []Skipped `json:"skipped,omitempty"` // projects that build nothing of it, and why
	Notes       []string  `json:"notes,omitempty"`   // what could not be told, so that filters on it counted as matched
	ApprovedAt  time.Time `json:"approvedAt,omitzero"`

	Image    *PushedImage `json:"image,omitempty"`    // of kind registry
	Schedule string       `json:"schedule,omitempty"` // of kind schedule: its name
	Due      time.Time    `json:"due,omitzero"`       // when it was due, before jitter
	Missed   int          `json:"missed,omitempty"`   // runs before it that nobody was there for, and that it stands for
}

// Project is a repository and a buildspec path, with settings. Secret settings are references ("env:NAME",
// "file:/path"), never values.
type Project struct {
	Name          string            `json:"name"`
	URL           string            `json:"url"`
	Branch        string            `json:"branch,omitempty"`
	Buildspec     string            `json:"buildspec,omitempty"`
	Image         string            `json:"image,omitempty"`
	Pull          string            `json:"pull,omitempty"`
	Env           map[string]string `json:"env,omitempty"`
	Parameters    map[string]string `json:"parameters,omitempty"` // variables by name: a parameter of the secret store
	Secrets       map[string]string `json:"secrets,omitempty"`    // variables by name: id[:key[:stage[:version]]]
	Push          map[string]string `json:"push,omitempty"`       // registries to push images to: a secret that logs in there, or ""
	WebhookSecret string            `json:"webhookSecret,omitempty"`
	Username      string            `json:"username,omitempty"`
	Token         string            `json:"token,omitempty"`
	SSHKey        string            `json:"sshKey,omitempty"`
	KnownHosts    string            `json:"knownHosts,omitempty"`
	Depth         int               `json:"depth,omitempty"`
	Submodules    bool              `json:"submodules,omitempty"`
	Protected     []string          `json:"protected,omitempty"`
	Approval      string            `json:"approval,omitempty"`    // which pull requests wait: forks, all, none
	RetryFaults   string            `json:"retryFaults,omitempty"` // always, before-commands, never; "": the daemon's
	KeepFailed    string            `json:"keepFailed,omitempty"`  // how long sandboxes of failed jobs are kept for runner shell: off, 4h; "": the daemon's
	Privileged    bool              `json:"privileged,omitempty"`  // whether jobs may ask for privileged-mode
	Visibility    string            `json:"visibility,omitempty"`  // who may look at builds without a token: private (nobody), public (anybody)
	Robots        string            `json:"robots,omitempty"`      // whether search engines may index its pages, where it is public: disallow, allow; empty: the daemon's
	Badge         string            `json:"badge,omitempty"`       // off, or token (token:WORD for another): its badge is shown to whoever knows the badge's token
	Network       string            `json:"network,omitempty"`     // what jobs may reach: open, private, none; empty: the daemon's
	// NetworkUntrusted narrows Network for jobs that are not trusted.
	NetworkUntrusted string `json:"networkUntrusted,omitempty"`
	Filtering
	CPUs          float64 `json:"cpus,omitempty"`
	MemoryBytes   int64   `json:"memoryBytes,omitempty"`
	PIDs          int64   `json:"pids,omitempty"`
	DiskBytes     int64   `json:"diskBytes,omitempty"`
	Files         int64   `json:"files,omitempty"`
	LogBytes      int64   `json:"logBytes,omitempty"`
	ArtifactBytes int64   `json:"artifactBytes,omitempty"` // of each artifact
	CacheBytes    int64   `json:"cacheBytes,omitempty"`    // that one job leaves
	ReportBytes   int64   `json:"reportBytes,omitempty"`   // of one job, together
	Jobs          int64   `json:"jobs,omitempty"`          // of one build
	TimeoutSec    int64   `json:"timeoutSeconds,omitempty"`
	QueueSec      int64   `json:"queueTimeoutSeconds,omitempty"`
	MaxJobs       int     `json:"maxJobs,omitempty"`
	Priority      int     `json:"priority,omitempty"`
	Engine        string  `json:"engine,omitempty"`
	// GreenBeforePush: which pushes take results of jobs that succeeded before with the same tree: off, untrusted, on.
	GreenBeforePush string                      `json:"greenBeforePush,omitempty"`
	GreenFrom       []string                    `json:"greenFrom,omitempty"` // whose submits count for trusted pushes, too
	GreenAgeSec     int64                       `json:"greenAgeSeconds,omitempty"`
	GreenTags       bool                        `json:"greenTags,omitempty"`       // tags and releases take results, too
	BuildParameters map[string]ParameterSetting `json:"buildParameters,omitempty"` // what builds may be asked for by hand
	Schedules       []ScheduleSetting           `json:"schedules,omitempty"`

	RegistryTriggers []RegistryTrigger `json:"registryTriggers,omitempty"`
	StatusPer        string            `json:"statusPer,omitempty"`     // which statuses of commits the forge is told: build (default), job, off
	StatusContext    string            `json:"statusContext,omitempty"` // what they are called; default runner/{project}
	Comment          string            `json:"comment,omitempty"`       // on pull requests: off (default), on-failure, always
	Forge            string            `json:"forge,omitempty"`         // github, gitlab, gitea, forgejo, gogs, bitbucket, bitbucket-server; empty: found out
	ForgeURL         string            `json:"forgeUrl,omitempty"`      // of its API, where that is elsewhere
	ForgeToken       string            `json:"forgeToken,omitempty"`    // for its API; empty: token
	Webhook          string            `json:"webhook,omitempty"`       // auto: the daemon registers it
	Poll             string            `json:"poll,omitempty"`          // off, or how often remote refs are looked at: 5m
	Notifications    []Notification    `json:"notifications,omitempty"` // besides the daemon's own
	Managed          string            `json:"managed,omitempty"`       // "file" (read-only here) or "api"
}

// ArtifactSet is the files of one artifact that a job left: the artifacts of its buildspec, a secondary one, or its
// report files.
type ArtifactSet struct {
	Job      string         `json:"job"`
	Artifact string         `json:"artifact,omitempty"` // id of a secondary artifact
	Reports  bool           `json:"reports,omitempty"`  // the files of its report groups
	Name     string         `json:"name,omitempty"`     // artifacts.name, as the job's shell expanded it
	Bytes    int64          `json:"bytes"`
	Count    int            `json:"count"` // of all its files, also where few or none are listed
	Files    []ArtifactFile `json:"files"`
}

// Choice narrows what of a build's artifacts is meant. The zero value is all of them but for report files.
type Choice struct {
	Job      string // id; "" is every job
	Artifact string // id of a secondary artifact; "" is every artifact, PrimaryArtifact the one without an id
	Reports  bool   // report files, and nothing else
}

// PatchArtifact is the id of what a job changed of the files that x-runner.patch names: below files/ as they are now, and in
// gone the names of those that it removed, separated by zero bytes.
const PatchArtifact = "x-runner.patch"

// PrimaryArtifact stands for the artifact that has no id, in Choice.
const PrimaryArtifact = "-"

// ArtifactFile is one file of a set.
type ArtifactFile struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	Mode   uint32 `json:"mode"` // of io/fs: permissions, and the bits of a directory or a link
	SHA256 string `json:"sha256,omitempty"`
	Link   string `json:"link,omitempty"` // target, when it is a symbolic link
}

// Start asks for a manual build, or a retry when RetryOf is set.
type Start struct {
	Project string            `json:"project,omitempty"`
	Ref     string            `json:"ref,omitempty"`    // branch, or full ref like refs/tags/v1; default: the project's branch
	Commit  string            `json:"commit,omitempty"` // full id
	Image   string            `json:"image,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
	Debug   bool              `json:"debug,omitempty"` // codebuild-breakpoint holds the jobs

	Parameters map[string]string `json:"parameters,omitempty"` // values by name; the project's settings say what there is
}

// Submission describes the pack that a laptop sends.
type Submission struct {
	Commit    string            // full id of the commit made from the working tree
	Title     string            // of HEAD
	Image     string            // override
	Buildspec string            // override: a path
	Env       map[string]string // override
	Debug     bool              // codebuild-breakpoint holds the jobs
	Shards    int               // override: of a build-fanout
	Only      []string          // override: patterns for jobs of a batch, or for tests of a fanout
	PackBytes int64             // -1 when unknown
}

// Daemon is what the daemon says of itself.
type Daemon struct {
	Version  string   `json:"version"`
	Instance string   `json:"instance"`
	Draining bool     `json:"draining"`
	Running  int      `json:"running"` // jobs
	Queued   int      `json:"queued"`
	Slots    int      `json:"slots"`
	Warm     int      `json:"warm"`             // sandboxes that wait for a job
	NoWarm   string   `json:"noWarm,omitempty"` // why no more of them do, as far as something keeps them from it
	Engines  []string `json:"engines"`
	Warnings []string `json:"warnings,omitempty"` // what its admin should look at, in sentences
}
