package web

import "github.com/runner-ci/runner/client"

func (s *Site) routeStatus() {
	s.page("GET /status", s.status)
}

// status is what the daemon does right now.
type status struct {
	client.Status
	Used   int
	Failed []client.Task // whose last try failed
}

func (s *Site) status(v *visit) (*view, error) {
	st, err := s.Client.Status(v.Context())
	if err != nil {
		return nil, err
	}
	data := status{Status: st, Used: len(st.Running)}
	for _, t := range st.Tasks {
		if t.Error != "" {
			data.Failed = append(data.Failed, t)
		}
	}
	shown := &view{Template: "status", Title: "Status", Crumbs: []crumb{{Text: "Status"}}, Data: data, Events: "/api/v1/events", Every: 2}
	for _, e := range st.Engines {
		if !e.Up {
			shown.Icon = "bad"
		}
	}
	return shown, nil
}
