package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/internal/figures"
)

// crowdSize is how many builds a daemon has whose lists and start are measured.
const crowdSize = 100_000

// newCrowd is a daemon that has n builds, not yet started.
func newCrowd(t testing.TB, n int) *daemon {
	t.Helper()
	d := &daemon{t: t, dir: t.TempDir(), address: freeAddress(t), log: new(syncBuffer)}
	d.configure(project("service-00", "https://example.com/service.git"))
	crowd(t, d.data(), n)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the daemon said:\n%s", d.log)
		}
		d.terminate()
		d.removeSandboxes()
	})
	return d
}

// TestACrowdIsAsBuildsLeaveIt holds what the figures are measured on against the daemon's own check.
func TestACrowdIsAsBuildsLeaveIt(t *testing.T) {
	d := newCrowd(t, 500)
	if out, err := exec.Command(binary, "check", "--data", d.data()).CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "nothing is wrong") {
		t.Fatalf("runner check says: %s%v", out, err)
	}
	d.start()
	page, err := d.Builds(t.Context(), client.ListOptions{Status: "FAULT"})
	if err != nil || len(page.Items) != crowdRare || page.Items[0].Project != "service-09" {
		t.Errorf("the builds that are FAULTs: %+v, %v", page, err)
	}
}

// BenchmarkFigureCrowd measures a daemon with a hundred thousand builds: from its start until it is ready, after the
// former one was killed; and the memory that it holds when it has been idle for a while, after each list was read.
func BenchmarkFigureCrowd(b *testing.B) {
	d := newCrowd(b, crowdSize)
	d.start()
	figures.Run(b, "start-100k", "s", func(b *testing.B) (ours, theirs float64) {
		d.kill()
		began := time.Now()
		d.spawn()
		d.await("/readyz")
		return time.Since(began).Seconds(), 0
	})
	figures.Run(b, "idle-memory", "MiB", func(b *testing.B) (ours, theirs float64) {
		d.kill()
		d.start()
		for _, list := range crowdLists(crowdSize) {
			if err := d.read(b.Context(), list.path); err != nil {
				b.Fatal(err)
			}
		}
		time.Sleep(10 * time.Second)
		return float64(d.memory()) / (1 << 20), 0
	})
}

// crowdList is a list that the daemon shows.
type crowdList struct{ name, path string }

// crowdLists are all of them, each where it is hardest: of rows that are rare and old, and in the middle of its pages.
func crowdLists(n int) []crowdList {
	build := fmt.Sprintf("/api/v1/builds/service-00/%d", n/crowdProjects)
	middle := fmt.Sprintf("cursor=b%d", n/2)
	return []crowdList{
		{"builds", "/api/v1/builds"},
		{"builds-middle", "/api/v1/builds?" + middle},
		{"builds-of-project", "/api/v1/builds?project=service-07&limit=5"},
		{"builds-of-project-middle", "/api/v1/builds?project=service-07&limit=2&" + middle},
		{"builds-by-status", "/api/v1/builds?status=FAULT"},
		{"builds-by-status-and-project", "/api/v1/builds?status=FAULT&project=service-07"},
		{"builds-running", "/api/v1/builds?status=IN_PROGRESS"},
		{"triggers", "/api/v1/triggers"},
		{"triggers-by-outcome", "/api/v1/triggers?outcome=waiting"},
		{"triggers-pending", "/api/v1/triggers?outcome=pending"},
		{"projects", "/api/v1/projects"},
		{"caches", "/api/v1/caches"},
		{"artifacts", build + "/artifacts"},
		{"reports", build + "/reports"},
		{"tests", build + "/tests"},
		{"tests-slowest", "/api/v1/projects/service-00/tests?sort=slowest"},
		{"tests-failing", "/api/v1/projects/service-00/tests?sort=failing"},
		{"test-history", "/api/v1/projects/service-00/tests/history?id=suite::test+007"},
		{"quarantine", "/api/v1/projects/service-00/tests/quarantine"},
	}
}

// read asks a daemon for a list.
func (d *daemon) read(ctx context.Context, path string) error {
	token, err := os.ReadFile(filepath.Join(d.data(), "token"))
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.address+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, res.Status, text)
	}
	return err
}

// BenchmarkLists reads each list of a daemon with a hundred thousand builds, and in turns of one with a hundred.
func BenchmarkLists(b *testing.B) {
	large, small := newCrowd(b, crowdSize), newCrowd(b, 100)
	large.start()
	small.start()
	few := crowdLists(100)
	for i, list := range crowdLists(crowdSize) {
		b.Run(list.name, func(b *testing.B) {
			took := map[*daemon]time.Duration{}
			read := func(d *daemon, path string) {
				began := time.Now()
				if err := d.read(b.Context(), path); err != nil {
					b.Fatal(err)
				}
				took[d] += time.Since(began)
			}
			for b.Loop() {
				read(large, list.path)
				read(small, few[i].path)
			}
			b.ReportMetric(float64(took[large].Microseconds())/float64(b.N), "large-µs")
			b.ReportMetric(float64(took[small].Microseconds())/float64(b.N), "small-µs")
			b.ReportMetric(took[large].Seconds()/took[small].Seconds(), "×small")
			b.ReportMetric(0, "ns/op") // it would hold both
		})
	}
}
