package web

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

func (s *Site) routeAudit() {
	s.page("GET /audit", s.audit)
}

// audit is a page of the audit log.
type audit struct {
	client.AuditOptions
	Since  string // as the form has it
	Events []sentence
	Older  string
}

// sentence is a record that people can read.
type sentence struct {
	client.AuditEvent
	Text, Came, Class string // what was done; what came of it, with its shape
}

// sinces are what the form offers.
var sinces = map[string]time.Duration{"hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour, "month": 30 * 24 * time.Hour}

func (s *Site) audit(v *visit) (*view, error) {
	q := v.URL.Query()
	data := audit{Since: q.Get("since"), AuditOptions: client.AuditOptions{Who: q.Get("who"), Action: q.Get("action"), Project: q.Get("project")}}
	data.Cursor, data.Limit = q.Get("cursor"), pageRows
	if d := sinces[data.Since]; d > 0 {
		data.AuditOptions.Since = time.Now().Add(-d)
	}
	page, err := s.Client.Audit(v.Context(), data.AuditOptions)
	if err != nil {
		return nil, err
	}
	for _, e := range page.Items {
		data.Events = append(data.Events, sentenceOf(e))
	}
	data.Older = older(v, page.Next)
	return &view{Template: "audit", Title: "Audit log", Crumbs: []crumb{{Text: "Audit log"}}, Data: data}, nil
}

// deeds say what an operation does; %s is its object.
var deeds = map[string]string{
	"login": "logged in", "logout": "logged out", "sign-in": "came from the provider of identities", "authenticate": "showed a token",
	"drain": "switched draining %s", "backup": "took a backup",
	"stop-build": "stopped %s", "retry-build": "had %s built again", "resume-build": "let %s go on at its breakpoint",
	"approve": "approved trigger %s", "start": "started a build of %s", "submit": "submitted a working tree of %s",
	"put-project": "set up project %s", "remove-project": "removed project %s", "connect-webhook": "registered the webhook of %s", "remove-webhook": "removed the webhook of %s",
	"put-secret": "set the secret %s", "remove-secret": "removed the secret %s", "remove-cache": "removed cache %s",
	"create-token": "made token %s", "remove-token": "revoked token %s",
}

func sentenceOf(e client.AuditEvent) sentence {
	out := sentence{AuditEvent: e}
	switch deed, known := deeds[e.Action]; {
	case !known:
		out.Text = words(e.Action) + " " + e.Object
	default:
		out.Text = strings.ReplaceAll(deed, "%s", cmp.Or(e.Object, "something"))
	}
	switch {
	case e.Result == 0:
		out.Came, out.Class = "not known: the daemon ended meanwhile", "flk"
	case e.Result < http.StatusBadRequest:
		out.Came, out.Class = "done", "ok"
	case e.Result == http.StatusUnauthorized || e.Result == http.StatusForbidden:
		out.Came, out.Class = "refused", "no"
		if e.Count > 1 {
			out.Came = fmt.Sprintf("refused %d times", e.Count)
		}
	default:
		out.Came, out.Class = fmt.Sprintf("failed: %d %s", e.Result, http.StatusText(e.Result)), "no"
	}
	return out
}
