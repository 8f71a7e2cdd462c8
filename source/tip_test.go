package source

import "testing"

func TestTipIsWhatARefPointsTo(t *testing.T) {
	r, _, remote := served(t)
	head := r.git("rev-parse", "HEAD")
	r.git("update-ref", "refs/pull/7/head", "HEAD~1")
	s := open(t)
	for ref, want := range map[string]string{"refs/heads/main": head, "refs/pull/7/head": r.git("rev-parse", "HEAD~1")} {
		if got, err := s.Tip(t.Context(), remote, ref); err != nil || got != want {
			t.Errorf("Tip of %s = %s, %v; want %s", ref, got, err, want)
		}
	}
	_, err := s.Tip(t.Context(), remote, "refs/pull/8/head")
	if kindOf(t, err) != KindUnknownRef {
		t.Errorf("Tip of a ref that is not there: %v", err)
	}
	if offer, err := s.Ask(t.Context(), remote); err != nil || offer.Branch != "main" {
		t.Errorf("Ask = %+v, %v", offer, err)
	}
}
