package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/runner-ci/runner/client"
)

const forgeToken = "a token of the forge"

// forge takes statuses of commits, as GitHub does. Each seventh time it is too busy.
type forge struct {
	url string
	srv *http.Server

	mu    sync.Mutex
	asked int
	last  map[string]string // repository and commit → state and target of the last status
}

func (w *world) setForge(context.Context) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	f := &forge{url: "http://" + ln.Addr().String(), last: make(map[string]string)}
	f.srv = &http.Server{Handler: f}
	go func() { _ = f.srv.Serve(ln) }()
	w.forge = f
	w.undo = append(w.undo, func() { _ = f.srv.Close() })
	return nil
}

// ServeHTTP answers POST /repos/chaos/NAME/statuses/COMMIT.
func (f *forge) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var status struct {
		State  string
		Target string `json:"target_url"`
	}
	repository, commit, found := strings.Cut(strings.TrimPrefix(req.URL.Path, "/repos/"), "/statuses/")
	f.asked++
	switch {
	case f.asked%7 == 0:
		http.Error(rw, `{"message":"too busy"}`, http.StatusServiceUnavailable)
		return
	case !found || req.Header.Get("Authorization") != "Bearer "+forgeToken || json.NewDecoder(req.Body).Decode(&status) != nil:
		http.Error(rw, `{"message":"no status"}`, http.StatusUnprocessableEntity)
		return
	}
	f.last[repository+" "+commit] = status.State + " " + status.Target
	rw.WriteHeader(http.StatusCreated)
	fmt.Fprint(rw, "{}")
}

// knows tells whether the last status of a commit is of a build, and as it ended.
func (f *forge) knows(b client.Build) (said string, right bool) {
	state := map[string]string{"SUCCEEDED": "success", "FAILED": "failure", "TIMED_OUT": "failure"}[b.Status]
	if state == "" {
		state = "error"
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	said = f.last["chaos/"+b.Project+" "+b.Commit]
	return said, strings.HasPrefix(said, state+" ") && strings.HasSuffix(said, fmt.Sprintf("/projects/%s/builds/%d", b.Project, b.Number))
}

// forgeKnows waits until the forge was told of the newest build of each commit that was pushed.
func (w *world) forgeKnows(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, clearWait)
	defer cancel()
	newest := make(map[string]client.Build)
	for cursor := ""; ; {
		var page client.Page[client.Build]
		err := insist(ctx, func() (err error) {
			page, err = w.daemon.api.Builds(ctx, client.ListOptions{Cursor: cursor})
			return err
		})
		if err != nil {
			return fmt.Errorf("listing the builds: %w", err)
		}
		for _, b := range page.Items {
			if key := b.Project + " " + b.Commit; b.Kind == "push" && newest[key].Number < b.Number {
				newest[key] = b
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	for _, b := range newest {
		said, right := w.forge.knows(b)
		for ; !right && ctx.Err() == nil; said, right = w.forge.knows(b) {
			time.Sleep(100 * time.Millisecond)
		}
		if !right {
			w.judge.violation(lost, "%s ended %s, and the last that the forge was told of its commit is %q", b.ID, b.Status, said)
		}
	}
	w.say("forge", "it was told of %d commits", len(newest))
	return nil
}
