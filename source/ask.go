package source

import (
	"context"
	"strings"
)

// Offer is what a remote tells of itself before anything is fetched.
type Offer struct {
	Branch         string `json:"branch,omitempty"` // the default branch, without refs/heads/
	Branches, Tags int
}

// Ask has a remote tell what it offers, as git ls-remote does: it is there, and takes the credentials. Nothing is
// fetched, and nothing kept.
func (s *Store) Ask(ctx context.Context, r Remote) (Offer, error) {
	l, err := locate(r.URL)
	if err != nil {
		return Offer{}, err
	}
	res, err := s.do(ctx, &request{Op: "ask", URL: l.String(), Remote: &r})
	if err != nil {
		return Offer{}, err
	}
	return *res.Offer, nil
}

func ask(ctx context.Context, req *request) (*response, error) {
	l, err := locate(req.Remote.URL)
	if err != nil {
		return nil, err
	}
	conn, err := connect(req.Remote, l, req.Guarded)
	if err != nil {
		return nil, explain(err, l)
	}
	defer conn.close()
	adv, err := conn.advertise(ctx)
	if err != nil {
		return nil, explain(err, l)
	}
	if req.Ref != "" {
		return tip(req.Ref, adv, l)
	}
	offer := &Offer{Branch: strings.TrimPrefix(adv.head, "refs/heads/")}
	for name := range adv.refs {
		switch {
		case strings.HasPrefix(name, "refs/heads/"):
			offer.Branches++
		case strings.HasPrefix(name, "refs/tags/"):
			offer.Tags++
		}
	}
	return &response{Offer: offer}, nil
}
