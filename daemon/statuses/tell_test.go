package statuses

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/outbox"
	"github.com/runner-ci/runner/scheduler"
)

// rows are what the scheduler would know.
type rows struct {
	project *config.Project // nil: removed
	status  *scheduler.StatusDue
	comment *scheduler.CommentDue
	secrets bool
}

func (r *rows) StatusDue(outbox.Item) (*scheduler.StatusDue, error) {
	if r.status == nil {
		return nil, scheduler.ErrNotFound
	}
	return r.status, nil
}

func (r *rows) StatusTold(due *scheduler.StatusDue, name, what string) error {
	if due.Told == nil {
		due.Told = make(map[string]string)
	}
	due.Told[name] = what
	return nil
}

func (r *rows) CommentDue(outbox.Item) (*scheduler.CommentDue, error) {
	if r.comment == nil {
		return nil, scheduler.ErrNotFound
	}
	copied := *r.comment
	return &copied, nil
}

func (r *rows) CommentWritten(_ *scheduler.CommentDue, id string) error {
	r.comment.ID = id
	return nil
}

func (r *rows) MayHoldSecrets(context.Context, string) bool { return r.secrets }
func (r *rows) Instance() string                            { return "0123" }

func (r *rows) Project(name string) (scheduler.Project, error) {
	if r.project == nil {
		return scheduler.Project{}, fmt.Errorf("project %s: %w", name, scheduler.ErrNotFound)
	}
	return scheduler.Project{Project: *r.project}, nil
}

// host is a double of a forge's API.
type host struct {
	*httptest.Server
	requests []string // method, path and body
	answers  []answer // one for each request, then 201
}

type answer struct {
	status int
	header string // name: value
	body   string
}

func newHost(t *testing.T, answers ...answer) *host {
	h := &host{answers: answers}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.requests = append(h.requests, r.Method+" "+r.URL.RequestURI()+" "+string(body))
		a := answer{status: http.StatusCreated, body: "{}"}
		if len(h.answers) > 0 {
			a, h.answers = h.answers[0], h.answers[1:]
		}
		if name, value, ok := strings.Cut(a.header, ": "); ok {
			w.Header().Set(name, value)
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(h.Close)
	return h
}

const sha = "0123456789012345678901234567890123456789"

// teller makes a Teller of one failed build of pull request 7, whose project is at a forge.
func teller(t *testing.T, h *host, forgeName string, b *client.Build) (*Teller, *rows) {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("t0k"), 0o600); err != nil {
		t.Fatal(err)
	}
	row := scheduler.Build{Project: "api", Number: 7, Tells: "pull_request", PullRequest: 7, Ref: "refs/pull/7/head"}
	trigger := scheduler.Trigger{Kind: scheduler.KindPullRequest, PullRequest: 7, HeadRef: "refs/heads/feature", Ref: row.Ref}
	r := &rows{
		project: &config.Project{Name: "api", URL: h.URL + "/o/api.git", Forge: forgeName, ForgeURL: h.URL, Token: config.Secret("file:" + token), Comment: config.CommentOnFailure},
		status:  &scheduler.StatusDue{Project: "api", Commit: sha, Context: "runner/api", Build: &row, Trigger: trigger},
		comment: &scheduler.CommentDue{Project: "api", Number: 7, Build: row, Trigger: trigger},
	}
	b.ID, b.Project, b.Number, b.Ref, b.Commit = "api#7", "api", 7, row.Ref, sha
	show := func(id string) (client.Build, error) {
		if id != b.ID {
			return client.Build{}, fmt.Errorf("build %s: %w", id, scheduler.ErrNotFound)
		}
		return *b, nil
	}
	return New(r, show, func() string { return "https://ci.example.com/" }, h.Client()), r
}

