package docker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
	"golang.org/x/sync/singleflight"

	"github.com/runner-ci/runner/runner"
)

// Labels on everything that Create makes in an engine.
const (
	LabelInstance  = "runner.instance"  // the daemon that owns it
	LabelEngine    = "runner.engine"    // the engine's configured id
	LabelSandbox   = "runner.sandbox"   // the sandbox's id
	LabelWorkspace = "runner.workspace" // "mount", "overlay" or "copy"
	LabelAgent     = "runner.agent"     // SHA-256 of what an agent's shared volume holds
	LabelMaking    = "runner.making"    // digest of how a sandbox was made ahead of its job
	LabelNetwork   = "runner.network"   // on the network that we made
	LabelWired     = "runner.wired"     // on a container that the daemon joins to a network, with its name
)

// Options configure an Engine. Engine, Instance, DataDir and Agent are required.
type Options struct {
	Engine    string      // the configured id
	Host      string      // "unix://…", "tcp://…"; empty: DOCKER_HOST and its sisters, or the default socket
	Instance  string      // the daemon's instance id
	DataDir   string      // sandboxes live in <DataDir>/sandboxes/<id>
	Agent     AgentSource // the agent's binaries
	Workspace string      // "auto" (default), "mount", "overlay" or "copy"

	// Network is the network of all sandboxes: empty for DefaultNetwork, which is made on demand and lets no
	// sandbox reach another; "none" for no network; or the name of a network that exists.
	Network string

	// Firewall is "auto" (default) or "off". With auto, rules of the engine's host keep jobs on our own bridges from
	// metadata services, the engine and this daemon, where this process can set them, and a warning tells where not.
	Firewall string

	Runtime         string // of the engine's, by name; empty: its default
	Seccomp         string // file of a seccomp profile; empty: the engine's
	NoNewPrivileges bool   // setuid programs give nobody more than they have

	CABundle string // PEM file that jobs trust besides the system's authorities; empty for none
	Proxy    Proxy  // proxies for jobs

	// SpoolBytes bounds one file of a spool that Open will read; zero means DefaultSpoolBytes.
	SpoolBytes int64

	Logger *slog.Logger // default: slog.Default()

	// Called, if set, is told of each call to the engine's API: the operation, how long its answer's header took, and
	// whether there was none, or one of 500 and above.
	Called func(operation string, took time.Duration, failed bool)
}

// DefaultSpoolBytes bounds a file of the spool: the same 64 GiB that the reader of frames allows itself.
const DefaultSpoolBytes = 64 << 30

// Engine is a runner.Executor on one Docker engine. It is safe for concurrent use.
type Engine struct {
	opts  Options
	api   *client.Client
	log   *slog.Logger
	ca    []byte   // combined bundle, nil for none
	held  []string // security options of jobs and services, unless privileged
	pulls singleflight.Group

	version once[string]
	facts   once[facts]
	network once[struct{}]
	private once[struct{}]
	bridge  string // the network that is made on demand
	agent   agentGate
	boots   bootLog
	made    madeBoxes
	wall    wall
	caged   atomic.Bool // the engine itself lacks capabilities
	mode    modeMemory
	wiring  atomic.Pointer[wiring] // nil: the engine joins sandboxes to the default network
	unwired atomic.Bool            // the daemon tried to, and could not
	watched atomic.Bool            // watchBridge runs
	images  imageFiles
	states  builderStates

	life context.Context // ends with Close; background work hangs on it
	end  context.CancelFunc
	jobs sync.WaitGroup // background work
}

var _ runner.Executor = (*Engine)(nil)

// New prepares an executor. It does not talk to the engine yet, so that a daemon starts while its engine is down.
func New(o Options) (*Engine, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.SpoolBytes == 0 {
		o.SpoolBytes = DefaultSpoolBytes
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, fmt.Errorf("engine %s: finding the data directory: %w", o.Engine, err)
	}
	o.DataDir = dir
	ca, err := combineCAs(o.CABundle)
	if err != nil {
		return nil, fmt.Errorf("engine %s: %w", o.Engine, err)
	}
	held, err := securityOptions(o)
	if err != nil {
		return nil, fmt.Errorf("engine %s: %w", o.Engine, err)
	}
	api, err := dial(o.Host, o.Called)
	if err != nil {
		return nil, fmt.Errorf("engine %s: %w", o.Engine, err)
	}
	e := &Engine{opts: o, api: api, ca: ca, held: held, bridge: DefaultNetwork, log: o.Logger.With("engine", o.Engine)}
	e.life, e.end = context.WithCancel(context.Background())
	return e, nil
}

