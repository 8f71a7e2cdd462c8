package server

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/runner-ci/runner/client"
)

// insideURL stands for this daemon in what the pages ask of it. Nothing resolves or dials it.
const insideURL = "http://daemon"

// inside has requests answered by the routes of the API in this process, under the identity that their context bears: the
// pages see what their visitor may see, through the same checks as everybody, and nothing that the API does not offer.
type inside struct{ api *api }

// insideClient is a client of this daemon within itself.
func (a *api) insideClient() *client.Client {
	return client.New(insideURL, "", client.WithHTTPClient(&http.Client{Transport: inside{a}}))
}

// RoundTrip answers one request. Its answer may be a stream, which ends with the request's context.
func (in inside) RoundTrip(r *http.Request) (*http.Response, error) {
	a := in.api
	r = r.Clone(r.Context())
	r.RequestURI, r.RemoteAddr = r.URL.RequestURI(), caller(r.Context()).address
	if r.Body == nil {
		r.Body = http.NoBody
	}
	reader, writer := io.Pipe()
	w := &piped{header: http.Header{}, body: writer, begun: make(chan struct{})}
	stop := context.AfterFunc(r.Context(), func() { writer.CloseWithError(context.Cause(r.Context())) })
	go func() {
		defer stop()
		defer func() {
			thrown := recover()
			w.begin(http.StatusInternalServerError) // a no-op after an answer has begun
			if thrown != nil && thrown != http.ErrAbortHandler {
				a.Logger.Error("a page's own request failed by a mistake in the daemon", "path", shownPath(r.URL.Path), "panic", thrown)
			}
			if thrown != nil {
				writer.CloseWithError(io.ErrUnexpectedEOF)
				return
			}
			writer.Close()
		}()
		a.serveInside(w, r)
	}()
	<-w.begun
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: reader, ContentLength: -1, Request: r,
	}, nil
}

// serveInside is what ServeHTTP does for a request whose sender is known already.
func (a *api) serveInside(w http.ResponseWriter, r *http.Request) {
	_, pattern := a.mux.Handler(r)
	who, n := caller(r.Context()), a.needs[pattern]
	switch _, operation := a.needs[pattern]; {
	case !operation && !a.public[pattern]:
		a.unrouted(w, r)
	case operation && who.nobody && !(n.open && who.grants.Somewhere(n.scope)):
		writeProblem(w, unauthorized())
	case operation && !who.grants.Somewhere(n.scope):
		writeProblem(w, forbidden(who, "this needs the scope "+string(n.scope)))
	default:
		a.mux.ServeHTTP(w, r)
	}
}

// piped is an answer on its way to whoever asked in the same process.
type piped struct {
	header http.Header
	body   *io.PipeWriter
	begun  chan struct{}
	once   sync.Once
	status int
	sent   http.Header // as it was when the answer began
}

func (w *piped) begin(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.begun)
	})
}

func (w *piped) Header() http.Header { return w.header }

func (w *piped) WriteHeader(status int) {
	if status >= http.StatusOK {
		w.begin(status)
	}
}

func (w *piped) Write(p []byte) (int, error) {
	w.begin(http.StatusOK)
	return w.body.Write(p)
}

// FlushError does nothing: a pipe holds nothing back. It is there so that streams do not take it for an error.
func (w *piped) FlushError() error { return nil }

// SetReadDeadline and SetWriteDeadline do nothing: who asks is this process, and its context ends the request.
func (w *piped) SetReadDeadline(time.Time) error  { return nil }
func (w *piped) SetWriteDeadline(time.Time) error { return nil }
