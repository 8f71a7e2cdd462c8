package server

import (
	"bytes"
	"context"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/runner-ci/runner/server/web"
)

// api is the handler of all routes.
type api struct {
	Options
	mux  *router
	huma huma.API

	document func() []byte // the OpenAPI document

	public map[string]bool // patterns of the mux that need no token
	pages  map[string]bool // patterns of what people look at: what they may see of it, the API says
	needs  map[string]need // by pattern, of all others
	site   *web.Site
	large  chan struct{} // slots for webhooks with large bodies

	searching *searchTurns
	logFeeds  logFeeds // live logs that are watched

	logins, hooks *limiter
	strangers     *strangers
	origins       *http.CrossOriginProtection
	patience      time.Duration // for the body of a request that nobody reads
	replays       replays
	changing      sync.Mutex // held while a change that depends on what is there is made

	repositories sync.Map // address of a project's repository → its key

	tickets   tickets // open previews
	readiness readiness
}

// router is a mux that knows its patterns, which a test holds against the OpenAPI document.
type router struct {
	*http.ServeMux
	patterns []string
}

// HandleFunc adds a route.
func (m *router) HandleFunc(pattern string, handle func(http.ResponseWriter, *http.Request)) {
	m.patterns = append(m.patterns, pattern)
	m.ServeMux.HandleFunc(pattern, handle)
}

// New returns the handler of all routes. Serve it with NewHTTPServer, whose limits it counts on.
func New(o Options) http.Handler {
	useProblems()
	a := &api{
		Options: o.withDefaults(), mux: &router{ServeMux: http.NewServeMux()}, public: map[string]bool{}, pages: map[string]bool{}, needs: map[string]need{},
		large: make(chan struct{}, largeHooks), searching: newSearchTurns(), logins: newLimiter(loginBurst, loginEvery), hooks: newLimiter(hookBurst, hookEvery), strangers: newStrangers(),
		origins: http.NewCrossOriginProtection(), patience: bodyPatience, tickets: newTickets(),
	}
	if a.Origin != "" {
		if err := a.origins.AddTrustedOrigin(a.Origin); err != nil {
			a.Logger.Error("browsers may be refused behind a proxy that changes the Host header", "url", a.Origin, "error", err)
		}
	}
	a.huma = humago.New(a.mux, huma.Config{
		OpenAPI:       newDocument(a.Version),
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
	})
	a.routeHealth()
	a.routeDaemon()
	a.routeStatus()
	a.routeBackup()
	a.routeOverview()
	a.routeBuilds()
	a.routeChanges()
	a.routeShell()
	a.routeLogs()
	a.routeArtifacts()
	a.routePreviews()
	a.routeTests()
	a.routeCaches()
	a.routeTriggers()
	a.routeSchedules()
	a.routeInbox()
	a.routeProjects()
	a.routeProjectStats()
	a.routeProjectHooks()
	a.routeBadges()
	a.routeFeeds()
	a.routeRobots()
	a.routeSubmit()
	a.routeSecrets()
	a.routeTokens()
	a.routeAudit()
	a.routeLogin()
	a.routeHooks()
	a.routeRegistryHooks()
	a.routeOpenAPI()
	a.routePages()
	return a
}

// maxBody bounds a JSON body in bytes. The largest is a list of known commits, 40 digits each.
const maxBody = 1 << 20

// readTimeout is how long a JSON body may take to come.
const readTimeout = 30 * time.Second

