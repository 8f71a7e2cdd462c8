package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/forge"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/tests/history"
)

const testToken = "rt_TESTTESTTESTTESTTESTTEST"

// daemon is the part of a daemon that these tests need: a real scheduler and a real artifact store on disk, and the
// server in front of them, which can be stopped and started again on the same address.
type daemon struct {
	t       *testing.T
	dir     string
	addr    string
	log     *lockedBuffer
	opts    Options
	handler *api
	state   *staged
	store   *artifacts.Store
	tests   *history.Store
	access  *access.Store
	http    *http.Server
}

// newDaemon starts a daemon with the projects in its configuration file.
func newDaemon(t *testing.T, projects ...config.Project) *daemon {
	t.Helper()
	d := &daemon{t: t, dir: t.TempDir(), addr: "127.0.0.1:0", log: &lockedBuffer{}}
	cfg := config.Default()
	cfg.Projects = projects
	sched, err := scheduler.Open(filepath.Join(d.dir, "state.db"), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sched.Close() })
	d.state = &staged{Scheduler: sched, builds: map[string]*scheduler.Build{}, jobs: map[string][]scheduler.Job{}, watchers: map[chan struct{}]bool{}, asked: make(chan string, 100)}
	d.opts = Options{
		Scheduler: d.state, Source: &fakeSource{}, Forges: forge.All(),
		Tokens: []Token{NewToken("admin", testToken)}, Version: "test", Instance: sched.Instance(),
		Slots: func() int { return 2 }, Engines: []string{"local"}, Logger: slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if d.access, err = access.Open(access.Options{Path: filepath.Join(d.dir, "access.db")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.access.Close() })
	d.opts.Access = d.access
	d.start()
	t.Cleanup(d.stop)
	return d
}

// start opens the artifact store and the listener.
func (d *daemon) start() {
	d.t.Helper()
	var err error
	if d.store, err = artifacts.Open(filepath.Join(d.dir, "artifacts.db"), artifacts.Options{Logger: slog.New(slog.DiscardHandler)}); err != nil {
		d.t.Fatal(err)
	}
	d.opts.Artifacts = d.store
	if d.tests == nil {
		if d.tests, err = history.Open(filepath.Join(d.dir, "tests.db")); err != nil {
			d.t.Fatal(err)
		}
		d.t.Cleanup(func() { d.tests.Close() })
	}
	d.opts.Tests = d.tests
	d.handler = New(d.opts).(*api)
	listener, err := net.Listen("tcp", d.addr)
	if err != nil {
		d.t.Fatal(err)
	}
	d.addr = listener.Addr().String()
	d.http = NewHTTPServer(d.handler, d.opts.Logger)
	go d.http.Serve(listener)
}

// stop ends server and store in good order.
func (d *daemon) stop() {
	if d.http == nil {
		return
	}
	if err := d.http.Shutdown(context.Background()); err != nil {
		d.t.Error(err)
	}
	if err := d.store.Close(); err != nil {
		d.t.Error(err)
	}
	d.http = nil
}

// kill cuts every connection at once, as the end of the process would.
func (d *daemon) kill() {
	d.http.Close()
	if err := d.store.Close(); err != nil {
		d.t.Error(err)
	}
	d.http = nil
}

func (d *daemon) url() string { return "http://" + d.addr }
func (d *daemon) client() *client.Client {
	return client.New(d.url(), testToken, client.WithHTTPClient(&http.Client{Transport: fitting{d}}))
}

// do sends a request with the token, and returns the answer with its body read.
func (d *daemon) do(method, path string, header http.Header, body []byte) (*http.Response, []byte) {
	d.t.Helper()
	if header == nil {
		header = http.Header{}
	}
	if _, has := header["Authorization"]; !has {
		header.Set("Authorization", "Bearer "+testToken)
	}
	return d.send(method, path, header, body)
}

// stream asks for a stream with the token; end closes it, as a browser that goes away does.
func (d *daemon) stream(path string, header http.Header) (resp *http.Response, end func()) {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url()+path, nil)
	if err == nil {
		req.Header = header
		req.Header.Set("Authorization", "Bearer "+testToken)
		resp, err = http.DefaultClient.Do(req)
	}
	if err != nil {
		cancel()
		d.t.Fatal(err)
	}
	return resp, func() { resp.Body.Close(); cancel() }
}

