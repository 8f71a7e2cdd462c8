package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/runner-ci/runner/access"
)

// writeTimeout is how long one write to a client may take. It is moved on with every block of a stream, so that it
// bounds a stall and not a download.
const writeTimeout = 60 * time.Second

// recorded remembers what was answered, for the log.
type recorded struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorded) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorded) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorded) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// ServeHTTP is where every request begins; see the package comment.
func (a *api) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	began := time.Now()
	w := &recorded{ResponseWriter: rw}
	who := &identity{}
	address := a.addressOf(r)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if leaving := lasting(r); leaving != nil {
		defer context.AfterFunc(leaving, cancel)()
	}
	defer func() {
		thrown := recover()
		cut := thrown != nil && w.status != 0 // half an answer is out: the client must see that it is broken
		if thrown != nil && thrown != http.ErrAbortHandler {
			a.panicked(w, r, thrown)
		}
		a.logRequest(ctx, w, r, who.name, address, time.Since(began))
		if cut || thrown == http.ErrAbortHandler {
			panic(http.ErrAbortHandler)
		}
	}()
	// Without a deadline of the server's own, one that a former request on this connection set would stay.
	ctrl := http.NewResponseController(rw)
	_ = ctrl.SetWriteDeadline(began.Add(writeTimeout))
	_ = ctrl.SetReadDeadline(began.Add(a.patience))
	a.setHeaders(w.Header())

	_, pattern := a.mux.Handler(r)
	a.tellRobots(w, r, pattern)
	if a.public[pattern] {
		who = &identity{address: address.String()}
	} else if found, p := a.sender(w, r, pattern, address); p != nil {
		writeProblem(w, p)
		return
	} else {
		who = found
	}
	if who.nobody {
		leave, p := a.stranger(w, r, pattern, address)
		defer leave()
		if p != nil {
			writeProblem(w, p)
			return
		}
	}
	for _, life := range who.lives {
		defer context.AfterFunc(life, cancel)()
	}
	r = r.WithContext(context.WithValue(ctx, callerKey{}, who))
	if pattern == "" {
		a.unrouted(w, r)
		return
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		a.mux.ServeHTTP(&tagging{ResponseWriter: w, r: r}, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// sender finds out whom a request comes from.
func (a *api) sender(w http.ResponseWriter, r *http.Request, pattern string, address netip.Addr) (*identity, *Problem) {
	if a.pages[pattern] || pattern == "" && forPeople(r) {
		return a.visitor(w, r, address)
	}
	return a.admit(w, r, pattern, address)
}

// admit finds out whom a request for a route comes from, and whether that is anybody who may ask for it at all. To what of
// it, permit tells when the request was read.
func (a *api) admit(w http.ResponseWriter, r *http.Request, pattern string, address netip.Addr) (*identity, *Problem) {
	n, operation := a.needs[pattern]
	who, tried := a.identifyFor(pattern, r)
	if who == nil && !tried && operation && n.open {
		who = a.anybody()
	}
	if who == nil {
		if tried && a.Access != nil {
			a.Access.Refused(access.Event{Action: "authenticate", Address: callNetwork(address), Result: http.StatusUnauthorized})
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="runner"`)
		return nil, unauthorized()
	}
	who.address = address.String()
	if who.session {
		if err := a.origins.Check(r); err != nil {
			return nil, crossOrigin()
		}
	}
	if operation && !who.grants.Somewhere(n.scope) {
		if a.Access != nil {
			a.Access.Refused(access.Event{Who: who.name, Action: pattern, Address: who.address, Result: http.StatusForbidden})
		}
		return nil, forbidden(who, fmt.Sprintf("this needs the scope %s", n.scope))
	}
	if bodyless := r.Method == http.MethodGet || r.Method == http.MethodHead; bodyless && r.ContentLength != 0 {
		return nil, problem(http.StatusBadRequest, "a "+r.Method+" takes no body", "send none")
	}
	return who, nil
}

// crossOrigin is the answer to what a page of another site has a browser do.
func crossOrigin() *Problem {
	return problem(http.StatusForbidden, "a page of another site sent this", "do it from a page of this daemon, or with a token; where a proxy stands before it, url in runner.yml must be the address that browsers see")
}

// unrouted answers where no route fits, with 404 or 405 as the mux finds. People get a page, and who is nobody the login.
func (a *api) unrouted(w http.ResponseWriter, r *http.Request) {
	probe := &probe{header: http.Header{}}
	a.mux.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed && !caller(r.Context()).nobody {
		allow := probe.header.Get("Allow")
		w.Header().Set("Allow", allow)
		writeProblem(w, problem(probe.status, fmt.Sprintf("%s cannot be done with %s", r.Method, r.URL.Path), "it takes "+allow))
		return
	}
	if forPeople(r) {
		a.site.Nothing(w, r)
		return
	}
	writeProblem(w, problem(http.StatusNotFound, "there is nothing at "+r.URL.Path, "GET /openapi.json lists every route"))
}

// forPeople tells whether a browser asks for a page, rather than a program for what the API has.
func forPeople(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && !strings.HasPrefix(r.URL.Path, "/api/v1/") &&
		strings.Contains(r.Header.Get("Accept"), "text/html")
}

// probe takes an answer that is not sent.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }
func (p *probe) WriteHeader(status int)      { p.status = status }

// panicked logs a mistake of ours, and answers where nothing was answered yet.
func (a *api) panicked(w *recorded, r *http.Request, thrown any) {
	id := newID()
	a.Logger.Error("a request failed by a mistake in the daemon", "id", id, "method", r.Method, "path", shownPath(r.URL.Path),
		"panic", fmt.Sprint(thrown), "stack", string(debug.Stack()))
	if w.status != 0 {
		return
	}
	p := problem(http.StatusInternalServerError, "the daemon made a mistake and could not answer",
		"please report it with what its log has under this id")
	p.ID = id
	writeProblem(w, p)
}

// newID is short enough to be read out, and random enough to be found in a log.
func newID() string { return rand.Text()[:12] }

// logRequest writes a line per request. Queries and headers stay out of it, because they hold titles and tokens.
func (a *api) logRequest(ctx context.Context, w *recorded, r *http.Request, caller string, address netip.Addr, took time.Duration) {
	level := slog.LevelInfo
	switch {
	case w.status >= 500:
		level = slog.LevelError
	case r.URL.Path == "/healthz" || r.URL.Path == "/readyz" || r.URL.Path == "/metrics": // asked again and again
		level = slog.LevelDebug
	}
	a.Logger.LogAttrs(ctx, level, "request", slog.String("method", r.Method), slog.String("path", shownPath(r.URL.Path)),
		slog.Int("status", w.status), slog.Int64("bytes", w.bytes), slog.Duration("took", took),
		slog.String("remote", address.String()), slog.String("token", caller), slog.String("agent", clip(r.UserAgent(), 100)))
}

// clip cuts text to n bytes.
func clip(s string, n int) string { return s[:min(len(s), n)] }
