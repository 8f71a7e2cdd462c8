package secrets

import (
	"errors"
	"testing"
)

func TestAGrantTellsVersionsAndGroundsAndRecordsNothing(t *testing.T) {
	s := newPlace(t).open()
	set(t, s, "default", "api", "one")
	set(t, s, "branches", "api", "one", "release/*")
	main := Subject{Project: "api", Ref: "refs/heads/main", Trusted: true}
	release := Subject{Project: "api", Ref: "refs/heads/release/1"}
	for _, c := range []struct {
		secret               string
		who                  Subject
		trustedOnly, byTrust bool
	}{
		{"default", main, true, true},
		{"branches", main, false, true},
		{"branches", release, false, false},
		{"branches", Subject{Project: "api", Ref: "refs/heads/release/1", Trusted: true}, false, false},
	} {
		g, err := s.Grant(t.Context(), c.who, Ref{Name: c.secret})
		if err != nil || g.TrustedOnly != c.trustedOnly || g.ByTrust != c.byTrust {
			t.Errorf("%s to %+v: %+v (%v)", c.secret, c.who, g, err)
		}
	}
	for _, c := range []struct {
		secret string
		who    Subject
		want   error
	}{
		{"default", release, ErrForbidden},
		{"default", Subject{Project: "api", Fork: true}, ErrForbidden},
		{"missing", Subject{Project: "api", Fork: true}, ErrForbidden},
		{"missing", main, ErrNotFound},
		{"default", Subject{Project: "web", Trusted: true}, ErrNotFound},
		{"default:9", main, ErrNotFound},
	} {
		if g, err := s.Grant(t.Context(), c.who, Ref{Name: c.secret}); !errors.Is(err, c.want) {
			t.Errorf("%s to %+v: %+v (%v), want %v", c.secret, c.who, g, err, c.want)
		}
	}
	version := func() string {
		t.Helper()
		g, err := s.Grant(t.Context(), main, Ref{Name: "default"})
		if err != nil {
			t.Fatal(err)
		}
		return g.Version
	}
	before := version()
	if again := version(); again != before {
		t.Errorf("the version is %q, then %q", before, again)
	}
	set(t, s, "default", "api", "two")
	if version() == before {
		t.Error("a new version is called as the former one")
	}
	if err := s.Remove(t.Context(), "default", "api", "ada"); err != nil {
		t.Fatal(err)
	}
	set(t, s, "default", "api", "one")
	if version() == before {
		t.Error("a secret made anew has the version of the one that was removed")
	}
	events, _, err := s.Audit("", 100, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Action == ActionRead || e.Action == ActionDenied {
			t.Errorf("the audit log has %+v", e)
		}
	}
}
