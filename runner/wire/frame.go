package wire

import "encoding/json"

// Protocol is the version of the lines that this package writes. A daemon also reads the release before.
const Protocol = 1

// Kind says what a frame's body is.
type Kind string

// Kinds that the daemon sends.
const (
	KindHello Kind = "hello" // body Hello
	KindJob   Kind = "job"   // body Job
	KindStop  Kind = "stop"  // body Stop
)

// Kinds that the agent sends. Welcome and Refused answer one attach and are never spooled (SEQ 0).
const (
	KindWelcome      Kind = "welcome"       // body Welcome
	KindRefused      Kind = "refused"       // body Refused
	KindLog          Kind = "log"           // body Log
	KindPhaseBegan   Kind = "phase-began"   // body PhaseBegan
	KindPhaseEnded   Kind = "phase-ended"   // body PhaseEnded
	KindCommandBegan Kind = "command-began" // body CommandBegan
	KindCommandEnded Kind = "command-ended" // body CommandEnded
	KindArtifacts    Kind = "artifacts"     // body Artifacts
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
}

// Refused says why the agent did not take what was sent: an older epoch, or a second attempt.
type Refused struct {
	Reason string `json:"reason"`
}

// Stop ends the job: TERM to every process, KILL after GraceMillis. Reason becomes the result's reason.
type Stop struct {
	Status      Status `json:"status"` // StatusStopped or StatusTimedOut
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
}

// CommandBegan tells that a command began. Index counts from 0 over the phase's commands, then its finally.
// Text is cut to MaxCommandText bytes, every other text to MaxText.
type CommandBegan struct {
	Phase   string `json:"phase"`
	Index   int    `json:"index"`
	Finally bool   `json:"finally,omitempty"`
	Text    string `json:"text"`
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

// Artifacts tells that the files of one artifact were packed as an uncompressed tar named File in the spool's
// directory. The daemon opens it beneath that directory and believes nothing but the bytes.
type Artifacts struct {
	File  string `json:"file"` // always ArtifactsFile in this version
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
	// Name is artifacts.name after the shell expanded it, or empty.
	Name string `json:"name,omitempty"`
}

// Names of the files in the spool's directory.
const (
	SpoolFile     = "frames"
	ArtifactsFile = "artifacts.tar"
)

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
	// Artifacts repeats the artifacts frame, nil when there are none, so that a daemon that comes back for the
	// result alone knows all of it.
	Artifacts *Artifacts `json:"artifacts,omitempty"`
}
