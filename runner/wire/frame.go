package wire

import (
	"encoding/json"
	"fmt"
)

// Protocol is the version of the lines that this package writes. A daemon also reads the release before.
const Protocol = 1

// Kind says what a frame's body is.
type Kind string

// Kinds that the daemon sends.
const (
	KindHello  Kind = "hello"  // body Hello
	KindJob    Kind = "job"    // body Job
	KindStop   Kind = "stop"   // body Stop
	KindAnswer Kind = "answer" // body Answer
	KindResume Kind = "resume" // body Resume
)

// Kinds that the agent sends. Welcome and Refused answer one attach, Request waits for an answer; the three are never
// spooled (SEQ 0).
const (
	KindWelcome      Kind = "welcome"       // body Welcome
	KindRefused      Kind = "refused"       // body Refused
	KindRequest      Kind = "request"       // body Request
	KindAlive        Kind = "alive"         // body Alive; never spooled
	KindLog          Kind = "log"           // body Log
	KindPhaseBegan   Kind = "phase-began"   // body PhaseBegan
	KindPhaseEnded   Kind = "phase-ended"   // body PhaseEnded
	KindCommandBegan Kind = "command-began" // body CommandBegan
	KindCommandEnded Kind = "command-ended" // body CommandEnded
	KindArtifacts    Kind = "artifacts"     // body Artifacts
	KindEarly        Kind = "early"         // body Early
	KindPaused       Kind = "paused"        // body Paused
	KindResumed      Kind = "resumed"       // body Resumed
	KindDone         Kind = "done"          // body Done
)

// Frame is one line of the conversation.
type Frame struct {
	Seq  uint64
	Kind Kind
	Body json.RawMessage
}

// Hello opens an attach. LastFrame is the last frame the daemon has stored; the agent resends what follows it.
type Hello struct {
	Protocol  int    `json:"protocol"`
	Epoch     uint64 `json:"epoch"`
	LastFrame uint64 `json:"lastFrame"`
}

// Welcome answers Hello. Attempt is empty while the agent has no job yet; LastFrame is the newest spooled frame.
type Welcome struct {
	Protocol  int    `json:"protocol"`
	Version   string `json:"version"`
	Epoch     uint64 `json:"epoch"`
	Attempt   string `json:"attempt,omitempty"`
	LastFrame uint64 `json:"lastFrame"`
	// Request is what the agent waits for an answer to, so that a daemon which comes back can give it.
	Request *Request `json:"request,omitempty"`
}

// Refused says why the agent did not take what was sent: an older epoch, or a second attempt.
type Refused struct {
	Reason string `json:"reason"`
}

// Stop ends the job: TERM to every process, KILL after GraceMillis. Reason becomes the result's reason.
type Stop struct {
	Status      Status `json:"status"` // StatusStopped, StatusTimedOut, or StatusFailed of a job that went over a limit
	Reason      string `json:"reason"`
	GraceMillis int64  `json:"graceMillis"`
}

// Log is output: of commands, and of the agent in CodeBuild's "[Container] …" form. Data is masked already.
type Log struct {
	Data []byte `json:"data"` // base64 in JSON; at most MaxLogData bytes
}

// MaxLogData bounds the bytes of one Log frame, so that a line of the wire fits a modest buffer however long a
// line of the log is.
const MaxLogData = 48 << 10

// MaxLine bounds one encoded line in bytes. A longer one is garbage: it is dropped without being held in memory.
const MaxLine = 8 << 20

// MaxAgentLine bounds what the daemon takes as one line of an agent's. The longest is a full log frame, which
// takes 64 KiB in base64; whatever else an agent says is cut to be shorter.
const MaxAgentLine = 128 << 10

// PhaseBegan tells that a phase began, At nanoseconds after the Unix epoch by the sandbox's clock (shown, never
// used for order).
type PhaseBegan struct {
	Phase string `json:"phase"`
	At    int64  `json:"at"`
}

