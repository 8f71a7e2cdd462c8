package source

import (
	"context"
	"strings"
)

// Offer is what a remote tells of itself before anything is fetched.
type Offer struct {
	Branch         string `json:"branch,omitempty"` // the default branch, without refs/heads/
	Branches, Tags int
	// Tips are the commits of branches and tags by the full names of these; only Tips fills it in.
	Tips map[string]string `json:"tips,omitempty"`
}

// maxTips bounds the branches and tags that Tips takes in.
const maxTips = 100_000

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

// Tips is Ask with the commits that branches and tags are at, annotated tags peeled.
func (s *Store) Tips(ctx context.Context, r Remote) (map[string]string, error) {
	l, err := locate(r.URL)
	if err != nil {
		return nil, err
	}
	res, err := s.do(ctx, &request{Op: "ask", URL: l.String(), Remote: &r, Tips: true})
	if err != nil {
		return nil, err
	}
	return res.Offer.Tips, nil
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
	if req.Tips {
		if n := offer.Branches + offer.Tags; n > maxTips {
			return nil, fail(KindTooLarge, "set poll: off, and rely on webhooks", "%s has %d branches and tags, and at most %d are looked at", l, n, maxTips)
		}
		offer.Tips = adv.tips()
	}
	return &response{Offer: offer}, nil
}

// tips are the commits of branches and tags.
func (a *advert) tips() map[string]string {
	out := make(map[string]string)
	for name, id := range a.refs {
		if !strings.HasPrefix(name, "refs/heads/") && !strings.HasPrefix(name, "refs/tags/") {
			continue
		}
		if commit, ok := a.peeled[name]; ok {
			id = commit
		}
		out[name] = id.String()
	}
	return out
}
