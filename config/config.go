// Package config is runner.yml: the daemon's settings, read, checked and given their defaults.
//
// A file is parsed into YAML nodes and laid over Default by package reflect, so that every key, type and range
// that is wrong can be named with its line and column, all of them at once. The yaml tags below are the whole
// schema; the tag unit:"bytes" makes an integer be written as a size ("4GiB"). docs/configuration.md lists every
// key, and a test holds the two together.
package config

import "time"

// Config is the whole of runner.yml. Load fills in every default, so readers never see a zero that means
// "choose for me".
type Config struct {
	Listen string `yaml:"listen"` // address of the HTTP listener; default 127.0.0.1:8080
	URL    string `yaml:"url"`    // how people reach the daemon, for links; default http://<listen>
	TLS    TLS    `yaml:"tls"`
	// TrustedProxies are addresses whose X-Forwarded-For is believed, single ones or networks.
	TrustedProxies []string `yaml:"trusted-proxies"`
	Access         Access   `yaml:"access"`

	Data  string `yaml:"data"`  // data directory; default depends on who runs us
	Slots int    `yaml:"slots"` // jobs at once over all engines; default the number of cores
	// Warm is how many sandboxes may wait for jobs of the images used lately: WarmAuto, WarmOff or a number.
	Warm            string   `yaml:"warm"`
	WarmMemoryBytes int64    `yaml:"warm-memory" unit:"bytes"` // that they may have together
	Engines         []Engine `yaml:"engines"`                  // default: one Docker engine "local" from the environment
	Limits          Limits   `yaml:"limits"`                   // of one job, unless its project says otherwise
	// Network is what jobs may reach, unless their project says otherwise; see Project.NetworkOf.
	Network          string `yaml:"network"`
	NetworkUntrusted string `yaml:"network-untrusted"` // of jobs that are not trusted
	// RetryFaults says which jobs are tried again that ended by the machine's fault; "": see RetryBeforeCommands.
	RetryFaults string `yaml:"retry-faults"`
	// KeepFailed is how long the sandboxes of failed jobs are kept, unless their project says otherwise: KeepOff or a duration.
	KeepFailed      string     `yaml:"keep-failed"`
	KeepFailedBytes int64      `yaml:"keep-failed-bytes" unit:"bytes"` // of those of one project; the oldest go first, 0 is no limit
	Space           Space      `yaml:"space"`
	Retention       Retention  `yaml:"retention"`
	CABundle        string     `yaml:"ca-bundle"` // PEM file trusted by daemon and jobs, besides the system's
	Proxy           Proxy      `yaml:"proxy"`
	Registries      []Registry `yaml:"registries"`
	// ImageAliases are images to take for others: by reference, or by its beginning with * behind it. See ImageFor.
	ImageAliases  map[string]string `yaml:"image-aliases"`
	Images        Images            `yaml:"images"`
	AllowFileURLs bool              `yaml:"allow-file-urls"` // whether projects may name file:// repositories
	Source        SourceLimit       `yaml:"source"`
	Secrets       SecretStore       `yaml:"secrets"`
	Metrics       Metrics           `yaml:"metrics"`
	Telemetry     Telemetry         `yaml:"telemetry"`
	SMTP          SMTP              `yaml:"smtp"`
	Notifications []Notification    `yaml:"notifications"` // of builds of all projects
	Projects      []Project         `yaml:"projects"`
}

// Engine is something that makes sandboxes.
type Engine struct {
	ID        string  `yaml:"id"`
	Type      string  `yaml:"type"` // "docker" (default) or "process"
	Host      string  `yaml:"host"` // Docker host, default from the environment
	Network   string  `yaml:"network"`
	Workspace string  `yaml:"workspace"` // "auto" (default), "mount", "overlay" or "copy"
	Mounts    []Mount `yaml:"mounts"`    // always read-only
	Firewall  string  `yaml:"firewall"`  // "auto" (default) or "off"
	Runtime   string  `yaml:"runtime"`   // OCI runtime of the engine's, by name; default the engine's own choice
	Seccomp   string  `yaml:"seccomp"`   // file of a profile; default the engine's own
	// NoNewPrivileges keeps setuid programs, sudo among them, from giving a process more than it has.
	NoNewPrivileges bool `yaml:"no-new-privileges"`
}

