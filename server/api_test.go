package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

func TestProjectsAreMadeChangedAndRemoved(t *testing.T) {
	d := newDaemon(t, project("filed", "https://github.com/example/filed.git"))
	c := d.client()
	want := client.Project{
		Name: "api", URL: apiURL, Branch: "main", Buildspec: "ci/buildspec.yml", Image: "golang:1.26", Pull: "always",
		Env: map[string]string{"CI_LEVEL": "3"}, WebhookSecret: "env:API_SECRET", Username: "bot", Token: "file:/etc/runner/token",
		Depth: 20, Submodules: true, Protected: []string{"main", "release/*"}, CPUs: 1.5, MemoryBytes: 1 << 30, PIDs: 500,
		TimeoutSec: 1800, QueueSec: 600, MaxJobs: 3, Priority: -5, Managed: "api",
	}
	if err := c.PutProject(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	got, err := c.Project(t.Context(), "api")
	if err != nil || !equalProjects(got, want) {
		t.Errorf("Project = %+v, %v\nwant %+v", got, err, want)
	}
	want.Image, want.Env = "golang:1.27", nil
	if err := c.PutProject(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	all, err := c.Projects(t.Context())
	if err != nil || len(all) != 2 || !equalProjects(all[0], want) || all[1].Managed != "file" {
		t.Errorf("Projects = %+v, %v", all, err)
	}
	for what, err := range map[string]error{
		"put": c.PutProject(t.Context(), client.Project{Name: "filed", URL: apiURL}), "remove": c.RemoveProject(t.Context(), "filed"),
	} {
		if p := asProblem(t, err); p.Status != http.StatusConflict || !strings.Contains(p.Detail, "configuration file") {
			t.Errorf("%s of a project in the file: %+v", what, p)
		}
	}
	if err := c.RemoveProject(t.Context(), "api"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Project(t.Context(), "api"); asProblem(t, err).Status != http.StatusNotFound {
		t.Error("a removed project is still there")
	}
}

func equalProjects(a, b client.Project) bool {
	same := maps.Equal(a.Env, b.Env) && slices.Equal(a.Protected, b.Protected)
	a.Env, b.Env, a.Protected, b.Protected = nil, nil, nil, nil
	return same && a.Name == b.Name && a.URL == b.URL && a.Image == b.Image && a.TimeoutSec == b.TimeoutSec &&
		a.CPUs == b.CPUs && a.WebhookSecret == b.WebhookSecret && a.Managed == b.Managed && a.Priority == b.Priority && a.Depth == b.Depth &&
		a.MemoryBytes == b.MemoryBytes && a.PIDs == b.PIDs && a.QueueSec == b.QueueSec && a.MaxJobs == b.MaxJobs && a.Token == b.Token &&
		a.Submodules == b.Submodules && a.Pull == b.Pull && a.Buildspec == b.Buildspec && a.Branch == b.Branch && a.Username == b.Username
}

func TestWrongSettingsAreAllNamedAndSecretsNotRepeated(t *testing.T) {
	d := newDaemon(t)
	err := d.client().PutProject(t.Context(), client.Project{
		Name: "api", URL: "github", Priority: 500, WebhookSecret: "hunter2hunter2", TimeoutSec: -1,
	})
	p := asProblem(t, err)
	if p.Status != http.StatusUnprocessableEntity || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%+v", p)
	}
	var fields []string
	for _, f := range p.Errors {
		fields = append(fields, f.Location)
	}
	for _, want := range []string{"body.url", "body.priority", "body.webhookSecret", "body.timeoutSeconds"} {
		if !slices.Contains(fields, want) {
			t.Errorf("%s is not among %v", want, fields)
		}
	}
	resp, text := d.do(http.MethodPut, "/api/v1/projects/web", http.Header{"Content-Type": {"application/json"}}, []byte(`{"name":"api","url":"`+apiURL+`"}`))
	if resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(text), "cannot be renamed") {
		t.Errorf("another name in the body: %d %s", resp.StatusCode, text)
	}
}

func TestListsComeInPages(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	c := d.client()
	var made []string
	for range 7 {
		tr, err := c.Start(t.Context(), client.Start{Project: "api"})
		if err != nil {
			t.Fatal(err)
		}
		made = append([]string{tr.ID}, made...)
	}
	var got []string
	for cursor := ""; ; {
		page, err := c.Triggers(t.Context(), client.ListOptions{Limit: 3, Cursor: cursor})
		if err != nil || len(page.Items) > 3 {
			t.Fatal(len(page.Items), err)
		}
		for _, tr := range page.Items {
			got = append(got, tr.ID)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if !slices.Equal(got, made) {
		t.Errorf("pages give %v, want %v", got, made)
	}
	for _, name := range []string{"aa", "bb", "cc"} {
		if err := c.PutProject(t.Context(), client.Project{Name: name, URL: apiURL}); err != nil {
			t.Fatal(err)
		}
	}
	resp, text := d.do(http.MethodGet, "/api/v1/projects?limit=2&cursor=aa", nil, nil)
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(text), `"next":"bb"`) || strings.Contains(string(text), `"cc"`) {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

func TestStartMakesATriggerOncePerKey(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	for ref, want := range map[string]string{"": "", "main": "refs/heads/main", "refs/tags/v1": "refs/tags/v1", "tags/v1": "refs/tags/v1", "feature/x": "refs/heads/feature/x"} {
		tr, err := d.client().Start(t.Context(), client.Start{Project: "api", Ref: ref, Image: "busybox", Env: map[string]string{"A": "1"}})
		if err != nil || tr.Ref != want || tr.Kind != "manual" || tr.Actor != "admin" || tr.Outcome != "pending" {
			t.Errorf("Start %q = %+v, %v", ref, tr, err)
		}
		stored, err := d.state.Scheduler.Trigger(tr.ID)
		if err != nil || stored.Override.Image != "busybox" || stored.Override.Env["A"] != "1" {
			t.Errorf("stored: %+v, %v", stored, err)
		}
	}
	header := func() http.Header {
		return http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {"k-1"}}
	}
	_, first := d.do(http.MethodPost, "/api/v1/triggers", header(), []byte(`{"project":"api"}`))
	resp, again := d.do(http.MethodPost, "/api/v1/triggers", header(), []byte(`{"project":"api"}`))
	if resp.StatusCode != http.StatusAccepted || string(first) != string(again) {
		t.Errorf("the same key twice:\n%s%s", first, again)
	}
}

func TestWaitTriggerHoldsOnUntilTheOutcome(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	tr, err := d.client().Start(t.Context(), client.Start{Project: "api"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error, 1)
	go func() {
		_, err := d.client().WaitTrigger(ctx, tr.ID)
		waited <- err
	}()
	<-d.state.asked
	d.kill() // the daemon restarts meanwhile
	d.start()
	<-d.state.asked // the client came back
	if got, err := d.client().Trigger(t.Context(), tr.ID); err != nil || got.Outcome != "pending" {
		t.Errorf("%+v, %v", got, err)
	}
	cancel() // nobody plans builds here, so it is pending for ever
	if err := <-waited; !errors.Is(err, context.Canceled) {
		t.Errorf("WaitTrigger: %v", err)
	}
	if _, err := d.client().WaitTrigger(t.Context(), "t999"); asProblem(t, err).Status != http.StatusNotFound {
		t.Errorf("no such trigger: %v", err)
	}
}

func TestBuildsAreShownStoppedAndRetried(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	c := d.client()
	d.logLines("log-2", 0, 3)
	j := job("build", scheduler.JobLeased, scheduler.InProgress, scheduler.Fault, scheduler.InProgress)
	j.Attempts[1].Phase, j.Attempts[1].Command, j.Attempts[1].Exit = "BUILD", "make", 0
	d.state.put(running(), j)
	b, err := c.Build(t.Context(), "api#1")
	if err != nil || b.ID != "api#1" || len(b.Jobs) != 1 || b.Jobs[0].Attempt != 2 || b.Jobs[0].Command != "make" || b.Jobs[0].LogBytes == 0 || b.Seconds < 0 {
		t.Errorf("Build = %+v, %v", b, err)
	}
	page, err := c.Builds(t.Context(), client.ListOptions{Project: "api", Status: "IN_PROGRESS"})
	if err != nil || len(page.Items) != 1 || page.Items[0].Jobs != nil {
		t.Errorf("Builds = %+v, %v", page, err)
	}
	b, err = c.Stop(t.Context(), "api#1")
	if err != nil || b.Status != "STOPPED" {
		t.Errorf("Stop = %+v, %v", b, err)
	}
	if b, err = c.Stop(t.Context(), "api#1"); err != nil || b.Status != "STOPPED" {
		t.Errorf("Stop of a stopped build = %+v, %v", b, err)
	}
	if _, err := c.Build(t.Context(), "api"); err == nil || !strings.Contains(err.Error(), "PROJECT#NUMBER") {
		t.Errorf("an id without a number: %v", err)
	}
}

func TestWhatDoesNotFitHowThingsStandIsAConflict(t *testing.T) {
	p := problemOf(fmt.Errorf("retrying: %w", &scheduler.ConflictError{What: "build api#1 still runs", Hint: "stop it first, or wait for its end"}))
	if p.Status != http.StatusConflict || p.Detail != "build api#1 still runs" || p.Hint != "stop it first, or wait for its end" {
		t.Errorf("%+v", p)
	}
	d := newDaemon(t, project("api", apiURL))
	c := d.client()
	tr, err := c.Start(t.Context(), client.Start{Project: "api", Debug: true})
	if err != nil {
		t.Fatal(err)
	}
	if stored, err := d.state.Scheduler.Trigger(tr.ID); err != nil || !stored.Override.Debug {
		t.Errorf("stored: %+v, %v", stored, err)
	}
	if _, err := c.Approve(t.Context(), tr.ID, ""); asProblem(t, err).Status != http.StatusConflict {
		t.Errorf("approving what does not wait: %v", err)
	}
	if _, err := c.Approve(t.Context(), tr.ID, "main"); asProblem(t, err).Status != http.StatusUnprocessableEntity {
		t.Errorf("approving a branch: %v", err)
	}
	for what, err := range map[string]error{
		"trigger": second(c.Approve(t.Context(), "t9999", "")), "build": second(c.Resume(t.Context(), "api#9", "")),
		"retried build": second(c.Retry(t.Context(), "api#9", false)),
	} {
		if asProblem(t, err).Status != http.StatusNotFound {
			t.Errorf("no such %s: %v", what, err)
		}
	}
	page, err := c.Triggers(t.Context(), client.ListOptions{Outcome: "waiting"})
	if err != nil || len(page.Items) != 0 {
		t.Errorf("waiting: %+v, %v", page, err)
	}
	if page, err = c.Triggers(t.Context(), client.ListOptions{Outcome: "pending"}); err != nil || len(page.Items) != 1 {
		t.Errorf("pending: %+v, %v", page, err)
	}
}

func TestDrainIsSeenInTheDaemonAndRefusesNewWork(t *testing.T) {
	d := newDaemon(t, project("api", apiURL), hooked(t, "web", "https://github.com/example/web.git", "one"))
	c := d.client()
	got, err := c.Drain(t.Context(), true)
	if err != nil || !got.Draining || got.Version != "test" || got.Instance == "" || got.Slots != 2 || !slices.Equal(got.Engines, []string{"local"}) {
		t.Errorf("Drain = %+v, %v", got, err)
	}
	for what, err := range map[string]error{
		"start":  second(c.Start(t.Context(), client.Start{Project: "api"})),
		"submit": second(c.Submit(t.Context(), "api", client.Submission{Commit: newTip}, nil)),
	} {
		if p := asProblem(t, err); p.Status != http.StatusServiceUnavailable || p.Hint == "" {
			t.Errorf("%s: %+v", what, p)
		}
	}
	body := bytes.ReplaceAll(hookBody(t, "push"), []byte("example/api"), []byte("example/web"))
	if status, _, text := d.deliver(delivery("push", "d-1", "one", body), body); status != http.StatusAccepted {
		t.Errorf("a webhook while draining must not be lost: %d %s", status, text)
	}
	if got, err := c.Drain(t.Context(), false); err != nil || got.Draining {
		t.Errorf("Drain off = %+v, %v", got, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestSubmitStreamsThePackAndMakesATrigger(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	src := d.opts.Source.(*fakeSource)
	pack := bytes.Repeat([]byte("PACK"), 1<<20)
	s := client.Submission{Commit: newTip, Title: "try", Image: "busybox", Buildspec: "ci/b.yml", Env: map[string]string{"A": "ü\n"}, PackBytes: int64(len(pack))}
	for _, size := range []int64{int64(len(pack)), -1} {
		s.PackBytes = size
		tr, err := d.client().Submit(t.Context(), "api", s, bytes.NewReader(pack))
		if err != nil || tr.Kind != "submit" || tr.Commit != newTip || tr.Title != "try" || !strings.HasPrefix(tr.Ref, "refs/runner/submit/") {
			t.Fatalf("Submit = %+v, %v", tr, err)
		}
		if !bytes.Equal(src.got, pack) || src.commit != newTip || src.ref != tr.Ref || src.who != tr.Actor || src.who == "" {
			t.Errorf("the source got %d bytes for %s at %s", len(src.got), src.commit, src.ref)
		}
		stored, err := d.state.Scheduler.Trigger(tr.ID)
		if err != nil || stored.Override.Env["A"] != "ü\n" || stored.Override.Buildspec != "ci/b.yml" || stored.Trusted {
			t.Errorf("stored %+v, %v", stored, err)
		}
	}
	known, err := d.client().Known(t.Context(), "api", []string{oldTip, newTip})
	if err != nil || !slices.Equal(known, []string{oldTip}) || src.who == "" {
		t.Errorf("Known = %v, %v", known, err)
	}
	if _, err := d.client().Known(t.Context(), "api", []string{"HEAD"}); asProblem(t, err).Status != http.StatusUnprocessableEntity {
		t.Errorf("Known of no id: %v", err)
	}
}

func TestSubmitsThatAreRefused(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	d.handler.MaxPack = 1000
	pack := bytes.Repeat([]byte("x"), 5000)
	for name, c := range map[string]struct {
		project string
		s       client.Submission
		status  int
	}{
		"unknown project":       {"web", client.Submission{Commit: newTip, PackBytes: 10}, 404},
		"no commit id":          {"api", client.Submission{Commit: "HEAD", PackBytes: 10}, 422},
		"buildspec outside":     {"api", client.Submission{Commit: newTip, Buildspec: "../b.yml", PackBytes: 10}, 422},
		"reserved variable":     {"api", client.Submission{Commit: newTip, Env: map[string]string{"CODEBUILD_X": ""}, PackBytes: 10}, 422},
		"too large, declared":   {"api", client.Submission{Commit: newTip, PackBytes: 5000}, 413},
		"too large, undeclared": {"api", client.Submission{Commit: newTip, PackBytes: -1}, 413},
	} {
		size := len(pack)
		if c.s.PackBytes == 10 {
			size = 10
		}
		_, err := d.client().Submit(t.Context(), c.project, c.s, bytes.NewReader(pack[:size]))
		if p := asProblem(t, err); p.Status != c.status {
			t.Errorf("%s: %+v, want %d", name, p, c.status)
		}
	}
	_, err := d.client().Submit(t.Context(), "api", client.Submission{Commit: newTip}, strings.NewReader("JUNK"))
	if p := asProblem(t, err); p.Status != http.StatusUnprocessableEntity || p.Detail != "the pack is damaged" {
		t.Errorf("a damaged pack: %+v", p)
	}
	resp, text := d.do(http.MethodPost, "/api/v1/projects/api/submit?commit="+newTip, http.Header{"Content-Type": {"text/plain"}}, []byte("x"))
	if resp.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("no pack: %d %s", resp.StatusCode, text)
	}
	resp, text = d.do(http.MethodPost, "/api/v1/projects/api/submit?commit="+newTip, http.Header{"Content-Type": {client.PackType}, "Runner-Env": {"%%%"}}, []byte("x"))
	if resp.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("broken variables: %d %s", resp.StatusCode, text)
	}
	if page, err := d.client().Triggers(t.Context(), clientAll); err != nil || len(page.Items) != 0 {
		t.Errorf("refused submits left %d triggers, %v", len(page.Items), err)
	}
}

func TestADaemonThatIsNotThereIsUnreachable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	listener.Close()
	c := client.New(url, "x")
	_, daemonErr := c.Daemon(t.Context())
	_, logErr := c.Log(t.Context(), "api#1", "", client.LogOptions{Follow: true})
	_, startErr := c.Start(t.Context(), client.Start{})
	_, waitErr := c.WaitTrigger(t.Context(), "t1")
	watchErr := c.Watch(t.Context(), "api#1", func(client.Build) bool { return true })
	for what, err := range map[string]error{"daemon": daemonErr, "log": logErr, "start": startErr, "wait": waitErr, "watch": watchErr} {
		var gone *client.UnreachableError
		if !errors.As(err, &gone) || gone.URL != url || !strings.Contains(gone.Hint, "runner serve") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
