package web

import "github.com/runner-ci/runner/client"

func (s *Site) routeHome() {
	s.page("GET /{$}", s.home)
}

// home is what the first page shows.
type home struct {
	Builds []client.Build
}

func (s *Site) home(v *visit) (*view, error) {
	page, err := s.Client.Builds(v.Context(), client.ListOptions{Limit: 50})
	if err != nil {
		return nil, err
	}
	return &view{Template: "home", Title: "Home", Data: home{Builds: page.Items}}, nil
}
