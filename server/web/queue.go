package web

import (
	"net/url"

	"github.com/runner-ci/runner/client"
)

func (s *Site) routeQueue() {
	s.page("GET /queue", s.queue)
	s.action("POST /queue/drain", s.drain)
	s.action("POST /triggers/{id}/approve", s.approve)
}

// queue is what the page of the queue shows.
type queue struct {
	client.Queue
	Who       client.Identity
	Elsewhere int // slots that jobs hold which the visitor may not see
}

func (s *Site) queue(v *visit) (*view, error) {
	q, err := s.Client.Queue(v.Context())
	if err != nil {
		return nil, err
	}
	return &view{
		Template: "queue", Title: "Queue", Crumbs: []crumb{{Text: "Queue"}}, Events: "/api/v1/events?after=" + url.QueryEscape(q.Moment), Every: 10,
		Data: queue{Queue: q, Who: v.who, Elsewhere: max(0, q.Used-len(q.Held))},
	}, nil
}

func (s *Site) drain(v *visit) (string, error) {
	_, err := s.Client.Drain(v.Context(), v.PostFormValue("on") == "true")
	return "/queue", err
}

// approve lets a pull request be built, for the commit that the page showed.
func (s *Site) approve(v *visit) (string, error) {
	commit := v.PostFormValue("commit")
	if commit == "" {
		return "", missing("the commit that is approved")
	}
	_, err := s.Client.Approve(v.Context(), v.PathValue("id"), commit)
	return "/queue", err
}

// mayAll tells whether somebody has a scope for each of some projects.
func mayAll(who client.Identity, scope string, projects []string) bool {
	for _, p := range projects {
		if !may(who, scope, p) {
			return false
		}
	}
	return len(projects) > 0
}
