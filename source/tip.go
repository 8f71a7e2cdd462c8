package source

import "context"

// Tip has a remote tell what one of its refs points to, which may be a tag. Nothing is fetched, and nothing kept.
func (s *Store) Tip(ctx context.Context, r Remote, ref string) (string, error) {
	l, err := locate(r.URL)
	if err != nil {
		return "", err
	}
	res, err := s.do(ctx, &request{Op: "ask", URL: l.String(), Remote: &r, Ref: ref})
	if err != nil {
		return "", err
	}
	return res.IDs[0], nil
}

// tip answers with what one ref points to.
func tip(ref string, adv *advert, l location) (*response, error) {
	f := fetching{req: &request{Want: Want{Ref: ref}}, loc: l}
	id, err := f.target(adv)
	if err != nil {
		return nil, err
	}
	return &response{IDs: []string{id.String()}}, nil
}