// send is do without a token.
func (d *daemon) send(method, path string, header http.Header, body []byte) (*http.Response, []byte) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.url()+path, bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	if path == "/api/v1/events" && resp.StatusCode == http.StatusOK {
		line, err := bufio.NewReader(resp.Body).ReadBytes('\n') // it has no end
		if err != nil {
			d.t.Fatal(err)
		}
		return resp, line
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	d.fits(req, resp, text)
	return resp, text
}

// lockedBuffer takes the log of a server.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// staged is the real scheduler, but builds are put on stage by the test: real ones need an engine and a repository.
type staged struct {
	*scheduler.Scheduler
	mu       sync.Mutex
	builds   map[string]*scheduler.Build
	jobs     map[string][]scheduler.Job
	watchers map[chan struct{}]bool
	asked    chan string // ids of triggers that somebody waits for
	newest   *scheduler.Build
	pushing  string           // build that is said to push every image
	filter   scheduler.Filter // that builds were listed by last
	branches []scheduler.Build
	place    *scheduler.ShellPlace // of every shell
	room     *room                 // in which they run
}

func (s *staged) Branches(project, cursor string, limit int) ([]scheduler.Build, string, error) {
	if s.branches == nil || cursor != "" {
		return s.Scheduler.Branches(project, cursor, limit)
	}
	return s.branches, "", nil
}

func (s *staged) PushedBy(project string, image scheduler.PushedImage, now time.Time) (string, error) {
	if s.pushing != "" {
		return s.pushing, nil
	}
	return s.Scheduler.PushedBy(project, image, now)
}

func (s *staged) NewestBuild(project string, refs []string) (*scheduler.Build, error) {
	if b := s.newest; b != nil && b.Project == project && slices.Contains(refs, b.Ref) {
		return b, nil
	}
	return s.Scheduler.NewestBuild(project, refs)
}

// put shows a build and its jobs from now on, and tells the watchers.
func (s *staged) put(b scheduler.Build, jobs ...scheduler.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.builds[b.ID()], s.jobs[b.ID()] = &b, jobs
	for ch := range s.watchers {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

func (s *staged) Build(id string) (scheduler.Build, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.builds[id]; b != nil {
		return *b, nil
	}
	return s.Scheduler.Build(id)
}

func (s *staged) HasEnded(id string) bool {
	b, err := s.Build(id)
	return err != nil || b.Status.Ended()
}

func (s *staged) MayBeTrusted(id string) (bool, error) {
	s.mu.Lock()
	b := s.builds[id]
	s.mu.Unlock()
	if b == nil {
		return s.Scheduler.MayBeTrusted(id)
	}
	return b.Trusted, nil
}

func (s *staged) Jobs(id string) ([]scheduler.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.builds[id] != nil {
		return slices.Clone(s.jobs[id]), nil
	}
	return s.Scheduler.Jobs(id)
}

func (s *staged) Builds(f scheduler.Filter, cursor string, limit int) ([]scheduler.Build, string, error) {
	s.filter = f
	if cursor != "" {
		return s.Scheduler.Builds(f, cursor, limit)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []scheduler.Build
	for _, b := range s.builds {
		if (f.Project == "" || f.Project == b.Project) && (f.Status == "" || f.Status == b.Status) {
			out = append(out, *b)
		}
	}
	slices.SortFunc(out, func(a, b scheduler.Build) int { return b.Number - a.Number })
	return out, "", nil
}

func (s *staged) Stop(_ context.Context, id, by string) (scheduler.Build, error) {
	b, err := s.Build(id)
	if err != nil {
		return b, err
	}
	if b.Status.Ended() {
		return b, scheduler.ErrEnded
	}
	b.Status, b.StopBy = scheduler.Stopped, by
	jobs, err := s.Jobs(id)
	s.put(b, jobs...)
	return b, err
}

func (s *staged) WatchTrigger(ctx context.Context, id string) <-chan struct{} {
	s.asked <- id
	return s.Scheduler.WatchTrigger(ctx, id)
}

func (s *staged) Watch(ctx context.Context, _ string) <-chan struct{} {
	ch := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers[ch] = true
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, ch)
		close(ch)
	})
	return ch
}

func (s *staged) WatchAll(ctx context.Context) <-chan struct{} { return s.Watch(ctx, "") }