// Mount shows one path of the engine's host in every job, read-only.
type Mount struct {
	Source string `yaml:"source"`
	Target string `yaml:"target"`
}

// Limits of one job. Zero inherits: project from daemon, daemon from the built-in default.
type Limits struct {
	CPUs          float64       `yaml:"cpus" json:"cpus,omitempty"`
	MemoryBytes   int64         `yaml:"memory" unit:"bytes" json:"memoryBytes,omitempty"` // written "4GiB" in the file
	PIDs          int64         `yaml:"pids" json:"pids,omitempty"`
	DiskBytes     int64         `yaml:"disk" unit:"bytes" json:"diskBytes,omitempty"` // that a job may have written at once
	Files         int64         `yaml:"files" json:"files,omitempty"`                 // that it may have made, of every kind
	Timeout       time.Duration `yaml:"timeout" json:"timeout,omitempty"`             // of each attempt at a job; default 60m
	QueueTimeout  time.Duration `yaml:"queue-timeout" json:"queueTimeout,omitempty"`  // default 60m
	LogBytes      int64         `yaml:"log" unit:"bytes" json:"logBytes,omitempty"`
	ArtifactBytes int64         `yaml:"artifacts" unit:"bytes" json:"artifactBytes,omitempty"` // of each artifact
	CacheBytes    int64         `yaml:"cache" unit:"bytes" json:"cacheBytes,omitempty"`        // that one job leaves
	ReportBytes   int64         `yaml:"reports" unit:"bytes" json:"reportBytes,omitempty"`     // of one job, together
	Jobs          int64         `yaml:"jobs" json:"jobs,omitempty"`                            // of one build; 0: as many as the language has
}

// Space says how much of each disk is left free: of that of the data directory, and of those of the engines that are
// on this machine.
type Space struct {
	Floor string `yaml:"floor"` // part of the disk or size below which no job starts: "auto" (default), "5%", "10GiB", "0"
}

// Retention says how long what builds leave is kept. Zero keeps for ever.
type Retention struct {
	Age   time.Duration `yaml:"age"`                // of logs and artifacts
	Bytes int64         `yaml:"bytes" unit:"bytes"` // of logs and artifacts together; the oldest go first
	// CacheBytes bounds the caches of all projects together; those that are worth the least go first.
	CacheBytes int64 `yaml:"caches" unit:"bytes"`
	// Audit is how long records of the audit log are kept.
	Audit  time.Duration `yaml:"audit"`
	Builds BuildsKept    `yaml:"builds"`
}

// BuildsKept says how long and how many builds are remembered at all, with their triggers, jobs and plans.
type BuildsKept struct {
	Age    time.Duration `yaml:"age"`    // since they ended
	Number int64         `yaml:"number"` // of all projects together; the oldest go first
}

// Proxy settings reach the daemon and every job.
type Proxy struct {
	HTTP  string `yaml:"http"`
	HTTPS string `yaml:"https"`
	No    string `yaml:"no"`
}

// Registry is where job images come from, with credentials.
type Registry struct {
	Server   string `yaml:"server"`
	Username string `yaml:"username"`
	Password Secret `yaml:"password"`
}

// SourceLimit bounds the child process that fetches and unpacks repositories.
type SourceLimit struct {
	MemoryBytes int64         `yaml:"memory" unit:"bytes"`
	Timeout     time.Duration `yaml:"timeout"`
}

// SecretStore is where parameters and secrets of builds are kept.
type SecretStore struct {
	KeyFile string `yaml:"key-file"` // age identity that opens them, outside the data directory; see secrets.FindKey
}

// Metrics says where Prometheus may scrape without a token.
type Metrics struct {
	Listen string `yaml:"listen"` // host:port; empty: only /metrics of the listener, with a token
}

// Telemetry says where traces of builds go.
type Telemetry struct {
	OTLP OTLP `yaml:"otlp"`
}

