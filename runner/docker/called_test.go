package docker

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestOperationsAreFew(t *testing.T) {
	for path, want := range map[string]string{
		"/_ping":                                "GET /_ping",
		"/v1.41/containers/create":              "GET /containers/create",
		"/v1.41/containers/runner-abc/start":    "GET /containers/*/start",
		"/v1.41/images/ghcr.io/a/b:latest/json": "GET /images/*/json",
		"/v1.41/images/a/b/c/d":                 "GET /images/*",
		"/v1.41/volumes/x":                      "GET /volumes/*",
		"/v1.41/containers/start/start":         "GET /containers/*/start",
	} {
		if got := operationOf("GET", path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

// TestAnEngineTellsOfItsCalls asks an engine that is not there.
func TestAnEngineTellsOfItsCalls(t *testing.T) {
	told := ""
	api, err := dial("unix://"+t.TempDir()+"/none.sock", func(operation string, _ time.Duration, failed bool) {
		if failed {
			told = operation
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	if _, err := api.Ping(t.Context()); err == nil || told == "" {
		t.Errorf("answered with %v, told of %q", err, told)
	}
}

func TestCallsAreTold(t *testing.T) {
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer s.Close()
	var last error
	calls := 0
	c := &http.Client{Transport: &http.Transport{}}
	measure(c, func(operation string, took time.Duration, failed bool) {
		calls++
		if last = nil; failed {
			last = errors.New(operation)
		}
	})
	get := func(at string) {
		if resp, err := c.Get(at); err == nil {
			resp.Body.Close()
		}
	}
	if get(s.URL + "/v1.41/info"); last != nil || calls != 1 {
		t.Errorf("%d calls, failed %v", calls, last)
	}
	status = http.StatusInternalServerError
	if get(s.URL + "/v1.41/info"); last == nil || last.Error() != "GET /info" {
		t.Errorf("of an answer of 500: %v", last)
	}
	s.CloseClientConnections()
	s.Close()
	if get(s.URL + "/v1.41/info"); last == nil || calls != 3 {
		t.Errorf("of no answer: %v after %d calls", last, calls)
	}
	c.CloseIdleConnections()
}