// PhaseEnded tells how a phase ended. Millis is measured by a monotonic clock. Code and Message are CodeBuild's
// phase context, for example COMMAND_EXECUTION_ERROR.
type PhaseEnded struct {
	Phase   string `json:"phase"`
	Status  Status `json:"status"`
	Millis  int64  `json:"millis"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	At      int64  `json:"at"`

	Offset int64 `json:"-"` // the daemon's: how long the log was when the phase began, of one that began
}

// CommandBegan tells that a command began, At nanoseconds after the Unix epoch (0: an older agent's). Index counts from 0
// over the phase's commands, then its finally. Text is cut to MaxCommandText bytes, every other text to MaxText.
type CommandBegan struct {
	Phase   string `json:"phase"`
	Index   int    `json:"index"`
	Finally bool   `json:"finally,omitempty"`
	Text    string `json:"text"`
	At      int64  `json:"at,omitempty"`
}

// MaxCommandText bounds the text that CommandBegan repeats.
const MaxCommandText = 512

// CommandEnded tells a command's exit status: 0–255, 128+n for death by signal n.
type CommandEnded struct {
	Phase  string `json:"phase"`
	Index  int    `json:"index"`
	Exit   int    `json:"exit"`
	Millis int64  `json:"millis"`
}

// Paused tells that a command called codebuild-breakpoint and waits for codebuild-resume.
type Paused struct {
	Number int    `json:"number,omitempty"` // of the job's pauses, from 1
	Phase  string `json:"phase"`
	At     int64  `json:"at"` // nanoseconds after the Unix epoch, for people
}

// Resumed tells that the build goes on after a breakpoint.
type Resumed struct {
	Phase string `json:"phase"`
	At    int64  `json:"at"`
}

// Resume lets a build go on that waits at a breakpoint. It can arrive again, when the build waits at the next one
// already: Pause says which one is meant, 0 any.
type Resume struct {
	By    string `json:"by,omitempty"`
	Pause int    `json:"pause,omitempty"`
}

// Request asks the daemon for something. One of its fields is set. The agent asks one thing at a time, and asks it
// again of each daemon that attaches (Welcome.Request) until it is answered. The same ID is the same request.
type Request struct {
	ID       uint64           `json:"id"`
	Cache    *CacheRequest    `json:"cache,omitempty"`
	Runtimes *RuntimesRequest `json:"runtimes,omitempty"`
	Tests    *TestsRequest    `json:"tests,omitempty"`
}

// Answer answers the Request of the same ID. Error is a sentence that says why it could not be done.
type Answer struct {
	ID       uint64          `json:"id"`
	Error    string          `json:"error,omitempty"`
	Cache    *CacheAnswer    `json:"cache,omitempty"`
	Runtimes *RuntimesAnswer `json:"runtimes,omitempty"`
	Tests    *TestsAnswer    `json:"tests,omitempty"`
}

// CacheRequest asks for a cache. The key is matched in full, then each of Fallback as a prefix. Without a key the
// newest cache of the same paths is meant. Paths is the digest of the paths: another one is another cache.
type CacheRequest struct {
	Key      string   `json:"key,omitempty"`
	Fallback []string `json:"fallback,omitempty"`
	Paths    string   `json:"paths"`
	// Dirs tells that the paths are whole directories, which may be mounted: their names, sorted, each below the name of
	// what it is in: "source/node_modules", "home/.npm".
	Dirs []string `json:"dirs,omitempty"`
	// Empty tells that no cache is wanted, and only a place for Dirs to save one from.
	Empty bool `json:"empty,omitempty"`
}

// MaxCacheDirs bounds the directories of a cache that is mounted.
const MaxCacheDirs = 16

// CacheAnswer tells which cache was found. Unless it is mounted, it lies as an uncompressed tar named File in the spool's directory. Hit is
// false when there is none.
type CacheAnswer struct {
	Hit   bool   `json:"hit"`
	Key   string `json:"key,omitempty"` // of the cache that was found
	File  string `json:"file,omitempty"`
	Bytes int64  `json:"bytes,omitempty"`

	// Off tells, in a sentence, that the cache is not used any more: neither restored nor saved.
	Off string `json:"off,omitempty"`

	// Mounted tells that the directories have mounts, of which the daemon takes what the job leaves there, without the
	// agent. Without a File they have what was found: those of the source directory are in place, the others are to be
	// reached by symbolic links. With a File they are empty, and what is unpacked can be brought there in the end.
	Mounted bool        `json:"mounted,omitempty"`
	Links   []CacheLink `json:"links,omitempty"`
}

// CacheLink is a directory of a cache that lies elsewhere.
type CacheLink struct {
	Dir string `json:"dir"` // as in Dirs
	To  string `json:"to"`  // where it is mounted
}

// RuntimesRequest asks which commands install the wanted runtimes, according to the image's own table
// (RuntimesFile), whose text is File. The daemon reads it, because reading YAML is no business of the agent's. Where the
// agent does not see the file, File is nil: the sandbox's own mounts may hide it, and the daemon can look into the image.
type RuntimesRequest struct {
	File []byte `json:"file"` // at most MaxRuntimesFile bytes
	Want []Var  `json:"want"` // name and version, variables expanded
}

// RuntimesAnswer holds what to run, in order. NoTable tells that the image has no table to select from.
type RuntimesAnswer struct {
	Selected []Runtime `json:"selected,omitempty"`
	NoTable  bool      `json:"noTable,omitempty"`
}

// Runtime is one runtime that was selected.
type Runtime struct {
	Name     string   `json:"name"`
	Version  string   `json:"version"`
	Commands []string `json:"commands"`
	Env      []Var    `json:"env,omitempty"` // set for the commands, VERSION say
}

// RuntimesFile is where CodeBuild's images keep the table of their runtimes.
const RuntimesFile = "/codebuild/image/config/runtimes.yml"

// MaxRuntimesFile bounds the table in bytes; in base64 it fits a line of an agent's.
const MaxRuntimesFile = 64 << 10

// Cache tells that the paths of the cache were packed as an uncompressed tar named File in the spool's directory or, when
// they were mounted, that they lie where they are.
type Cache struct {
	File  string `json:"file,omitempty"` // CacheFile; "" when mounted
	Key   string `json:"key,omitempty"`
	Paths string `json:"paths"` // digest, as in CacheRequest
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
}

// CacheUse tells what a job that asked for a cache, and succeeded, had of it.
type CacheUse struct {
	Paths         string `json:"paths"` // digest, as in CacheRequest
	Hit           bool   `json:"hit"`   // of any key
	WorkMillis    int64  `json:"workMillis"`
	RestoreMillis int64  `json:"restoreMillis"`
	SaveMillis    int64  `json:"saveMillis"` // of packing it
}

// Reports tells that the files of all report groups were packed as one uncompressed tar named File in the spool's
// directory. Names in it begin with the number of their group, "0/" for the first of Groups.
type Reports struct {
	File   string        `json:"file"` // always ReportsFile
	Groups []ReportGroup `json:"groups"`
	Bytes  int64         `json:"bytes"`
}

// Early tells that report files which are new or have changed since they were last told of were packed while the job
// still runs, as Reports says, in the file that EarlyFile names. The reports at the end replace them.
type Early struct {
	Number int           `json:"number"` // of the file, from 0
	Groups []ReportGroup `json:"groups"`
	Bytes  int64         `json:"bytes"`
}

// Bounds on early reports: how often a job tells of some, their bytes at a time and in all.
const (
	MaxEarly      = 64
	MaxEarlyBytes = 8 << 20
	MaxEarlyTotal = 64 << 20
)

// EarlyFile names the file of early reports of a number.
func EarlyFile(number int) string { return fmt.Sprintf("early-%d.tar", number) }

// ReportGroup is one group of report files, of one format.
type ReportGroup struct {
	Name       string `json:"name"`
	Format     string `json:"format"`
	Files      int    `json:"files"`
	Discovered bool   `json:"discovered,omitempty"` // found by looking, not declared
}

// Artifacts tells that the files of one artifact were packed as an uncompressed tar named File in the spool's
// directory. The daemon opens it beneath that directory and believes nothing but the bytes.
type Artifacts struct {
	ID    string `json:"id,omitempty"` // of a secondary artifact
	File  string `json:"file"`         // ArtifactsFile, or SecondaryFile(n) for the n-th secondary one
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
	// Name is artifacts.name after the shell expanded it, or empty.
	Name string `json:"name,omitempty"`
}

// Names of the files in the spool's directory.
const (
	SpoolFile     = "frames"
	ArtifactsFile = "artifacts.tar"
	ReportsFile   = "reports.tar"
	CacheFile     = "cache.tar"    // what the job leaves to later ones
	ContextFile   = "context.tar"  // what images are built of, where the job succeeded
	RestoreFile   = "restored.tar" // what the daemon gives a job that asked for a cache
)

// PartOf names a file that is being written into the spool's directory, until it is whole and has its own name.
func PartOf(name string) string { return ".put-" + name }

// SecondaryFile names the file of the n-th secondary artifact, from 0.
func SecondaryFile(n int) string { return fmt.Sprintf("artifacts-%d.tar", n) }

// Status is a status of CodeBuild's.
type Status string

// The statuses that a phase or an attempt can end with.
const (
	StatusSucceeded Status = "SUCCEEDED"
	StatusFailed    Status = "FAILED"
	StatusFault     Status = "FAULT"
	StatusTimedOut  Status = "TIMED_OUT"
	StatusStopped   Status = "STOPPED"
)

// Done is the last frame: the attempt's result as the agent saw it.
type Done struct {
	Status  Status `json:"status"`
	Reason  string `json:"reason,omitempty"`  // a word: command_failed, timeout, stopped, log_limit, agent_error, …
	Message string `json:"message,omitempty"` // a sentence for people, with what to do
	Phase   string `json:"phase,omitempty"`   // the phase that decided the status
	Exit    int    `json:"exit"`              // exit status of the command that decided it, 0 otherwise
	Command string `json:"command,omitempty"` // that command; others may have run since
	// Artifacts repeats the artifacts frame, nil when there are none, so that a daemon that comes back for the
	// result alone knows all of it.
	Artifacts *Artifacts  `json:"artifacts,omitempty"`
	Secondary []Artifacts `json:"secondary,omitempty"`
	Reports   *Reports    `json:"reports,omitempty"`
	Cache     *Cache      `json:"cache,omitempty"`
	CacheUse  *CacheUse   `json:"cacheUse,omitempty"`
	Exported  []Var       `json:"exported,omitempty"` // last values of exported-variables, MaxExported bytes in all
	// Retry asks for another attempt, as on-failure: RETRY of the phase that failed has it.
	Retry bool `json:"retry,omitempty"`
}

// MaxExported bounds the names and values of exported variables together, in bytes of JSON. What does not fit is left
// out whole.
const MaxExported = 48 << 10
