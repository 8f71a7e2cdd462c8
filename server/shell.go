package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

type shellIn struct {
	BuildInput
	Job     string   `query:"job" maxLength:"200" doc:"id of the job; default: the only one that there is to go into"`
	At      string   `query:"at" enum:"running,failed" doc:"running: beside the commands of a job that runs; failed: in what is kept of one that failed. Default: where the job is"`
	Command []string `query:"command,explode" maxItems:"256" nullable:"false" doc:"a program and its arguments; default: a shell"`
	TTY     bool     `query:"tty" doc:"on a terminal"`
	Cols    uint     `query:"cols" maximum:"2000" doc:"of the terminal"`
	Rows    uint     `query:"rows" maximum:"2000" doc:"of the terminal"`
	Term    string   `query:"term" maxLength:"64" doc:"what the terminal is called, as in the variable TERM"`
}

// object says in the audit log what somebody went into, and for what.
func (in *shellIn) object() string {
	what := "shell"
	if len(in.Command) > 0 {
		what = strings.Join(in.Command, " ")
	}
	return strings.Join(strings.Fields(fmt.Sprintf("%s %s %s: %s", in.id(), in.Job, in.At, what)), " ")
}

const (
	// maxCommand bounds a command in bytes, all arguments together: it is in the request's address.
	maxCommand = 64 << 10
	// shellOpened and shellClosed are what the audit log says of a shell: one record when it is opened, one when it has ended.
	shellOpened, shellClosed = "open-shell", "close-shell"
)

// termName is what terminals are called.
var termName = regexp.MustCompile(`^[A-Za-z0-9._+-]*$`)

func (a *api) routeShell() {
	add(a, huma.Operation{
		OperationID: shellOpened, Method: http.MethodGet, Path: buildPath + "/shell", Tags: []string{"builds"},
		Summary: "A shell in the container and workspace of a job, over a WebSocket",
		Description: "The subprotocol is " + client.ShellProtocol + ". Each message is binary, and its first byte says what it is. " +
			"To the daemon: i and input; e, the end of the input; r and {\"cols\",\"rows\"} as JSON. From it: b and " +
			"{\"job\",\"at\",\"image\",\"until\",\"withheld\"} once it has begun; o and standard output; e and standard error; x and " +
			"{\"exit\",\"reason\"} at the end. It ends by itself after 30 minutes in which nothing was said either way, and after 8 hours.",
		Errors:    []int{http.StatusConflict, http.StatusUpgradeRequired},
		Responses: map[string]*huma.Response{"101": {Description: "Switching Protocols"}},
	}, a.openShell)
}

func (a *api) openShell(ctx context.Context, in *shellIn) (*huma.StreamResponse, error) {
	if n := len(strings.Join(in.Command, " ")); n > maxCommand {
		return nil, problem(http.StatusBadRequest, fmt.Sprintf("the command has %d bytes, and at most %d are taken", n, maxCommand), "send a script to the standard input of sh")
	}
	if strings.ContainsRune(strings.Join(in.Command, " "), 0) {
		return nil, problem(http.StatusBadRequest, "the command has a zero byte, which no process can be given", "")
	}
	if !termName.MatchString(in.Term) {
		return nil, problem(http.StatusBadRequest, "term is no name of a terminal", "send the variable TERM, like xterm-256color")
	}
	place, err := a.Scheduler.FindShell(in.id(), in.Job, in.At)
	if err != nil {
		return nil, err
	}
	in.Job, in.At = place.Job, place.At
	if err := a.permitShell(ctx, in.Project, place); err != nil {
		a.refuse(ctx, shellOpened, in, err)
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) { a.serveShell(ctx, hctx, in, place) }}, nil
}

