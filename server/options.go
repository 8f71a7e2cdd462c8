package server

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/forge"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/secrets"
)

// Scheduler is what the server needs of package scheduler.
type Scheduler interface {
	PushProof(ctx context.Context, b *scheduler.Build, jobs []scheduler.Job) *scheduler.PushProof
	Accept(ctx context.Context, t scheduler.Trigger) (stored scheduler.Trigger, created bool, err error)
	Trigger(id string) (scheduler.Trigger, error)
	Delivered(delivery string) (t scheduler.Trigger, ok bool, err error)
	HeadOf(projects []string, pullRequest int) (t scheduler.Trigger, ok bool, err error)
	PushedBy(project string, image scheduler.PushedImage, now time.Time) (build string, err error)
	Triggers(outcome scheduler.Outcome, cursor string, limit int) (page []scheduler.Trigger, next string, err error)
	Approve(ctx context.Context, id, commit, by string) (scheduler.Trigger, error)
	WatchTrigger(ctx context.Context, id string) <-chan struct{}
	Schedules(now time.Time) ([]scheduler.ScheduleState, error)

	Note(r scheduler.Received)
	Received(show func(*scheduler.Received) bool, before uint64, limit int) (page []scheduler.Received, more bool)

	Build(id string) (scheduler.Build, error)
	HasEnded(build string) bool
	MayBeTrusted(build string) (bool, error)
	Builds(f scheduler.Filter, cursor string, limit int) (page []scheduler.Build, next string, err error)
	Days(f scheduler.Filter, now time.Time) (days []scheduler.Day, all scheduler.Day, whole time.Time, err error)
	Branches(project, cursor string, limit int) (page []scheduler.Build, next string, err error)
	Jobs(build string) ([]scheduler.Job, error)
	TestRuns(build string) ([]scheduler.TestRun, error)
	Starts(project string) (scheduler.Starts, error)
	Held(from, to time.Time) ([]scheduler.Held, error)
	GreenBefore(b *scheduler.Build) (*scheduler.Build, error)
	Environment(b *scheduler.Build, job string) (scheduler.Environment, error)
	Stop(ctx context.Context, build, by string) (scheduler.Build, error)
	Resume(ctx context.Context, build, job, by string) (jobs []string, err error)
	Watch(ctx context.Context, build string) <-chan struct{}
	WatchAll(ctx context.Context) <-chan struct{}
	Now() scheduler.Moment
	Histories() (map[string]scheduler.History, error)
	Outlook(most int) (scheduler.Outlook, error)
	ChangedSince(m scheduler.Moment) scheduler.Changed
	StatusOf(builds []string) (map[string]scheduler.Status, error)
	Kept(build, job string) (scheduler.KeptSandbox, bool)
	FindShell(build, job, at string) (scheduler.ShellPlace, error)
	OpenShell(ctx context.Context, place scheduler.ShellPlace, c scheduler.ShellCommand) (*scheduler.OpenedShell, error)
	ReportsDue(build string) (bool, error)
	NewestBuild(project string, refs []string) (*scheduler.Build, error)

	Projects() ([]scheduler.Project, error)
	EachProject(visit func(p *config.Project)) error
	Project(name string) (scheduler.Project, error)
	PutProject(ctx context.Context, p config.Project) error
	RemoveProject(ctx context.Context, name string) error

	Drain(on bool)
	Draining() bool
	ShortOfSpace() string // why no job starts for lack of disk space
	Running() int
	Queued() int
	Warm() (waiting int, why string)
}

// Artifacts is what the server needs of package artifacts.
type Artifacts interface {
	LogState(id string) (artifacts.LogState, error)
	ReadLog(ctx context.Context, id string, offset int64, follow bool) io.ReadCloser
	AwaitLog(ctx context.Context, id string, bytes int64) (artifacts.LogState, error)
	LogLines(ctx context.Context, id string) (artifacts.LogLines, error)
	LineOffset(ctx context.Context, id string, line int64) (int64, error)
	LinesAt(ctx context.Context, id string, offsets []int64) ([]int64, error)
	LogTimes(ctx context.Context, id string, from, to int64) ([]artifacts.LogTime, error)
	Set(id string) (artifacts.Set, error)
	OpenFile(ctx context.Context, id, path string) (io.ReadCloser, artifacts.File, error)
	WriteZip(ctx context.Context, sets []artifacts.NamedSet, w io.Writer) error
	WriteTarZst(ctx context.Context, sets []artifacts.NamedSet, w io.Writer) error
	Caches(cursor string, limit int) (page []artifacts.CacheInfo, next string, err error)
	Cache(id string) (artifacts.CacheInfo, error)
	RemoveCache(ctx context.Context, id string) error
	Earned(scope, paths, job string) (artifacts.Earnings, error)
}

