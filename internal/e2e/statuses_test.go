package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runner-ci/runner/internal/githost"
)

// forgeAPI is a double of GitHub's API: it takes statuses and comments of one repository, in the form that GitHub documents,
// from who has the token.
type forgeAPI struct {
	t   *testing.T
	url string

	mu       sync.Mutex
	fails    int // answered in place of success; 0: none
	asked    int
	statuses map[string][]string // commit → "state: description (context, target)" in their order
	comments []string
	edits    int
}

const forgeToken = "ghp_e2e_token_of_the_forge"

func newForgeAPI(t *testing.T) *forgeAPI {
	f := &forgeAPI{t: t, statuses: make(map[string][]string)}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.url = s.URL + "/api/v3"
	return f
}

func (f *forgeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	body, _ := io.ReadAll(r.Body)
	path := strings.TrimPrefix(r.URL.Path, "/api/v3/repos/acme/api/")
	switch {
	case r.Header.Get("Authorization") != "Bearer "+forgeToken:
		http.Error(w, `{"message":"Bad credentials"}`, http.StatusUnauthorized)
	case f.fails != 0:
		http.Error(w, `{"message":"not now"}`, f.fails)
	case r.Method == http.MethodPost && strings.HasPrefix(path, "statuses/"):
		var s struct {
			State, Description, Context string
			Target                      string `json:"target_url"`
		}
		if err := json.Unmarshal(body, &s); err != nil {
			f.t.Errorf("a status is no JSON: %s", body)
		}
		commit := strings.TrimPrefix(path, "statuses/")
		f.statuses[commit] = append(f.statuses[commit], fmt.Sprintf("%s: %s (%s, %s)", s.State, s.Description, s.Context, s.Target))
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":1}`)
	case r.Method == http.MethodGet && path == "issues/7/comments":
		var all []string
		for i, c := range f.comments {
			text, _ := json.Marshal(c)
			all = append(all, fmt.Sprintf(`{"id":%d,"body":%s}`, i+100, text))
		}
		if r.URL.Query().Get("page") != "1" {
			all = nil
		}
		_, _ = io.WriteString(w, "["+strings.Join(all, ",")+"]")
	case r.Method == http.MethodPost && path == "issues/7/comments":
		f.comments = append(f.comments, bodyOf(body))
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"id":%d}`, len(f.comments)+99)
	case r.Method == http.MethodPatch && path == "issues/comments/100":
		f.comments[0] = bodyOf(body)
		f.edits++
		_, _ = io.WriteString(w, `{"id":100}`)
	default:
		f.t.Errorf("the forge was asked for %s %s", r.Method, r.URL)
		http.NotFound(w, r)
	}
}

func bodyOf(raw []byte) string {
	var c struct{ Body string }
	_ = json.Unmarshal(raw, &c)
	return c.Body
}

func (f *forgeAPI) answer(status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails = status
}

func (f *forgeAPI) of(commit string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.statuses[commit]...)
}

// awaitLast waits until the last status of a commit begins so.
func (f *forgeAPI) awaitLast(commit, begin string) []string {
	f.t.Helper()
	var all []string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if all = f.of(commit); len(all) > 0 && strings.HasPrefix(all[len(all)-1], begin) {
			return all
		}
	}
	f.t.Fatalf("the forge was told %q, and never %q", all, begin)
	return nil
}

func (f *forgeAPI) awaitComment(has string) string {
	f.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		f.mu.Lock()
		if len(f.comments) > 0 && strings.Contains(f.comments[0], has) {
			text := f.comments[0]
			f.mu.Unlock()
			return text
		}
		f.mu.Unlock()
	}
	f.t.Fatalf("no comment has %q: %q", has, f.comments)
	return ""
}

// TestAForgeIsToldOfBuilds: statuses from the queue to the end, also where the forge is down for the whole build and the daemon
// is killed before it could tell; a comment on the pull request, written once and then changed; and a token that is refused.
func TestAForgeIsToldOfBuilds(t *testing.T) {
	t.Parallel()
	git, api := newGitServer(t), newForgeAPI(t)
	repo, url, commit := git.repo("acme/api", map[string]string{"buildspec.yml": spec("echo hello")})
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(forgeToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	api.answer(http.StatusServiceUnavailable)
	d := newDaemon(t, "url: https://ci.example.com\n", project("api", url, "forge: github", "forge-url: "+api.url, "forge-token: file:"+token, "comment: on-failure"))
	first := d.push(url, commit)
	d.ended(first, "SUCCEEDED")
	if got := api.of(commit); len(got) != 0 {
		t.Fatalf("a forge that is down took %q", got)
	}
	out, _, _ := d.runCLI(d.dir, "status")
	if !strings.Contains(out, "1 message waits to be sent") || !strings.Contains(out, "status of api#1 to 127.0.0.1") {
		t.Errorf("runner status says nothing of what waits:\n%s", out)
	}
	d.kill()
	api.answer(0)
	d.start()
	all := api.awaitLast(commit, "success: passed in ")
	if len(all) != 1 || !strings.HasSuffix(all[0], "(runner/api, https://ci.example.com/projects/api/builds/1)") {
		t.Errorf("told %q, want the end alone", all)
	}

	const shout = "sh -c 'exit 3' # ```@everyone"
	head := pullRequestOf(t, repo, shout)
	d.opened(url, head, "FAILED")
	all = api.awaitLast(head, "failure: exit status 3 of `sh -c 'exit 3' # '''@everyone` in BUILD")
	if !strings.HasPrefix(all[0], "pending: ") {
		t.Errorf("told %q, want it to wait first", all)
	}
	text := api.awaitComment("Exit status 3 in `BUILD`")
	if !strings.Contains(text, "\n````sh\n"+shout+"\n````\n") || !strings.Contains(text, "runner retry --failed api#2") || strings.Contains(text, forgeToken) {
		t.Errorf("the comment is\n%s", text)
	}
	head = pullRequestOf(t, repo, "true")
	d.opened(url, head, "SUCCEEDED")
	api.awaitComment("`runner/api` passed")
	if api.edits != 1 || len(api.comments) != 1 {
		t.Errorf("%d comments, changed %d times; want one, changed once", len(api.comments), api.edits)
	}

	if err := os.WriteFile(token, []byte("expired"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.ended(d.pushTo(url, "refs/heads/feature", head), "SUCCEEDED")
	d.awaitDropped("its token is not valid there any more")
	d.check()
}

// pullRequestOf commits a buildspec of one command, and pushes it as the head of pull request 7.
func pullRequestOf(t *testing.T, repo *githost.Repo, command string) (commit string) {
	t.Helper()
	err := repo.Write("buildspec.yml", spec(command))
	if err == nil {
		commit, err = repo.Commit(t.Context(), command)
	}
	if err == nil {
		_, err = repo.Git(t.Context(), "push", "-q", "-f", "origin", "HEAD:refs/pull/7/head")
	}
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

// opened delivers the pull request, and waits for its build.
func (d *daemon) opened(url, commit, status string) {
	d.t.Helper()
	_, answer := d.send(pullRequest(url, url, commit))
	tr, err := d.WaitTrigger(d.t.Context(), answer["trigger"].(string))
	if err != nil || len(tr.Builds) != 1 {
		d.t.Fatalf("the pull request made %v, %v", tr.Builds, err)
	}
	d.ended(tr.Builds[0], status)
}

// awaitDropped waits until the status names a message that was dropped, and why.
func (d *daemon) awaitDropped(why string) {
	d.t.Helper()
	var out string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if out, _, _ = d.runCLI(d.dir, "status"); strings.Contains(out, why) {
			return
		}
	}
	d.t.Errorf("runner status never says %q:\n%s", why, out)
}