// OTLP is a collector. Without an endpoint, that of OTEL_EXPORTER_OTLP_ENDPOINT or none.
type OTLP struct {
	Endpoint string            `yaml:"endpoint"`
	Protocol string            `yaml:"protocol"` // "http/protobuf" (default) or "grpc"
	Headers  map[string]Secret `yaml:"headers"`
}

// TLS is where the listener's certificate comes from: files, or an authority that speaks ACME. Without either the
// listener speaks plain HTTP.
type TLS struct {
	Certificate string `yaml:"certificate"` // PEM file, with the chain behind the certificate
	Key         string `yaml:"key"`         // PEM file
	ACME        ACME   `yaml:"acme"`
	Redirect    string `yaml:"redirect"` // address of a listener that sends plain HTTP on, and answers HTTP-01
}

// ACME is a certificate authority.
type ACME struct {
	Hosts     []string `yaml:"hosts"`
	Email     string   `yaml:"email"`
	Directory string   `yaml:"directory"` // URL; empty: Let's Encrypt
}

// Access says how people log in.
type Access struct {
	SessionAge  time.Duration `yaml:"session-age"`
	SessionIdle time.Duration `yaml:"session-idle"`
	OIDC        OIDC          `yaml:"oidc"`
}

// OIDC is a provider of identities, and what its groups may do here.
type OIDC struct {
	Issuer       string   `yaml:"issuer"` // URL; empty: there is none
	ClientID     string   `yaml:"client-id"`
	ClientSecret Secret   `yaml:"client-secret"`
	Scopes       []string `yaml:"scopes"`
	NameClaim    string   `yaml:"name-claim"`
	GroupsClaim  string   `yaml:"groups-claim"`
	Roles        []Role   `yaml:"roles"`
}

// Role is what the members of a group may do.
type Role struct {
	Group    string   `yaml:"group"`
	Scope    string   `yaml:"scope"` // read, submit or admin
	Projects []string `yaml:"projects"`
}

