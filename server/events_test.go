package server

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

// TestEventsWithoutJobs: pages ask for what has changed themselves, and need no more than that something did.
func TestEventsWithoutJobs(t *testing.T) {
	for query, jobs := range map[string]int{"": 1, "?jobs=true": 1, "?jobs=false": 0} {
		d := newDaemon(t, project("api", apiURL))
		b := running()
		d.state.put(b, job("linux", scheduler.JobLeased, scheduler.InProgress, scheduler.InProgress))
		resp, end := d.stream("/api/v1/builds/api/1/events"+query, http.Header{})
		defer end()
		lines := bufio.NewScanner(resp.Body)
		next := func() (got client.Build) {
			for lines.Scan() {
				if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
					if err := json.Unmarshal([]byte(data), &got); err != nil {
						t.Fatal(err)
					}
					return got
				}
			}
			t.Fatalf("%s: the stream ended: %v", query, lines.Err())
			return got
		}
		if got := next(); got.ID != "api#1" || got.Status != "IN_PROGRESS" || len(got.Jobs) != jobs {
			t.Errorf("%s: %+v", query, got)
		}
		d.state.put(over(b, scheduler.Failed), job("linux", scheduler.JobEnded, scheduler.Failed, scheduler.Failed))
		if got := next(); got.Status != "FAILED" || len(got.Jobs) != jobs {
			t.Errorf("%s: after its end: %+v", query, got)
		}
	}
}
