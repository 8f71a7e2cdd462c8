package web

import (
	"net/http"

	"github.com/runner-ci/runner/client"
)

func (s *Site) routeTriggers() {
	s.page("GET /triggers", s.triggers)
}

// triggers is what came in, and what became of it.
type triggers struct {
	Tab        string // triggers, deliveries, schedules
	Outcome    string
	Refused    bool
	Who        client.Identity
	URL        string
	Triggers   []client.Trigger
	Deliveries []client.Delivery
	Schedules  []client.Schedule
	Older      string // path of the next page
}

// pageRows is how many rows a page of a list has.
const pageRows = 50

func (s *Site) triggers(v *visit) (*view, error) {
	q := v.URL.Query()
	data := triggers{Tab: q.Get("tab"), Outcome: q.Get("outcome"), Refused: q.Get("refused") != "", Who: v.who, URL: s.daemonURL(v)}
	if !v.known() {
		return nil, &client.Error{Status: http.StatusUnauthorized, Detail: "this needs a login"}
	}
	o := client.ListOptions{Cursor: q.Get("cursor"), Limit: pageRows}
	var err error
	switch data.Tab {
	case "deliveries":
		var page client.Page[client.Delivery]
		page, err = s.Client.Inbox(v.Context(), client.InboxOptions{ListOptions: o, Refused: data.Refused})
		data.Deliveries, data.Older = page.Items, older(v, page.Next)
	case "schedules":
		data.Schedules, err = s.Client.Schedules(v.Context())
	default:
		data.Tab, o.Outcome = "triggers", data.Outcome
		var page client.Page[client.Trigger]
		page, err = s.Client.Triggers(v.Context(), o)
		data.Triggers, data.Older = page.Items, older(v, page.Next)
	}
	if err != nil {
		return nil, err
	}
	shown := &view{Template: "triggers", Title: "Triggers", Crumbs: []crumb{{Text: "Triggers"}}, Data: data}
	if o.Cursor == "" {
		shown.Events = "/api/v1/events"
	}
	return shown, nil
}

// fate is the class of an outcome: of a trigger, or of a delivery.
func fate(outcome string) string {
	switch outcome {
	case "built":
		return "ok"
	case "refused":
		return "no"
	case "pending":
		return "run"
	case "waiting":
		return "flk"
	}
	return "st"
}

// older is the path of the page of a list that follows this one; empty when there is none.
func older(v *visit, cursor string) string {
	if cursor == "" {
		return ""
	}
	q := v.URL.Query()
	q.Set("cursor", cursor)
	return v.URL.Path + "?" + q.Encode()
}
