package config

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Defaults that stand in docs/configuration.md too.
const (
	// DefaultListen is loopback: nothing of the daemon is reachable from elsewhere unless its admin says so.
	DefaultListen = "127.0.0.1:8080"
	// DefaultTimeout of a job is CodeBuild's.
	DefaultTimeout = time.Hour
	// DefaultQueueTimeout is how long a job may wait for a slot. CodeBuild waits eight hours; on a machine of
	// one's own a queue of more than one hour is a fault that somebody should hear of.
	DefaultQueueTimeout = time.Hour
	// DefaultPIDs lets a parallel build of a large C++ project through and stops a fork bomb.
	DefaultPIDs = 4096
	// DefaultDiskBytes of one job: a build of a large monorepo with its packages and images fits, an endless file does not
	// fill a disk of the usual size.
	DefaultDiskBytes = 50 << 30
	// DefaultFiles of one job: a few trees of node_modules are a million.
	DefaultFiles = 5_000_000
	// DefaultFloor is 5 % of a disk, at most 10 GiB.
	DefaultFloor = "auto"
	// DefaultLogBytes of one job: no log that a person reads is near it, and an endless loop ends at it.
	DefaultLogBytes = 1 << 30
	// DefaultArtifactBytes of one job: a few container images or installers.
	DefaultArtifactBytes = 8 << 30
	// DefaultCacheBytes of one job's cache: a monorepo's packages, compressed by nobody.
	DefaultCacheBytes = 10 << 30
	// DefaultReportBytes of one job's reports: JUnit files of a hundred thousand tests are well below it.
	DefaultReportBytes = 256 << 20
	// DefaultRetentionCaches bounds the caches of all projects together.
	DefaultRetentionCaches = 20 << 30
	// DefaultRetention of logs and artifacts.
	DefaultRetention = 30 * 24 * time.Hour
	// DefaultAudit is how long the audit log is kept: long enough to be asked about the year before.
	DefaultAudit = 400 * 24 * time.Hour
	// DefaultBuildsAge and DefaultBuildsNumber of builds that are remembered: the last year's, in less than a gigabyte of
	// state.db.
	DefaultBuildsAge, DefaultBuildsNumber = 400 * 24 * time.Hour, 100_000
	// DefaultSessionAge and DefaultSessionIdle of a browser's session: a working day, a long lunch.
	DefaultSessionAge, DefaultSessionIdle = 12 * time.Hour, 2 * time.Hour
	// DefaultSourceMemory bounds the process that unpacks repositories: go-git holds the largest file and a
	// window of deltas in memory.
	DefaultSourceMemory = 2 << 30
	// DefaultSourceTimeout bounds one fetch: a first clone of a large repository over a slow line.
	DefaultSourceTimeout = 15 * time.Minute
	// DefaultBuildspec is where CodeBuild looks.
	DefaultBuildspec = "buildspec.yml"
	// DefaultPull spares the registry a question per build; images are pinned by digest per build anyway.
	DefaultPull = "if-not-present"
	// DefaultApproval lets nobody's fork run a line here before a person has looked at it.
	DefaultApproval = ApproveForks
	// VisibilityPrivate shows a project's builds to nobody without a token, VisibilityPublic to anybody.
	VisibilityPrivate, VisibilityPublic = "private", "public"
	// WarmAuto lets as many sandboxes wait as there are slots and as the machine's memory allows; WarmOff lets none.
	WarmAuto, WarmOff = "auto", "off"
	// DefaultWarmMemory is what all sandboxes that wait may have together.
	DefaultWarmMemory = 1 << 30
	// DefaultEngineID names the engine of a configuration that lists none.
	DefaultEngineID = "local"
)

// defaultLimits of one job: none on CPU and memory.
var defaultLimits = Limits{
	PIDs:          DefaultPIDs,
	DiskBytes:     DefaultDiskBytes,
	Files:         DefaultFiles,
	Timeout:       DefaultTimeout,
	QueueTimeout:  DefaultQueueTimeout,
	LogBytes:      DefaultLogBytes,
	ArtifactBytes: DefaultArtifactBytes,
	CacheBytes:    DefaultCacheBytes,
	ReportBytes:   DefaultReportBytes,
}

