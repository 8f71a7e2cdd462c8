package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
)

// TestDiffSaysWhatIsNoLongerKept holds that what retention has removed is told of, and the rest compared.
func TestDiffSaysWhatIsNoLongerKept(t *testing.T) {
	answer := func(status int, v any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(v)
		}
	}
	build := func(n int, id, status string) client.Build {
		return client.Build{ID: id, Project: "api", Number: n, Status: status, Ref: "refs/heads/main", Commit: id, Jobs: []client.Job{{ID: "linux", Status: status}}}
	}
	mux := http.NewServeMux()
	green, red := build(11, "api#11", "SUCCEEDED"), build(12, "api#12", "FAILED")
	trusted := build(13, "api#13", "SUCCEEDED") // newer than red, and so no predecessor
	mux.Handle("GET /api/v1/builds", answer(200, client.Page[client.Build]{Items: []client.Build{trusted, green}}))
	mux.Handle("GET /api/v1/builds/api/11", answer(200, green))
	mux.Handle("GET /api/v1/builds/api/12", answer(200, red))
	mux.Handle("GET /api/v1/builds/api/{n}/environment", answer(200, client.Environment{Job: "linux", Incomplete: true}))
	mux.Handle("GET /api/v1/builds/api/{n}/log", answer(410, map[string]any{"status": 410, "detail": "the log of this attempt is no longer kept"}))
	mux.Handle("GET /api/v1/builds/api/{n}/tests", answer(404, map[string]any{"status": 404, "detail": "no tests"}))
	srv := httptest.NewServer(mux)
	defer srv.Close()
	t.Setenv("RUNNER_URL", srv.URL)
	t.Setenv("RUNNER_TOKEN", "rnr_test")
	out, err := exec.Command("runner", "diff", "api#12").Output()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("it ended with %v", err)
	}
	for _, want := range []string{
		"\n          api#11 is the last green build of main before\n", "\nlog       linux: the log of this attempt is no longer kept\n",
		"\n  commit   api#11 → api#12\n", "\ntests         neither build has any\n", "\nnote      an older daemon planned one of the builds",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}
