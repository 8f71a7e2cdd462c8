package daemon

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// unasked are the connections of a server whose first request no handler has seen yet. A server that is told to end closes
// them without a word, even where that request has come; who delivers webhooks takes that for a failure.
type unasked struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
}

type unaskedKey struct{}

// watchUnasked is called before the server serves.
func watchUnasked(web *http.Server) *unasked {
	u := &unasked{conns: make(map[net.Conn]bool)}
	inner := web.Handler
	web.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.conns[c] = true
		return context.WithValue(ctx, unaskedKey{}, c)
	}
	web.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateClosed || state == http.StateHijacked {
			u.leave(c)
		}
	}
	web.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(unaskedKey{}).(net.Conn); ok {
			u.leave(c)
		}
		inner.ServeHTTP(w, r)
	})
	return u
}

func (u *unasked) leave(c net.Conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.conns, c)
}

func (u *unasked) none() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.conns) == 0
}

// wait returns when each connection has been asked for something, or a time is over: some never are.
func (u *unasked) wait(most time.Duration) {
	for end := time.Now().Add(most); time.Now().Before(end) && !u.none(); {
		time.Sleep(2 * time.Millisecond)
	}
}