func (o *Options) check() error {
	switch {
	case o.Engine == "" || o.Instance == "" || o.DataDir == "" || o.Agent == nil:
		return errors.New("a docker engine needs an engine id, an instance id, a data directory and an agent")
	case o.Network == "host" || strings.HasPrefix(o.Network, "container:"):
		return fmt.Errorf("engine %s: network %q would put jobs beside the machine's own services; "+
			"leave it empty, or name a bridge network", o.Engine, o.Network)
	}
	if o.Firewall != "" && o.Firewall != firewallAuto && o.Firewall != firewallOff {
		return fmt.Errorf("engine %s: firewall is %q, expected auto or off", o.Engine, o.Firewall)
	}
	switch o.Workspace {
	case "", workspaceAuto, workspaceMount, workspaceOverlay, workspaceCopy:
		return nil
	}
	return fmt.Errorf("engine %s: workspace is %q, expected auto, mount, overlay or copy", o.Engine, o.Workspace)
}

// dial makes the API's client, negotiating its version at the first call.
func dial(host string, called func(string, time.Duration, bool)) (*client.Client, error) {
	opts := []client.Opt{client.FromEnv}
	if host != "" {
		opts = []client.Opt{client.WithVersionFromEnv(), client.WithHost(host)}
		if strings.HasPrefix(host, "tcp:") {
			opts = append([]client.Opt{client.WithTLSClientConfigFromEnv()}, opts...)
		}
	}
	api, err := client.NewClientWithOpts(append(opts, client.WithAPIVersionNegotiation())...)
	if err != nil {
		return nil, fmt.Errorf("reaching the Docker engine: %w", err)
	}
	if called != nil {
		c := api.HTTPClient() // a copy
		measure(c, called)
		if err := client.WithHTTPClient(c)(api); err != nil {
			return nil, fmt.Errorf("reaching the Docker engine: %w", err)
		}
	}
	if h := api.DaemonHost(); strings.HasPrefix(h, "ssh:") {
		return nil, fmt.Errorf("engine host %s: ssh is not supported; forward the engine's socket "+
			"(ssh -L /run/remote.sock:/var/run/docker.sock HOST) and use unix:///run/remote.sock", h)
	}
	return api, nil
}

// Close ends background work and idle connections. Sandboxes and attached connections are left alone.
func (e *Engine) Close() error {
	e.end()
	e.boots.closeAll()
	e.jobs.Wait()
	return e.api.Close()
}

// Engine returns the configured id.
func (e *Engine) Engine() string { return e.opts.Engine }

// pingTimeout is short, because Ping is asked by people and health checks.
const pingTimeout = 5 * time.Second

// Ping tells whether the engine answers, within five seconds, and can make sandboxes at all.
func (e *Engine) Ping(ctx context.Context) error {
	short, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := e.negotiate(short); err != nil {
		return e.fail(ctx, "pinging", err)
	}
	if _, err := e.api.Ping(short); err != nil {
		return e.fail(ctx, "pinging", err)
	}
	_, err := e.engineFacts(short) // asked once: an engine may answer, and lack what the configuration wants of it
	return err
}

// Places inside a sandbox. Root is the agent's volume, read-only, and holds the mount points of the others, so that
// no job can put something else in their place.
const (
	Root       = "/codebuild"
	agentPath  = Root + "/" + agentFile
	sourceDir  = Root + "/output/src"
	spoolDir   = Root + "/spool"
	objectsDir = Root + "/objects"
	toolsDir   = Root + "/user/bin"
	tempDir    = Root + "/output/tmp"
	extraDir   = Root + "/extra"   // what MountExtra mounts
	engineDir  = "/var/lib/docker" // of an engine in a privileged sandbox
	caDir      = "/etc/runner"
	caFile     = caDir + "/ca.pem"
)

// skeleton are the directories below Root, parents first.
var skeleton = []string{"extra", "objects", "output", "output/src", "output/tmp", "spool", "user", "user/bin"}

// Paths returns where a sandbox's directories are as seen from inside it. They are the same for every sandbox.
func (e *Engine) Paths(string) runner.Paths {
	return runner.Paths{Source: sourceDir, Objects: objectsDir, Spool: spoolDir}
}

// goodID keeps sandbox ids fit for a container's name and for a directory's.
var goodID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`)

func checkID(id string) error {
	if !goodID.MatchString(id) {
		return fmt.Errorf("sandbox id %q: expected 1 to 100 letters, digits, - and _", id)
	}
	return nil
}

// containerName is the name of a sandbox's container and, with a suffix, of its volumes.
func containerName(id string) string { return "runner-" + id }

// SandboxDir is a sandbox's directory on the daemon's host, <DataDir>/sandboxes/<id>.
func (e *Engine) SandboxDir(id string) string { return filepath.Join(e.opts.DataDir, "sandboxes", id) }

// labelled chooses what belongs to this instance and, unless id is empty, to one sandbox.
func (e *Engine) labelled(id string) filters.Args {
	mine := filters.NewArgs(filters.Arg("label", LabelInstance+"="+e.opts.Instance))
	if id != "" {
		mine.Add("label", LabelSandbox+"="+id)
	}
	return mine
}

// labels are those of everything that belongs to a sandbox. Only what the workspace's kind matters to bears that.
func (e *Engine) labels(id string, mode workspace) map[string]string {
	l := map[string]string{LabelInstance: e.opts.Instance, LabelEngine: e.opts.Engine, LabelSandbox: id}
	if mode != "" {
		l[LabelWorkspace] = string(mode)
	}
	return l
}