// Project is a repository and a buildspec path, with settings. The JSON form is stored in state.db for projects
// made by the API; it holds references to secrets, never secrets.
type Project struct {
	Name       string            `yaml:"name" json:"name"` // 2–150 characters: letters, digits, - and _
	URL        string            `yaml:"url" json:"url"`
	Branch     string            `yaml:"branch" json:"branch,omitempty"` // default branch; empty: the remote's HEAD
	Buildspec  string            `yaml:"buildspec" json:"buildspec"`     // path, default buildspec.yml; or the YAML itself
	Image      string            `yaml:"image" json:"image,omitempty"`   // for buildspecs that name none
	Pull       string            `yaml:"pull" json:"pull"`               // always, if-not-present (default), never
	Env        map[string]string `yaml:"env" json:"env,omitempty"`
	Parameters map[string]string `yaml:"parameter-store" json:"parameters,omitempty"` // variables by name: parameter
	Secrets    map[string]string `yaml:"secrets-manager" json:"secrets,omitempty"`    // variables by name: id[:key[:stage[:version]]]
	// Push names the registries that trusted builds may push images to, each with the secret of the store that logs in there;
	// "" for one that wants nobody in particular.
	Push          map[string]string `yaml:"push" json:"push,omitempty"`
	WebhookSecret Secret            `yaml:"webhook-secret" json:"webhookSecret,omitempty"`
	Username      string            `yaml:"username" json:"username,omitempty"`
	Token         Secret            `yaml:"token" json:"token,omitempty"`
	SSHKey        Secret            `yaml:"ssh-key" json:"sshKey,omitempty"`
	KnownHosts    Secret            `yaml:"known-hosts" json:"knownHosts,omitempty"`
	Depth         int               `yaml:"depth" json:"depth,omitempty"` // of the job's .git; 0 is full history
	Submodules    bool              `yaml:"submodules" json:"submodules,omitempty"`
	Protected     []string          `yaml:"protected" json:"protected,omitempty"`      // ref patterns that are trusted; default: the default branch
	Approval      string            `yaml:"approval" json:"approval,omitempty"`        // which pull requests wait: forks (default), all, none
	Privileged    bool              `yaml:"privileged" json:"privileged,omitempty"`    // whether jobs may ask for privileged-mode
	RetryFaults   string            `yaml:"retry-faults" json:"retryFaults,omitempty"` // always, before-commands, never; "": the daemon's
	KeepFailed    string            `yaml:"keep-failed" json:"keepFailed,omitempty"`   // how long sandboxes of failed jobs are kept: off, a duration; "": the daemon's
	Visibility    string            `yaml:"visibility" json:"visibility,omitempty"`    // who may look at builds without a token: private (default) nobody, public anybody
	Network       string            `yaml:"network" json:"network,omitempty"`          // what jobs may reach: open, private, none; empty: the daemon's
	// NetworkUntrusted narrows Network for jobs that are not trusted.
	NetworkUntrusted string `yaml:"network-untrusted" json:"networkUntrusted,omitempty"`

	Filters          []FilterGroup `yaml:"filters" json:"filters,omitempty"`                    // which events build; none: pushes, tags, pull requests
	Paths            []string      `yaml:"paths" json:"paths,omitempty"`                        // patterns of files that are worth a build
	PathsIgnore      []string      `yaml:"paths-ignore" json:"pathsIgnore,omitempty"`           // patterns of files that are not
	SkipWords        string        `yaml:"skip-words" json:"skipWords,omitempty"`               // on (default), off
	CancelSuperseded string        `yaml:"cancel-superseded" json:"cancelSuperseded,omitempty"` // true (default), false
	Concurrency      Concurrency   `yaml:"concurrency" json:"concurrency,omitzero"`

	Limits   Limits `yaml:"limits" json:"limits"`
	MaxJobs  int    `yaml:"max-jobs" json:"maxJobs,omitempty"`  // at once; 0: as many as there are slots
	Priority int    `yaml:"priority" json:"priority,omitempty"` // higher first, -100 to 100
	Engine   string `yaml:"engine" json:"engine,omitempty"`     // id; empty: the first
	// GreenBeforePush says which pushes take the results of jobs that succeeded before with the same tree: GreenOff (default),
	// GreenUntrusted, GreenOn.
	GreenBeforePush string        `yaml:"green-before-push" json:"greenBeforePush,omitempty"`
	GreenFrom       []string      `yaml:"green-from" json:"greenFrom,omitempty"` // whose submits count for trusted pushes, too
	GreenAge        time.Duration `yaml:"green-age" json:"greenAge,omitempty"`   // of results that count; default GreenAgeDefault
	GreenTags       bool          `yaml:"green-tags" json:"greenTags,omitempty"` // whether tags and releases take results, too
	// BuildParameters are what builds may be asked for by hand and by schedules, by name.
	BuildParameters map[string]Parameter `yaml:"parameters" json:"buildParameters,omitempty"`
	Schedules       []Schedule           `yaml:"schedules" json:"schedules,omitempty"`
	// RegistryTriggers start builds when images are pushed.
	RegistryTriggers []RegistryTrigger `yaml:"registry-triggers" json:"registryTriggers,omitempty"`
	Status           Status            `yaml:"status" json:"status,omitzero"`    // what the forge is told of builds
	Comment          string            `yaml:"comment" json:"comment,omitempty"` // on pull requests: off (default), on-failure, always

	Forge      string `yaml:"forge" json:"forge,omitempty"`            // which it is, one of Forges; empty: found out
	ForgeURL   string `yaml:"forge-url" json:"forgeUrl,omitempty"`     // of its API; empty: where that forge has it
	ForgeToken Secret `yaml:"forge-token" json:"forgeToken,omitempty"` // for its API; empty: Token
	Webhook    string `yaml:"webhook" json:"webhook,omitempty"`        // WebhookAuto: the daemon registers it, with a secret of its own making
	Poll       string `yaml:"poll" json:"poll,omitempty"`              // PollOff or how often remote refs are looked at; see PollEvery

	Notifications []Notification `yaml:"notifications" json:"notifications,omitempty"` // besides the daemon's own
}

// Secret is a reference to a secret: "file:/path" or "env:NAME". A literal value is refused, so that no secret
// ever stands in a configuration file or in state.db.
type Secret string
