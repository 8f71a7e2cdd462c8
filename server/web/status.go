package web

func (s *Site) routeStatus() {
	s.page("GET /status", s.status)
}

func (s *Site) status(v *visit) (*view, error) {
	st, err := s.Client.Status(v.Context())
	if err != nil {
		return nil, err
	}
	return &view{Template: "status", Title: "Status", Crumbs: []crumb{{Text: "Status"}}, Data: st}, nil
}
