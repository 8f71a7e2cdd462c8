package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
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
	if w.status == 0 && status >= 200 {
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
	ctx, caller := r.Context(), ""
	defer func() {
		thrown := recover()
		cut := thrown != nil && w.status != 0 // half an answer is out: the client must see that it is broken
		if thrown != nil && thrown != http.ErrAbortHandler {
			a.panicked(w, r, thrown)
		}
		a.logRequest(ctx, w, r, caller, time.Since(began))
		if cut || thrown == http.ErrAbortHandler {
			panic(http.ErrAbortHandler)
		}
	}()
	// Without a deadline of the server's own, one that a former request on this connection set would stay.
	_ = http.NewResponseController(rw).SetWriteDeadline(began.Add(writeTimeout))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")

	_, pattern := a.mux.Handler(r)
	if !a.public[pattern] {
		name, ok := a.authenticate(r)
		if !ok {
			w.Header().Set("WWW-Authenticate", `Bearer realm="runner"`)
			writeProblem(w, unauthorized())
			return
		}
		caller = name
		ctx = context.WithValue(ctx, callerKey{}, name)
		r = r.WithContext(ctx)
	}
	if pattern == "" {
		a.unrouted(w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// unrouted answers where no route fits, with 404 or 405 as the mux finds.
func (a *api) unrouted(w http.ResponseWriter, r *http.Request) {
	probe := &probe{header: http.Header{}}
	a.mux.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		allow := probe.header.Get("Allow")
		w.Header().Set("Allow", allow)
		writeProblem(w, problem(probe.status, fmt.Sprintf("%s cannot be done with %s", r.Method, r.URL.Path), "it takes "+allow))
		return
	}
	writeProblem(w, problem(http.StatusNotFound, "there is nothing at "+r.URL.Path, "GET /openapi.json lists every route"))
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
	a.Logger.Error("a request failed by a mistake in the daemon", "id", id, "method", r.Method, "path", r.URL.Path,
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
func (a *api) logRequest(ctx context.Context, w *recorded, r *http.Request, caller string, took time.Duration) {
	level := slog.LevelInfo
	switch {
	case w.status >= 500:
		level = slog.LevelError
	case r.URL.Path == "/healthz" || r.URL.Path == "/readyz" || r.URL.Path == "/metrics": // asked again and again
		level = slog.LevelDebug
	}
	a.Logger.LogAttrs(ctx, level, "request", slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.Int("status", w.status), slog.Int64("bytes", w.bytes), slog.Duration("took", took),
		slog.String("remote", r.RemoteAddr), slog.String("token", caller), slog.String("agent", clip(r.UserAgent(), 100)))
}

// clip cuts text to n bytes.
func clip(s string, n int) string { return s[:min(len(s), n)] }
