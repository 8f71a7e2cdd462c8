package runner

import (
	"context"
	"errors"
	"io"
	"time"
)

// An Executor makes sandboxes on one engine. All its methods are idempotent by sandbox id: doing a thing twice
// is doing it once, so that a daemon which died between intent and effect can simply do it again.
//
// Errors: ErrNoSandbox means the engine does not know that id. An *UnavailableError means the engine did not
// answer, and the same call may succeed later. An *ImageError means the image cannot be had, and says why. Any
// other error is final for the call.
type Executor interface {
	// Engine returns the configured id of the engine, which rows keep beside every sandbox id.
	Engine() string

	// Ping tells whether the engine answers.
	Ping(ctx context.Context) error

	// Paths returns where a sandbox's directories are as seen from inside it.
	Paths(sandboxID string) Paths

	// Resolve applies the pull policy to a reference and returns the image pinned by digest or id.
	Resolve(ctx context.Context, req ImageRequest) (Image, error)

	// Create makes the sandbox and starts it with its agent waiting for a job. It returns when Attach can be
	// called. Everything the sandbox will ever see of the host is mounted by then, or by the Fill of a Warmer.
	Create(ctx context.Context, spec SandboxSpec) error

	// Attach connects to the agent's standard input and output. The bytes are the lines of package wire.
	// Closing the connection leaves the agent running. Several attaches may follow each other.
	Attach(ctx context.Context, sandboxID string) (io.ReadWriteCloser, error)

	// Inspect tells what the engine knows of the sandbox.
	Inspect(ctx context.Context, sandboxID string) (SandboxState, error)

	// Kill ends every process in the sandbox at once. The spool stays readable.
	Kill(ctx context.Context, sandboxID string) error

	// Open reads one file of the sandbox's spool directory, whether or not it still runs. It never follows a
	// symbolic link, opens only regular files, and fails with fs.ErrNotExist when there is none.
	Open(ctx context.Context, sandboxID, name string) (io.ReadCloser, error)

	// Put writes one file into the sandbox's spool directory, in place of one that is there, for the agent to read.
	// It follows no symbolic link. The content may end up shorter than size only together with an error.
	Put(ctx context.Context, sandboxID, name string, content io.Reader, size int64) error

	// Capacity tells what the engine's machine has.
	Capacity(ctx context.Context) (Capacity, error)

	// Remove destroys the sandbox and all that Create made for it. It succeeds if there is nothing to remove.
	Remove(ctx context.Context, sandboxID string) error

	// List returns the ids of all sandboxes on the engine that bear this daemon's instance id.
	List(ctx context.Context) ([]string, error)
}

// Capacity is what the machine of an engine has for all sandboxes together. Zero is unknown.
type Capacity struct {
	CPUs        int
	MemoryBytes int64
	Arch        string // as Go calls it: "amd64"
}

// ServiceError tells that a service beside the job did not start or did not become ready. It is the buildspec's
// business, not the engine's.
type ServiceError struct {
	Service string
	Reason  string // a sentence
	Log     string // the last lines that it printed
}

// ErrNoSandbox is returned when an engine does not know a sandbox.
var ErrNoSandbox = errors.New("no such sandbox")

// UnavailableError tells that the engine itself could not be reached.
type UnavailableError struct {
	Engine string
	Err    error
}

// NetworkError tells that a sandbox cannot be held to the network that it may have, and so is not made.
type NetworkError struct {
	Network Network
	Reason  string // what it would take
}

// ImageError tells that an image cannot be had.
type ImageError struct {
	Ref  string
	Hint string // what to do
	Err  error

	// Machine tells that the image may well be there, and a network, a registry or the engine was in the way. Otherwise
	// what was asked for is at fault: nobody has it, or not for whoever asked.
	Machine bool
	Passing bool // that may be over soon; of Machine alone
}

// Paths are directories as the job sees them.
type Paths struct {
	Source  string // CODEBUILD_SRC_DIR
	Objects string // read-only git objects that .git's alternates point to
	Spool   string
}

// ImageRequest asks for an image. Pull is "always", "if-not-present" or "never".
type ImageRequest struct {
	Ref  string
	Pull string
	Auth *RegistryAuth
}

// RegistryAuth are credentials for the registry of one image.
type RegistryAuth struct {
	Server, Username, Password string
}

// Image is a resolved image: what was asked for, and what every job of the build will use.
type Image struct {
	Ref    string `json:"ref"`
	ID     string `json:"id"`               // what the engine starts: "sha256:…" of the configuration
	Digest string `json:"digest,omitempty"` // the registry's manifest digest, empty for images made here
	User   string `json:"user,omitempty"`
}

// SandboxSpec is everything fixed when a sandbox is made. The job is not part of it.
type SandboxSpec struct {
	ID    string
	Image Image

	// Dir is the sandbox's own directory on the daemon's host, <data>/sandboxes/<id>. The caller has made it
	// with: upper/ (what is laid over the tree at first: .git), spool/ (empty, 0700), objects/ (git packs).
	// The executor may add entries of its own.
	Dir string

	// Tree is the snapshot on the daemon's host, never written to. Empty means an empty workspace.
	Tree string

	Limits Limits
	Env    []string // "NAME=value" for every process: the admin's proxy and CA settings, no secrets
	Mounts []Mount  // the admin's, always read-only

	// Privileged lifts the isolation of the container, so that an engine can run in it. /var/lib/docker is then a
	// volume of the sandbox's own. An executor that cannot do so answers with an error that says it.
	Privileged bool
	// Services are started beside the sandbox, on a network of its own, before Create returns; they are gone with it.
	Services []Service

	// Network is what job and services may reach. An executor that cannot hold them to it answers Create with a NetworkError.
	Network Network
}

// Network is what a sandbox may reach. What an engine keeps from every job is kept from it whatever this says.
type Network string

// Networks, the widest first.
const (
	NetworkOpen    Network = ""        // whatever the engine's host can reach
	NetworkPrivate Network = "private" // private addresses and the host's name servers
	NetworkNone    Network = "none"    // itself and its services
)

// Service is a container beside a sandbox, which is reachable from it by Name.
type Service struct {
	Name       string
	Image      Image
	Command    []string // nil: the image's
	Entrypoint []string // nil: the image's
	Env        []string
	Health     *Health // nil: the image's own check if it has one, else started is ready
	Limits     Limits
}

// Health is how a service is asked whether it is ready.
type Health struct {
	Command     string // for its shell; exit status 0 is ready
	Interval    time.Duration
	Timeout     time.Duration
	Retries     int
	StartPeriod time.Duration
}

// Limits on one sandbox. Zero means no limit.
type Limits struct {
	CPUs        float64 // cores
	MemoryBytes int64
	PIDs        int64
	DiskBytes   int64 // written and not removed; kept by the Runner
	Files       int64 // the same in files
}

// Mount shows a path of the engine's host inside the sandbox, read-only.
type Mount struct {
	Source, Target string
}

// SandboxState is what an engine knows of a sandbox.
type SandboxState struct {
	Running   bool
	ExitCode  int
	OOMKilled bool
	StartedAt time.Time
	EndedAt   time.Time
	Error     string // the engine's own words when it could not start the sandbox
}