func TestAStatusIsToldOnce(t *testing.T) {
	h := newHost(t)
	b := client.Build{Status: "SUCCEEDED", Seconds: 41}
	teller, r := teller(t, h, "gitlab", &b)
	r.project.Status.Per = config.StatusPerJob
	b.Jobs = []client.Job{{ID: "build", Status: "SUCCEEDED", Seconds: 2}, {ID: "lint", Status: "IN_PROGRESS", Why: "waits for build"}}
	for range 2 {
		if err := teller.Status(t.Context(), outbox.Item{}); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		`{"state":"success","name":"runner/api","description":"passed in 41 s","target_url":"https://ci.example.com/projects/api/builds/7","ref":"feature"}`,
		`{"state":"success","name":"runner/api/build","description":"passed in 2.0 s","target_url":"https://ci.example.com/projects/api/builds/7#build","ref":"feature"}`,
		`{"state":"pending","name":"runner/api/lint","description":"waits for build","target_url":"https://ci.example.com/projects/api/builds/7#lint","ref":"feature"}`,
	}
	if len(h.requests) != len(want) {
		t.Fatalf("told %q", h.requests)
	}
	for i := range want {
		if got := strings.TrimPrefix(h.requests[i], "POST /api/v4/projects/o%2Fapi/statuses/"+sha+" "); got != want[i] {
			t.Errorf("told %s, want %s", got, want[i])
		}
	}
	b.Jobs[1] = client.Job{ID: "lint", Status: "SUCCEEDED", Seconds: 1}
	if err := teller.Status(t.Context(), outbox.Item{}); err != nil || len(h.requests) != 4 {
		t.Errorf("%v, told %q: want what changed alone", err, h.requests[3:])
	}
}

func TestAWordIsToldWhereThereIsNoBuild(t *testing.T) {
	h := newHost(t)
	teller, r := teller(t, h, "github", &client.Build{})
	r.status.Build, r.status.Word = nil, &scheduler.Word{Trigger: "t0000000003", Passed: true, Text: "skipped: no file below docs/ changed"}
	if err := teller.Status(t.Context(), outbox.Item{}); err != nil {
		t.Fatal(err)
	}
	if len(h.requests) != 1 || !strings.Contains(h.requests[0], `"state":"success"`) || !strings.Contains(h.requests[0], "/api/v1/triggers/t0000000003") {
		t.Errorf("told %q", h.requests)
	}
}

func TestTheEndWaitsForItsReports(t *testing.T) {
	h := newHost(t)
	b := client.Build{Status: "FAILED", Ended: time.Now(), Tests: &client.BuildTests{Pending: true}}
	teller, _ := teller(t, h, "github", &b)
	var later *outbox.Later
	if err := teller.Status(t.Context(), outbox.Item{}); !errors.As(err, &later) || !later.Alone || len(h.requests) != 0 {
		t.Fatalf("%v, told %q", err, h.requests)
	}
	b.Ended = time.Now().Add(-2 * reportsWait)
	if err := teller.Status(t.Context(), outbox.Item{}); err != nil || len(h.requests) != 1 {
		t.Errorf("%v, told %q: it waits for ever", err, h.requests)
	}
}

// TestNothingIsToldOfWhatIsGone: a build that retention took, a project that was removed, a host that is no forge, statuses
// that are switched off.
func TestNothingIsToldOfWhatIsGone(t *testing.T) {
	for name, change := range map[string]func(*rows){
		"build":   func(r *rows) { r.status, r.comment = nil, nil },
		"project": func(r *rows) { r.project = nil },
		"off":     func(r *rows) { r.project.Status.Per, r.project.Comment = config.StatusOff, config.CommentOff },
		"forge":   func(r *rows) { r.project.Forge, r.project.ForgeURL = "", "" },
		"gogs":    func(r *rows) { r.project.Forge, r.comment = "gogs", nil },
	} {
		h := newHost(t)
		h.answers = make([]answer, 50)
		for i := range h.answers {
			h.answers[i] = answer{status: http.StatusNotFound}
		}
		teller, r := teller(t, h, "github", &client.Build{Status: "FAILED"})
		change(r)
		if err := errors.Join(teller.Status(t.Context(), outbox.Item{}), teller.Comment(t.Context(), outbox.Item{})); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, asked := range h.requests {
			if strings.HasPrefix(asked, "POST") {
				t.Errorf("%s: told %q", name, asked)
			}
		}
	}
}

