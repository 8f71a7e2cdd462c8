package terminal

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

// within says in which projects a scope is had.
func within(projects []string) string {
	for _, p := range projects {
		if p == "*" {
			return "all projects"
		}
	}
	return oneLine(strings.Join(projects, " "))
}

// expiry says when a token ends.
func expiry(t, now time.Time) string {
	switch {
	case t.IsZero():
		return "never"
	case !now.Before(t):
		return "expired"
	}
	return day(t, now)
}

// day is a date and, of what is near, the time of day as well.
func day(t, now time.Time) string {
	if t.Sub(now) < 48*time.Hour {
		return t.Local().Format("2006-01-02 15:04")
	}
	return t.Local().Format(time.DateOnly)
}

// TokenMade tells of a token that was just made.
func TokenMade(o *Output, t client.Token) {
	until := "never expires"
	if !t.Expires.IsZero() {
		until = "expires on " + day(t.Expires, time.Now())
	}
	o.Lines(fmt.Sprintf("token %s: %s for %s, %s; it is not shown again", oneLine(t.Name), oneLine(t.Scope), within(t.Projects), until))
}

// Tokens lists tokens, one a line.
func Tokens(o *Output, tokens []client.Token, now time.Time) {
	t := Table{Head: []string{"name", "scope", "projects", "expires", "last use", "made", "by"}}
	for _, k := range tokens {
		t.Row(oneLine(k.Name), oneLine(k.Scope), within(k.Projects), expiry(k.Expires, now), Ago(k.Used, now), Ago(k.Created, now), oneLine(k.By))
	}
	t.Print(o)
}

// AuditEvents lists records of the audit log.
func AuditEvents(o *Output, events []client.AuditEvent, now time.Time) {
	t := Table{Head: []string{"when", "who", "from", "what", "object", "result"}}
	for _, e := range events {
		object := e.Object
		if e.Project != "" && e.Project != e.Object && !strings.HasPrefix(e.Object, e.Project+"#") {
			object += " (" + e.Project + ")"
		}
		t.Row(Ago(e.At, now), cmp.Or(oneLine(e.Who), "-"), cmp.Or(oneLine(e.Address), "-"), oneLine(e.Action), cmp.Or(oneLine(object), "-"), resultOf(e))
	}
	t.Print(o)
}

// resultOf says what came of an action in words.
func resultOf(e client.AuditEvent) string {
	text := ""
	switch {
	case e.Result == 0:
		text = "not known: the daemon ended meanwhile"
	case e.Result < 300:
		text = "done"
	default:
		text = fmt.Sprintf("%d %s", e.Result, strings.ToLower(http.StatusText(e.Result)))
	}
	if e.Count > 1 {
		text += fmt.Sprintf(", %s times", Number(e.Count))
	}
	return text
}