// ChangedSince has every build on stage change all the time, the last by name first, so that who waits for api has seen web.
func (s *staged) ChangedSince(m scheduler.Moment) scheduler.Changed {
	out := s.Scheduler.ChangedSince(m)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !out.Missed {
		out.Builds = slices.Sorted(maps.Keys(s.builds))
		slices.Reverse(out.Builds)
	}
	return out
}

func (s *staged) StatusOf(builds []string) (map[string]scheduler.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]scheduler.Status{}
	for _, id := range builds {
		out[id] = s.builds[id].Status
	}
	return out, nil
}

// fakeSource stands for the git mirrors, whose own tests are elsewhere.
type fakeSource struct {
	began  func() // called when a pack begins to come in
	mu     sync.Mutex
	got    []byte
	commit string
	ref    string
	who    string
}

func (f *fakeSource) Known(_ context.Context, _ config.Project, who string, ids []string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.who = who
	return ids[:min(1, len(ids))], nil
}

func (f *fakeSource) Receive(ctx context.Context, _ config.Project, who, commit string, pack io.Reader) (string, error) {
	if f.began != nil {
		f.began()
	}
	text, err := io.ReadAll(pack)
	if err == nil && bytes.HasPrefix(text, []byte("JUNK")) {
		err = &RefusedError{"the pack is damaged"}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got, f.commit, f.who, f.ref = text, commit, who, "refs/runner/submit/2026-01-31/"+strings.ToLower(newID())
	return f.ref, errors.Join(err, ctx.Err())
}

// asProblem returns the client's error as a problem, or fails.
func asProblem(t *testing.T, err error) *client.Error {
	t.Helper()
	var p *client.Error
	if !errors.As(err, &p) {
		t.Fatalf("error is %v (%T), want a problem", err, err)
	}
	return p
}

// token makes a token with a scope within some projects.
func (d *daemon) token(scope access.Scope, projects ...string) string {
	d.t.Helper()
	return d.named("", scope, projects...)
}

// named is a token of a name, of any where that is "".
func (d *daemon) named(name string, scope access.Scope, projects ...string) string {
	d.t.Helper()
	if name == "" {
		name = strings.ToLower(rand.Text())
	}
	_, secret, err := d.access.Create(name, access.Grant{Scope: scope, Projects: projects}, time.Time{}, "test")
	if err != nil {
		d.t.Fatal(err)
	}
	return secret
}

// bear is the header of a request with a token.
func bear(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

func project(name, url string) config.Project {
	return config.Project{Name: name, URL: url, Buildspec: "buildspec.yml", Pull: "if-not-present"}
}

// clientAll asks for the first page of everything.
var clientAll client.ListOptions

// memory is as much of a scheduler as a webhook meets, without a disk: fuzzing wants thousands of deliveries a second.
type memory struct {
	Scheduler
	projects []scheduler.Project
}

func (m *memory) Projects() ([]scheduler.Project, error) { return m.projects, nil }
func (m *memory) EachProject(visit func(*config.Project)) error {
	for i := range m.projects {
		visit(&m.projects[i].Project)
	}
	return nil
}

func (m *memory) Note(scheduler.Received) {}
func (m *memory) PushedBy(string, scheduler.PushedImage, time.Time) (string, error) {
	return "", nil
}
func (m *memory) Accept(_ context.Context, t scheduler.Trigger) (scheduler.Trigger, bool, error) {
	t.ID, t.Outcome = "t1", scheduler.OutcomePending
	return t, true, nil
}

// newFuzzDaemon has one project, with webhook secret "one".
func newFuzzDaemon() *daemon {
	p := project("api", apiURL)
	p.WebhookSecret = "env:IGNORED"
	return newFuzzDaemonOf(p)
}

// newFuzzDaemonOf has this project, all of whose secrets are "one".
func newFuzzDaemonOf(p config.Project) *daemon {
	state := &memory{projects: []scheduler.Project{{Project: p}}}
	secret := func(config.Secret) ([]byte, error) { return []byte("one"), nil }
	return &daemon{handler: New(Options{Scheduler: state, Secret: secret, Forges: []forge.Forge{forge.GitHub{}}}).(*api)}
}

// serve answers a request without a connection.
func (d *daemon) serve(method, path string, header http.Header, body []byte) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, bytes.NewReader(body))
	req.Header = header
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, req)
	return w
}
