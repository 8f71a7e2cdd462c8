package terminal

import (
	"bytes"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

func TestSinceWhenABuildFails(t *testing.T) {
	made := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	begun := client.Build{ID: "api#2", Commit: "0123456789ab", Title: "Break\x1b[2J it\nnow", Author: "ada", Created: made}
	green := client.Build{ID: "api#1", Created: made}
	for want, f := range map[string]client.Failing{
		"since     api#2 · 0123456 · Break it now · by ada · 3 builds in a row\n          api#1 passed just now\n\n":        {First: &begun, Streak: 3, Passed: &green},
		"since     api#2 · 0123456 · Break it now · by ada · 2 builds in a row\n          no earlier build here passed\n\n": {First: &begun, Streak: 2},
		"since     api#1\n          api#1 passed just now\n\n":                                                              {First: &green, Self: true, Streak: 1, Passed: &green},
		"": {First: &begun, Self: true, Streak: 1},
	} {
		var out bytes.Buffer
		if FailingSince(New(&out), f, made); out.String() != want {
			t.Errorf("%q, want %q", out.String(), want)
		}
	}
}
