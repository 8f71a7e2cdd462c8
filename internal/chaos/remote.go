package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/runner-ci/runner/internal/githost"
)

// remote is the git remote of all projects, which can fail in three ways.
type remote struct {
	root string
	url  string
	srv  *http.Server

	mu    sync.Mutex
	state remoteState
}

// remoteState is how a remote answers.
type remoteState int

const (
	answers remoteState = iota
	breaks              // connections, after the request
	refuses             // with 503
	stands              // says nothing for a while, then breaks
)

func newRemote(root string) (*remote, error) {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, err
	}
	git, err := githost.Handler(root)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &remote{root: root, url: "http://" + ln.Addr().String()}
	r.srv = &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) { r.serve(git, rw, req) })}
	go func() { _ = r.srv.Serve(ln) }()
	return r, nil
}

func (r *remote) serve(git http.Handler, rw http.ResponseWriter, req *http.Request) {
	switch r.now() {
	case answers:
		git.ServeHTTP(rw, req)
	case refuses:
		http.Error(rw, "the repository host is being repaired", http.StatusServiceUnavailable)
	case stands:
		for r.now() == stands && req.Context().Err() == nil {
			time.Sleep(20 * time.Millisecond)
		}
		panic(http.ErrAbortHandler)
	case breaks:
		panic(http.ErrAbortHandler) // closes the connection
	}
}

func (r *remote) now() remoteState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

func (r *remote) set(state remoteState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = state
}

func (r *remote) close() {
	r.set(breaks)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = r.srv.Shutdown(ctx)
	_ = r.srv.Close()
}
