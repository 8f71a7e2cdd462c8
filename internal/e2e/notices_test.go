package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestPeopleAreToldHowBuildsEnded: a receiver is down while a build fails, and the daemon is killed before it could tell; then the
// build that mends it is told of as the recovery.
func TestPeopleAreToldHowBuildsEnded(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	repo, url, broken := git.repo("acme/api", map[string]string{"buildspec.yml": spec("exit 3")})
	var down atomic.Bool
	down.Store(true)
	type notice struct {
		Event, Build, Was, WasBuild, Summary, URL string
		id                                        string
	}
	came := make(chan notice, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		n := notice{id: r.Header.Get("Webhook-Id")}
		if err := json.Unmarshal(body, &n); err != nil || !strings.HasPrefix(r.Header.Get("Webhook-Signature"), "v1,") {
			t.Errorf("%s with %v: %v", body, r.Header, err)
		}
		came <- n
	}))
	t.Cleanup(receiver.Close)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("secret of the receiver\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := newDaemon(t, "url: https://ci.example.com\n", project("api", url,
		"notifications: [{name: team, webhook: {url: "+receiver.URL+", secret: \"file:"+key+"\"}}]"))
	d.ended(d.push(url, broken), "FAILED")
	if out, _, _ := d.runCLI(d.dir, "status"); !strings.Contains(out, "notification team of the project api") {
		t.Errorf("runner status says nothing of what waits:\n%s", out)
	}
	d.kill()
	down.Store(false)
	d.start()
	told := func() notice {
		t.Helper()
		select {
		case n := <-came:
			return n
		case <-time.After(time.Minute):
			t.Fatal("nobody was told")
			return notice{}
		}
	}
	first := told()
	if first.Event != "failure" || first.Build != "api#1" || !strings.Contains(first.Summary, "exit status 3") || first.URL != "https://ci.example.com/projects/api/builds/1" {
		t.Errorf("told is %+v", first)
	}
	if err := repo.Write("buildspec.yml", spec("echo good")); err != nil {
		t.Fatal(err)
	}
	mended, err := repo.Commit(t.Context(), "mend it")
	if err != nil {
		t.Fatal(err)
	}
	d.ended(d.push(url, mended), "SUCCEEDED")
	if n := told(); n.Event != "recovery" || n.Build != "api#2" || n.WasBuild != "api#1" || n.Was != "FAILED" || n.id == first.id {
		t.Errorf("told is %+v", n)
	}
}
