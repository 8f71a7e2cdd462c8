package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/source"
)

// mirrors is the real source store, as the daemon puts it before the server.
type mirrors struct{ *source.Store }

func (m mirrors) Known(ctx context.Context, p config.Project, who string, ids []string) ([]string, error) {
	return m.Store.Known(ctx, p.URL, who, ids)
}

func (m mirrors) Receive(ctx context.Context, p config.Project, who, commit string, pack io.Reader) (string, error) {
	ref := source.SubmitRef(time.Now(), who, strings.ToLower(newID()))
	_, err := m.Store.Receive(ctx, p.URL, ref, commit, pack, DefaultMaxPack)
	var fault *source.FetchError
	if errors.As(err, &fault) && fault.UserFault() {
		return "", &RefusedError{Reason: err.Error()}
	}
	return ref, err
}

// git runs git in a directory and returns what it prints.
func git(t *testing.T, dir, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %v: %v", args, err)
	}
	return string(out)
}

func TestSubmitsReachARealMirror(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git makes the packs of this test, and it is not installed")
	}
	d := newDaemon(t, project("api", apiURL))
	store, err := source.Open(source.Options{Dir: filepath.Join(d.dir, "source")})
	if err != nil {
		t.Fatal(err)
	}
	d.handler.Source = mirrors{store}
	c := d.client()

	repo := t.TempDir()
	git(t, repo, "", "init", "-q")
	commit := func() string {
		git(t, repo, "", "commit", "-q", "--allow-empty", "-m", "more")
		return strings.TrimSpace(git(t, repo, "", "rev-parse", "HEAD"))
	}
	first, second := commit(), commit()
	pack := func(revs ...string) io.Reader {
		return strings.NewReader(git(t, repo, strings.Join(revs, "\n")+"\n", "pack-objects", "-q", "--revs", "--thin", "--stdout"))
	}
	send := func(id string, pack io.Reader) error {
		tr, err := c.Submit(t.Context(), "api", client.Submission{Commit: id, PackBytes: -1}, pack)
		if err == nil && (tr.Commit != id || tr.Outcome != "pending") {
			t.Errorf("trigger %+v", tr)
		}
		return err
	}
	known := func() []string {
		ids, err := c.Known(t.Context(), "api", []string{first, second})
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}

	if ids := known(); len(ids) != 0 {
		t.Errorf("a mirror that is not there yet knows %v", ids)
	}
	for what, pack := range map[string]io.Reader{"half of it": pack(second, "^"+first), "junk": strings.NewReader("no pack at all"), "nothing": nil} {
		if p := asProblem(t, send(second, pack)); p.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %+v", what, p)
		}
	}
	if err := send(first, pack(first)); err != nil {
		t.Fatal(err)
	}
	if ids := known(); !slices.Equal(ids, []string{first}) {
		t.Errorf("known %v, want %s", ids, first)
	}
	if err := send(second, pack(second, "^"+first)); err != nil {
		t.Fatal(err)
	}
	if err := send(second, nil); err != nil {
		t.Errorf("nothing was missing: %v", err)
	}
	if err := send(second, bytes.NewReader(nil)); err != nil {
		t.Errorf("an empty body: %v", err)
	}
	if ids := known(); !slices.Equal(ids, []string{first, second}) {
		t.Errorf("known %v", ids)
	}
}

// TestSubmitsOfOthersAreNotThere asks and sends as two people whose tokens are for the same project.
func TestSubmitsOfOthersAreNotThere(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git makes the packs of this test, and it is not installed")
	}
	d := newDaemon(t, project("api", apiURL))
	store, err := source.Open(source.Options{Dir: filepath.Join(d.dir, "source")})
	if err != nil {
		t.Fatal(err)
	}
	d.handler.Source = mirrors{store}
	ada, bob := client.New(d.url(), d.token(access.Submit, "api")), client.New(d.url(), d.token(access.Submit, "api"))

	repo := t.TempDir()
	git(t, repo, "", "init", "-q")
	git(t, repo, "", "commit", "-q", "--allow-empty", "-m", "hers")
	hers := strings.TrimSpace(git(t, repo, "", "rev-parse", "HEAD"))
	pack := git(t, repo, hers+"\n", "pack-objects", "-q", "--revs", "--stdout")
	made, err := ada.Submit(t.Context(), "api", client.Submission{Commit: hers, PackBytes: -1}, strings.NewReader(pack))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(made.Ref, made.Actor) {
		t.Errorf("the ref %s says that it is %s's", made.Ref, made.Actor)
	}
	known := func(c *client.Client) []string {
		ids, err := c.Known(t.Context(), "api", []string{hers})
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	if got := known(ada); len(got) != 1 {
		t.Error("ada is not told of her own commit")
	}
	if got := known(bob); len(got) != 0 {
		t.Errorf("bob is told of %v", got)
	}
	// Its name alone makes nobody a build of it, and the answer is that to a commit which nobody has.
	refusal := func(id string) string {
		_, err := bob.Submit(t.Context(), "api", client.Submission{Commit: id}, nil)
		p := asProblem(t, err)
		return strings.ReplaceAll(p.Title+p.Detail+p.Hint, id, "ID")
	}
	if theirs, nobodys := refusal(hers), refusal(strings.Repeat("12", 20)); theirs != nobodys {
		t.Errorf("bob hears %q of what ada has, and %q of what nobody has", theirs, nobodys)
	}
	if _, err := ada.Submit(t.Context(), "api", client.Submission{Commit: hers}, nil); err != nil {
		t.Errorf("ada is refused her own commit: %v", err)
	}
	if _, err := bob.Submit(t.Context(), "api", client.Submission{Commit: hers, PackBytes: -1}, strings.NewReader(pack)); err != nil {
		t.Errorf("bob, who has it too, is refused: %v", err)
	}
	if got := known(bob); len(got) != 1 {
		t.Error("bob is not told of what he sent himself")
	}
}

// TestAShutdownLetsAPackComeIn has the daemon leave, as for an upgrade, in the middle of a pack: what follows a log ends at once,
// and what comes to its end by itself is waited for.
func TestAShutdownLetsAPackComeIn(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	began := make(chan struct{})
	d.opts.Source.(*fakeSource).began = func() { close(began) }
	r, w := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url()+"/api/v1/projects/api/submit?commit="+newTip, r)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {client.PackType}, "Authorization": {"Bearer " + testToken}}
	answered := make(chan int, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		resp.Body.Close()
		answered <- resp.StatusCode
	}()
	if _, err := w.Write(make([]byte, 64<<10)); err != nil { // more than a client's buffer holds back
		t.Fatal(err)
	}
	<-began
	down := make(chan error, 1)
	leaving := make(chan struct{})
	d.http.RegisterOnShutdown(sync.OnceFunc(func() { close(leaving) }))
	go func() { down <- d.http.Shutdown(context.Background()) }()
	<-leaving
	go func() {
		_, err := w.Write([]byte("the rest"))
		w.CloseWithError(err)
	}()
	if got := <-answered; got != http.StatusAccepted {
		t.Errorf("the submit was answered %d", got)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
}