// permitShell keeps those who are no admins of the project from what they could not have by a build of their own: secrets that
// the job was given, trees that others sent, and a hand in the result of a job that runs, which a forge may be told.
func (a *api) permitShell(ctx context.Context, project string, place scheduler.ShellPlace) error {
	who, why := caller(ctx), ""
	switch {
	case who.grants.May(access.Admin, project):
		return nil
	case place.Stranger:
		why = "it is a stranger's"
	case place.Sender != "" && place.Sender != who.name:
		why = "somebody else sent its tree"
	case place.Sender != "":
		return nil // who sent a tree could have it do whatever a shell can
	case place.At == scheduler.ShellRunning:
		why = "it runs, and what is done in it changes its result"
	case place.Sealed:
		why = "it was given secrets"
	default:
		return nil
	}
	return forbidden(who, fmt.Sprintf("going into job %s of %s needs the scope admin for project %s: %s", place.Job, place.Build, project, why))
}

// serveShell has the connection from its upgrade to its end.
func (a *api) serveShell(ctx context.Context, hctx huma.Context, in *shellIn, place scheduler.ShellPlace) {
	r, w := humago.Unwrap(hctx)
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		w.Header().Set("Upgrade", "websocket")
		writeProblem(w, problem(http.StatusUpgradeRequired, "a shell is a WebSocket", "use runner shell "+in.id()+", or a client that upgrades the connection; a proxy in between has to let it"))
		return
	}
	if err := a.sameOrigin(r); err != nil {
		writeProblem(w, problemOf(err))
		return
	}
	seq, err := a.recordShell(ctx, shellOpened, in)
	if err != nil {
		writeProblem(w, a.shellProblem(err))
		return
	}
	ctrl := http.NewResponseController(w)
	_ = ctrl.SetReadDeadline(noDeadline) // a session's messages have limits of their own
	_ = ctrl.SetWriteDeadline(noDeadline)
	open, err := a.Scheduler.OpenShell(ctx, place, scheduler.ShellCommand{
		By: callerOf(ctx), Args: in.Command, TTY: in.TTY, Cols: in.Cols, Rows: in.Rows, Term: in.Term,
	})
	if err != nil {
		p := a.shellProblem(err)
		a.concludeShell(seq, p.Status)
		_ = ctrl.SetWriteDeadline(time.Now().Add(writeTimeout))
		writeProblem(w, p)
		return
	}
	defer open.Leave()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{client.ShellProtocol}, InsecureSkipVerify: true}) // sameOrigin looked
	if err != nil {
		a.concludeShell(seq, http.StatusBadRequest)
		return // it was answered
	}
	a.concludeShell(seq, http.StatusSwitchingProtocols)
	newShellSession(conn, open, in.TTY).run(ctx, place)
	if seq, err := a.recordShell(ctx, shellClosed, in); err == nil {
		a.concludeShell(seq, http.StatusOK)
	}
}

// sameOrigin refuses what a page of another site has a browser do: browsers say of every WebSocket which page opens it.
func (a *api) sameOrigin(r *http.Request) error {
	origin := r.Header.Get("Origin")
	if origin == "" && !caller(r.Context()).session {
		return nil // no browser's
	}
	u, err := url.Parse(origin)
	if err == nil && u.Host != "" && (strings.EqualFold(u.Host, r.Host) || strings.EqualFold(origin, a.Origin)) {
		return nil
	}
	return crossOrigin()
}

// shellProblem gives a mistake of ours an id, as register does.
func (a *api) shellProblem(err error) *Problem {
	p := problemOf(err)
	if p.Status == http.StatusInternalServerError && p.ID == "" {
		p.ID = newID()
		a.Logger.Error("a shell could not be opened", "id", p.ID, "error", err)
	}
	return p
}

// recordShell commits that a shell is about to be opened, or has ended.
func (a *api) recordShell(ctx context.Context, action string, in *shellIn) (uint64, error) {
	if a.Access == nil {
		return 0, nil
	}
	seq, err := a.Access.Record(eventOf(ctx, action, in), caller(ctx).grants)
	if err != nil {
		a.Logger.Error("the audit log cannot tell of a shell", "action", action, "build", in.id(), "error", err)
		return 0, errors.Join(errNoAudit, err)
	}
	return seq, nil
}

var errNoAudit = errors.New("what cannot be written to the audit log is not done")

func (a *api) concludeShell(seq uint64, status int) {
	if a.Access != nil {
		a.conclude(seq, status)
	}
}