// Default returns the settings of a daemon without a configuration file. CPU and memory of jobs are unlimited
// until somebody who knows the machine says otherwise; process count, disk, time, log and artifacts never are.
func Default() *Config {
	c := &Config{
		Listen: DefaultListen,
		Data:   DefaultData(),
		Slots:  runtime.NumCPU(),
		Warm:   WarmAuto, WarmMemoryBytes: DefaultWarmMemory,
		Limits:     defaultLimits,
		Space:      Space{Floor: DefaultFloor},
		KeepFailed: DefaultKeepFailed, KeepFailedBytes: DefaultKeepFailedBytes,
		Images: Images{Builder: DefaultBuilder, StateBytes: DefaultBuilderState, Untrusted: UntrustedBuild},
		Retention: Retention{
			Age: DefaultRetention, CacheBytes: DefaultRetentionCaches, Audit: DefaultAudit,
			Builds: BuildsKept{Age: DefaultBuildsAge, Number: DefaultBuildsNumber},
		},
		Access: Access{SessionAge: DefaultSessionAge, SessionIdle: DefaultSessionIdle},
		Source: SourceLimit{MemoryBytes: DefaultSourceMemory, Timeout: DefaultSourceTimeout},
	}
	c.fill()
	return c
}

// DefaultData returns the data directory of a daemon that was told none: /var/lib/runner for root, otherwise
// runner below $XDG_STATE_HOME or ~/.local/state.
func DefaultData() string {
	if os.Geteuid() == 0 {
		return "/var/lib/runner"
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "runner")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "state", "runner")
	}
	return "/var/lib/runner"
}

// Fill gives a project the defaults of what it leaves open. Limits stay zero: they are inherited when a job
// starts, so that a change of the daemon's reaches every project.
func (p *Project) Fill() {
	if p.Buildspec == "" {
		p.Buildspec = DefaultBuildspec
	}
	if p.Pull == "" {
		p.Pull = DefaultPull
	}
	if p.Visibility == "" {
		p.Visibility = VisibilityPrivate
	}
	if p.Approval == "" {
		p.Approval = DefaultApproval
	}
	p.SkipWords = or(p.SkipWords, SkipWordsOn)
	p.CancelSuperseded = or(p.CancelSuperseded, CancelYes)
	if p.Concurrency.Group != "" {
		p.Concurrency.Limit = or(p.Concurrency.Limit, 1)
	}
}

// Or returns the limits with every zero replaced by the other's: project.Limits.Or(daemon.Limits).
func (l Limits) Or(other Limits) Limits {
	return Limits{
		CPUs:          or(l.CPUs, other.CPUs),
		MemoryBytes:   or(l.MemoryBytes, other.MemoryBytes),
		PIDs:          or(l.PIDs, other.PIDs),
		DiskBytes:     or(l.DiskBytes, other.DiskBytes),
		Files:         or(l.Files, other.Files),
		Timeout:       or(l.Timeout, other.Timeout),
		QueueTimeout:  or(l.QueueTimeout, other.QueueTimeout),
		LogBytes:      or(l.LogBytes, other.LogBytes),
		ArtifactBytes: or(l.ArtifactBytes, other.ArtifactBytes),
		CacheBytes:    or(l.CacheBytes, other.CacheBytes),
		ReportBytes:   or(l.ReportBytes, other.ReportBytes),
		Jobs:          or(l.Jobs, other.Jobs),
	}
}

func or[T comparable](value, other T) T {
	var zero T
	if value == zero {
		return other
	}
	return value
}

// fill completes what was laid over the defaults: entries of lists, and what depends on other settings.
func (c *Config) fill() {
	if len(c.Engines) == 0 {
		c.Engines = []Engine{{ID: DefaultEngineID}}
	}
	for i := range c.Engines {
		e := &c.Engines[i]
		e.Type = or(e.Type, "docker")
		e.Workspace = or(e.Workspace, "auto")
		e.Firewall = or(e.Firewall, "auto")
	}
	for i := range c.Projects {
		c.Projects[i].Fill()
	}
	if _, said := c.ImageAliases[curatedImages]; !said {
		if c.ImageAliases == nil {
			c.ImageAliases = make(map[string]string)
		}
		c.ImageAliases[curatedImages] = publishedImages
	}
	c.Limits = c.Limits.Or(defaultLimits)
	c.Space.Floor = or(c.Space.Floor, DefaultFloor)
	c.KeepFailed = or(c.KeepFailed, DefaultKeepFailed)
	if c.URL == "" {
		c.URL = urlOf(c.Listen)
		if c.TLS.On() && c.URL != "" {
			c.URL = "https" + strings.TrimPrefix(c.URL, "http")
		}
	}
}

// urlOf guesses the daemon's address for people from where it listens. It is empty when the port is 0 and so
// known only to the listener.
func urlOf(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}
