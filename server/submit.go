package server

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

// emptyPack is a git pack without an object: what an empty body stands for.
const emptyPack = "PACK\x00\x00\x00\x02\x00\x00\x00\x00" +
	"\x02\x9d\x08\x82\x3b\xd8\xa8\xea\xb5\x10\xad\x6a\xc7\x5c\x82\x3c\xfd\x3e\xd3\x1e" // its SHA-1

type commits struct {
	Commits []string `json:"commits" maxItems:"10000" doc:"full commit ids"`
}

type knownIn struct {
	ProjectInput
	Body commits
}

type submitIn struct {
	ProjectInput
	KeyInput
	Commit    string `query:"commit" required:"true" doc:"full id of the commit to build"`
	Title     string `query:"title" maxLength:"1000" doc:"for people"`
	Image     string `query:"image" maxLength:"500" doc:"instead of the project's"`
	Buildspec string `query:"buildspec" maxLength:"1000" doc:"path, instead of the project's"`
	Debug     bool   `query:"debug" doc:"codebuild-breakpoint holds the jobs"`
	Shards    int    `query:"shards" minimum:"0" maximum:"256" doc:"of a build-fanout, in place of its parallelism"`
	Env       string `header:"Runner-Env" doc:"variables: base64 of a JSON object of strings"`
	Type      string `header:"Content-Type" doc:"that of a git pack, unless the body is empty"`

	Only []string `query:"only,explode" maxItems:"50" doc:"patterns: jobs of a batch, with those they depend on, or tests of a build-fanout" nullable:"false"`

	pack *packBody
}

// Resolve takes the body over from huma, which would read it into memory.
func (in *submitIn) Resolve(ctx huma.Context) []error {
	r, w := humago.Unwrap(ctx)
	in.pack = &packBody{r: r.Body, ctrl: http.NewResponseController(w), length: r.ContentLength}
	return nil
}

func (a *api) routeSubmit() {
	tags := []string{"submit"}
	add(a, huma.Operation{
		OperationID: "known-commits", Method: http.MethodPost, Path: "/api/v1/projects/{name}/known", Tags: tags,
		Summary: "Which of these commits the project's mirror has",
	}, a.known)
	add(a, huma.Operation{
		OperationID: "submit", Method: http.MethodPost, Path: "/api/v1/projects/{name}/submit", Tags: tags,
		Summary:       "Send a git pack with a commit, and ask for a build of that commit",
		Description:   "The pack may be thin: it may leave out what the mirror has. An empty body says that nothing is missing.",
		DefaultStatus: http.StatusAccepted,
		Errors:        []int{http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusServiceUnavailable},
		RequestBody: &huma.RequestBody{Content: map[string]*huma.MediaType{
			client.PackType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		}},
	}, a.submit)
}

func (a *api) known(ctx context.Context, in *knownIn) (*jsonOut[commits], error) {
	p, err := a.Scheduler.Project(in.Name)
	if err != nil {
		return nil, err
	}
	for _, id := range in.Body.Commits {
		if err := badCommit(id); err != nil {
			return nil, err
		}
	}
	ids, err := a.Source.Known(ctx, p.Project, callerOf(ctx), in.Body.Commits)
	if err != nil {
		return nil, err
	}
	return answer(commits{append([]string{}, ids...)})
}