// add registers an operation that needs what the table of needs says, and turns its errors into problems.
func add[I, O any](a *api, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	n, ok := needs[op.OperationID]
	if !ok {
		panic("the table of needs does not have operation " + op.OperationID)
	}
	a.needs[op.Method+" "+op.Path] = n
	if in := any(new(I)); n.of == ofProject || n.of == ofBuild {
		_, one := in.(within)
		if _, several := in.(ofTrigger); !one && !several {
			panic("the input of " + op.OperationID + " does not say of which project it is, on which depends who may do it")
		}
	}
	op.Security = []map[string][]string{{bearer: {string(n.scope)}}, {session: {string(n.scope)}}}
	op.Errors = append([]int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}, op.Errors...)
	if n.open {
		op.Security = append(op.Security, map[string][]string{}) // of public projects, without either
		op.Errors = append(op.Errors, http.StatusTooManyRequests)
	}
	if _, body := reflect.TypeFor[I]().FieldByName("Body"); body {
		op.Errors = append(op.Errors, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = maxBody
	}
	op.BodyReadTimeout = readTimeout
	op.RejectUnknownQueryParameters = true
	handle = replayed(a, op, audited(a, op, handle))
	register(a, op, func(ctx context.Context, in *I) (*O, error) {
		if err := a.permit(ctx, n, in); err != nil {
			a.refuse(ctx, op.OperationID, in, err)
			return nil, err
		}
		return handle(ctx, in)
	})
}

// addPublic registers an operation that needs no token.
func addPublic[I, O any](a *api, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	op.Security = []map[string][]string{}
	a.public[op.Method+" "+op.Path] = true
	register(a, op, handle)
}

func register[I, O any](a *api, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err == nil {
			return out, nil
		}
		p := problemOf(err)
		if p.Status == http.StatusInternalServerError && p.ID == "" {
			p.ID = newID()
			a.Logger.Error("a request failed", "id", p.ID, "operation", op.OperationID, "error", err)
		}
		if p.retry > 0 {
			a.Logger.Error("a request failed, and its client may send it again", "operation", op.OperationID, "error", err)
		}
		return nil, p
	})
}

// jsonOut is the answer of an operation: its body as JSON.
type jsonOut[T any] struct{ Body T }

func answer[T any](body T) (*jsonOut[T], error) { return &jsonOut[T]{body}, nil }

// taggedOut is the answer of a change, with the ETag that a GET of what there is now has.
type taggedOut[T any] struct {
	ETag string `header:"ETag" doc:"stands for what there is now"`
	Body T
}

func answerTagged[T any](body T) (*taggedOut[T], error) {
	tag, err := tagOfJSON(body)
	return &taggedOut[T]{tag, body}, err
}

// NewHTTPServer returns a server for the handler with the limits that it counts on. There is no limit on a whole
// request or answer, since packs, logs and archives take what they take; every read and write in them has one.
// Shutdown ends what lasts first, so that it need not wait for the builds that somebody follows; it waits for the rest.
func NewHTTPServer(handler http.Handler, log *slog.Logger) *http.Server {
	leaving, leave := context.WithCancel(context.Background())
	base := context.WithValue(context.Background(), leavingKey{}, leaving)
	s := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    256 << 10, // the environment of a submit is in a header
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          stdlog.New(connectionLog{log}, "", 0),
	}
	s.RegisterOnShutdown(leave)
	return s
}

// leavingKey is of the context that ends when the server is told to shut down.
type leavingKey struct{}

// lasting is that context for a request which asks to wait for what has not happened yet, such as a log that is followed; nil for
// one that comes to its end by itself. A pack that is being taken in, say, is not broken off by an upgrade.
func lasting(r *http.Request) context.Context {
	if !lasts(r) {
		return nil
	}
	leaving, _ := r.Context().Value(leavingKey{}).(context.Context)
	return leaving
}

// lasts tells whether a request asks to wait for what has not happened yet.
func lasts(r *http.Request) bool {
	q := r.URL.Query()
	follows, _ := strconv.ParseBool(q.Get("follow"))
	return follows || q.Has("wait") || strings.HasSuffix(r.URL.Path, "/events") || strings.HasSuffix(r.URL.Path, "/shell")
}

// connectionLog takes what net/http says of connections. Handshakes that fail are a line for debugging: anybody can make as
// many of them as they like, and fill the disk with warnings.
type connectionLog struct{ log *slog.Logger }

func (c connectionLog) Write(text []byte) (int, error) {
	level := slog.LevelWarn
	if bytes.Contains(text, []byte("TLS handshake error")) {
		level = slog.LevelDebug
	}
	c.log.Log(context.Background(), level, strings.TrimSpace(string(text)))
	return len(text), nil
}