func TestWhatAForgeRefusesSaysWhatToMend(t *testing.T) {
	for _, c := range []struct {
		a       answer
		refused bool
		says    string
		after   time.Duration
	}{
		{answer{status: 401}, true, "its token is not valid there any more", 0},
		{answer{status: 403}, true, "Commit statuses: write", 0},
		{answer{status: 404, body: `{"message":"Not Found"}`}, true, "sees the repository", 0},
		{answer{status: 422, body: `{"message":"No commit found for SHA"}`}, true, "No commit found for SHA", 0},
		{answer{status: 500}, false, "500", 0},
		{answer{status: 429, header: "Retry-After: 90"}, false, "429", 90 * time.Second},
		{answer{status: 403, header: "Retry-After: 60"}, false, "403", time.Minute},
		{answer{status: 302, header: "Location: https://evil.example/"}, false, "no token goes there", 0},
	} {
		h := newHost(t, c.a)
		teller, _ := teller(t, h, "github", &client.Build{Status: "SUCCEEDED"})
		err := teller.Status(t.Context(), outbox.Item{})
		var refused *outbox.Refused
		var later *outbox.Later
		if err == nil || errors.As(err, &refused) != c.refused || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "t0k") {
			t.Errorf("%+v: %v", c.a, err)
		}
		if errors.As(err, &later); c.after > 0 && (later == nil || later.After != c.after) {
			t.Errorf("%+v: %#v, want a pause of %s", c.a, err, c.after)
		}
	}
}

func TestATokenThatCannotBeReadIsRefused(t *testing.T) {
	h := newHost(t)
	teller, r := teller(t, h, "github", &client.Build{Status: "SUCCEEDED"})
	r.project.Token = "file:/nowhere/token"
	var refused *outbox.Refused
	if err := teller.Status(t.Context(), outbox.Item{}); !errors.As(err, &refused) || len(h.requests) != 0 {
		t.Errorf("%v, told %q", err, h.requests)
	}
}

// TestACommentIsFoundAgain: by its id, and by its mark where the id was lost; one that was deleted is written anew.
func TestACommentIsFoundAgain(t *testing.T) {
	h := newHost(t, answer{200, "", "[]"}, answer{201, "", `{"id":12}`})
	b := client.Build{Status: "FAILED", Message: "no"}
	teller, r := teller(t, h, "github", &b)
	if err := teller.Comment(t.Context(), outbox.Item{}); err != nil || r.comment.ID != "12" {
		t.Fatalf("%v, id %q, asked %q", err, r.comment.ID, h.requests)
	}
	var written struct{ Body string }
	if err := json.Unmarshal([]byte(strings.SplitN(h.requests[1], " ", 3)[2]), &written); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(written.Body, "<!-- "+teller.mark(r.comment)+" -->") {
		t.Fatalf("no mark in\n%s", written.Body)
	}
	listed, _ := json.Marshal([]map[string]any{{"id": 11, "body": "hi"}, {"id": 12, "body": written.Body}, {"id": 13, "body": written.Body}})
	h.requests, h.answers, r.comment.ID = nil, []answer{{200, "", string(listed)}, {200, "", "{}"}}, ""
	if err := teller.Comment(t.Context(), outbox.Item{}); err != nil || r.comment.ID != "12" || !strings.HasPrefix(h.requests[1], "PATCH /repos/o/api/issues/comments/12 ") {
		t.Errorf("%v, id %q, asked %q", err, r.comment.ID, h.requests)
	}
	h.requests, h.answers = nil, []answer{{404, "", "{}"}, {201, "", `{"id":20}`}}
	if err := teller.Comment(t.Context(), outbox.Item{}); err != nil || r.comment.ID != "20" || len(h.requests) != 2 {
		t.Errorf("%v, id %q, asked %q", err, r.comment.ID, h.requests)
	}
}

func TestWhenThereIsAComment(t *testing.T) {
	for _, c := range []struct {
		policy, status, id string
		writes             bool
	}{
		{config.CommentOnFailure, "FAILED", "", true}, {config.CommentOnFailure, "FAULT", "", true},
		{config.CommentOnFailure, "SUCCEEDED", "", false}, {config.CommentOnFailure, "SUCCEEDED", "12", true},
		{config.CommentOnFailure, "STOPPED", "12", false}, {config.CommentAlways, "SUCCEEDED", "", true},
	} {
		h := newHost(t)
		if c.id == "" {
			h.answers = []answer{{200, "", "[]"}}
		}
		teller, r := teller(t, h, "bitbucket", &client.Build{Status: c.status})
		r.project.Comment, r.comment.ID = c.policy, c.id
		if c.id == "" {
			h.answers[0].body = `{"values":[]}`
		}
		if err := teller.Comment(t.Context(), outbox.Item{}); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		wrote := false
		for _, asked := range h.requests {
			wrote = wrote || !strings.HasPrefix(asked, "GET") && strings.Contains(asked, "[//]: # (runner comment ")
		}
		if wrote != c.writes {
			t.Errorf("%+v: asked %q", c, h.requests)
		}
	}
}