// submit takes these steps: everything that can be refused without the pack is; the pack goes into the mirror; then
// the trigger is stored. A daemon that dies before the last one leaves a ref, which goes in its time like any
// other of refs/runner/submit/.
func (a *api) submit(ctx context.Context, in *submitIn) (*jsonOut[client.Trigger], error) {
	p, err := a.Scheduler.Project(in.Name)
	if err != nil {
		return nil, err
	}
	over, err := a.checkSubmit(in)
	if err != nil {
		return nil, err
	}
	if a.Scheduler.Draining() {
		return nil, fmt.Errorf("the build was not submitted: %w", scheduler.ErrDraining)
	}
	in.pack.left = a.MaxPack
	if in.pack.length == 0 {
		in.pack.r = strings.NewReader(emptyPack)
	}
	ref, err := a.Source.Receive(ctx, p.Project, callerOf(ctx), in.Commit, in.pack)
	in.pack.done()
	if in.pack.full {
		return nil, problem(http.StatusRequestEntityTooLarge, fmt.Sprintf("the pack is larger than %d bytes", a.MaxPack),
			"git push the branch and start a build of it, so that only what is new has to be sent")
	}
	if err != nil {
		return nil, err
	}
	return a.accept(ctx, in.KeyInput, scheduler.Trigger{
		Kind: scheduler.KindSubmit, Projects: []string{p.Name}, Ref: ref, Commit: in.Commit,
		Title: clip(in.Title, 300), Override: over,
	})
}

// checkSubmit judges all but the pack.
func (a *api) checkSubmit(in *submitIn) (over scheduler.Override, err error) {
	if kind, _, _ := strings.Cut(in.Type, ";"); in.pack.length != 0 && strings.TrimSpace(kind) != client.PackType {
		return over, problem(http.StatusUnsupportedMediaType, "the body is not declared to be a git pack", "send Content-Type: "+client.PackType)
	}
	if in.pack.length > a.MaxPack {
		return over, problem(http.StatusRequestEntityTooLarge,
			fmt.Sprintf("the pack has %d bytes, and at most %d are taken", in.pack.length, a.MaxPack),
			"git push the branch and start a build of it, so that only what is new has to be sent")
	}
	if err := badCommit(in.Commit); err != nil {
		return over, err
	}
	if in.Buildspec != "" {
		if clean := path.Clean(in.Buildspec); path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") || strings.ContainsAny(clean, "\x00\n") {
			return over, problem(http.StatusUnprocessableEntity, "the buildspec's path leads out of the repository", "write it from the repository's root")
		}
	}
	over = scheduler.Override{Image: in.Image, Buildspec: in.Buildspec, Debug: in.Debug, Shards: in.Shards, Only: in.Only}
	for _, pattern := range in.Only {
		if _, err := path.Match(pattern, ""); err != nil || strings.TrimSpace(pattern) == "" || len(pattern) > 500 || strings.ContainsAny(pattern, "\x00\n\r") {
			return over, problem(http.StatusUnprocessableEntity, "a pattern of only is empty, malformed or too long", "write a name, or a pattern such as test_* or tests/**/*_api.py")
		}
	}
	if in.Env != "" {
		text, err := base64.StdEncoding.DecodeString(in.Env)
		if err == nil {
			err = json.Unmarshal(text, &over.Env)
		}
		if err != nil {
			return over, problem(http.StatusUnprocessableEntity, "the header "+client.EnvHeader+" is not base64 of a JSON object of strings", "")
		}
	}
	return over, badEnv(over.Env)
}

// packBody reads a pack as it comes: at most left bytes, each block within readTimeout.
type packBody struct {
	r      io.Reader
	ctrl   *http.ResponseController
	length int64 // as declared; -1: unknown
	left   int64
	full   bool // there was more than left
}

// errPackTooLarge ends the reading of a pack.
var errPackTooLarge = errors.New("the pack is too large")

func (p *packBody) Read(b []byte) (int, error) {
	if p.full {
		return 0, errPackTooLarge
	}
	_ = p.ctrl.SetReadDeadline(time.Now().Add(readTimeout))
	_ = p.ctrl.SetWriteDeadline(time.Now().Add(readTimeout + writeTimeout))
	n, err := p.r.Read(b)
	if int64(n) > p.left {
		n, p.full, err = int(p.left), true, errPackTooLarge
	}
	p.left -= int64(n)
	return n, err
}

// done takes the deadline away, which would otherwise end what follows the reading; the answer gets its own.
func (p *packBody) done() {
	_ = p.ctrl.SetReadDeadline(time.Now().Add(bodyPatience))
	_ = p.ctrl.SetWriteDeadline(time.Now().Add(writeTimeout))
}