// Secrets is what the server needs of package secrets. It takes values in and never gives one out.
type Secrets interface {
	Set(ctx context.Context, c secrets.Change) (secrets.Changed, error)
	List(cursor string, limit int, name string) (page []secrets.Secret, next string, err error)
	Remove(ctx context.Context, name, project, by string) error
	Audit(cursor string, limit int, name string) (page []secrets.Event, next string, err error)
}

var (
	_ Secrets   = (*secrets.Store)(nil)
	_ Scheduler = (*scheduler.Scheduler)(nil)
	_ Artifacts = (*artifacts.Store)(nil)
)

// Source is what the server needs of the git mirrors. Both name a project, whose remote the daemon's assembly knows.
type Source interface {
	// Known returns which of the commits the project's mirror has, in their order, leaving out what only others sent.
	Known(ctx context.Context, project config.Project, who string, commits []string) ([]string, error)
	// Receive puts a pack of somebody's into the project's mirror and returns the ref under which its commit is kept. An
	// error that wraps a RefusedError is the sender's doing; any other is ours.
	Receive(ctx context.Context, project config.Project, who, commit string, pack io.Reader) (ref string, err error)
}

// RefusedError is what a Source answers when what was sent is at fault: a damaged pack, or one without its commit.
type RefusedError struct{ Reason string }

// Error returns the reason.
func (e *RefusedError) Error() string { return e.Reason }

// SignIn is what the server needs of a provider of identities.
type SignIn interface {
	// Begin returns where the browser has to go, and what it has to bring back in a cookie of ours.
	Begin(ctx context.Context, next string) (redirect, cookie string, err error)
	// Finish takes what the browser brought back, and says who it is and where it wanted to go. An error that wraps
	// access.ErrInvalid is about what was brought back; any other is the provider's or ours.
	Finish(ctx context.Context, query url.Values, cookie string) (who access.Owner, next string, err error)
}

// Options is all that a server is made of.
type Options struct {
	Scheduler Scheduler
	Artifacts Artifacts
	Source    Source
	Tests     Tests
	Secrets   Secrets       // nil where none are kept, as in a daemon of one build
	Forges    []forge.Forge // each gets a route /hooks/<name>
	Tokens    []Token       // any of them opens every route; without one, and without Access, none does
	Access    *access.Store // tokens, sessions and the audit log; nil where none are kept, as in a daemon of one build

	// Roles are what the groups of a person who logged in with SignIn may do. Nil means nothing.
	Roles  func(groups []string) access.Grants
	SignIn SignIn // nil: people log in with tokens alone

	Proxies []netip.Prefix // whose X-Forwarded-For is believed
	Origin  string         // how browsers reach us, scheme://host:port; empty where that is not known
	Base    string         // path below which a proxy shows us, like /runner; mostly empty
	Secure  bool           // that is over TLS

	Webhooks Webhooks // keeps those of projects; nil in a daemon of one build

	// Secret reads the secret that a reference names; nil means config.Secret.Resolve.
	Secret func(config.Secret) ([]byte, error)
	// CheckProject judges a project that the API was given; nil means config.Project.Check.
	CheckProject func(*config.Project) error
	// Ready tells why the daemon cannot do its work right now: state not open, no engine answers. Nil means ready.
	Ready func(context.Context) error

	// Status tells what the daemon does right now. Nil means that nothing is known.
	Status func(context.Context) client.Status
	// Metrics answers scrapes; nil means with nothing.
	Metrics http.Handler
	Meter   Meter // nil counts nothing
	// Backup writes a backup of the daemon; nil where there is nothing to keep, as in a daemon of one build.
	Backup func(ctx context.Context, w io.Writer) error

	// Warnings are sentences about what an admin should look at. Nil means there are none.
	Warnings func() []string

	Version  string
	Instance string
	Slots    func() int // jobs at once; a reload may change it. Nil means unknown
	Engines  []string
	MaxPack  int64 // bytes of one submitted pack; 0 means DefaultMaxPack
	Logger   *slog.Logger
}

// DefaultMaxPack bounds a submitted pack in bytes: the whole of a large repository, for a mirror that has none of it.
const DefaultMaxPack = 4 << 30

func (o Options) withDefaults() Options {
	if o.Roles == nil {
		o.Roles = func([]string) access.Grants { return nil }
	}
	if o.Secret == nil {
		o.Secret = config.Secret.Resolve
	}
	if o.CheckProject == nil {
		o.CheckProject = (*config.Project).Check
	}
	if o.Warnings == nil {
		o.Warnings = func() []string { return nil }
	}
	if o.Status == nil {
		o.Status = func(context.Context) client.Status { return client.Status{} }
	}
	if o.Metrics == nil {
		o.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	}
	if o.Meter == nil {
		o.Meter = noMeter{}
	}
	if o.Ready == nil {
		o.Ready = func(context.Context) error { return nil }
	}
	if o.Slots == nil {
		o.Slots = func() int { return 0 }
	}
	if o.MaxPack <= 0 {
		o.MaxPack = DefaultMaxPack
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
