package scheduler

import (
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
)

// TestABuildsOwnPushIsKnown while the build runs by the tag, and afterwards by the digest that it recorded.
func TestABuildsOwnPushIsKnown(t *testing.T) {
	cfg := config.Default()
	p := config.Project{Name: "api", URL: "https://example.com/api.git", Branch: "main", Push: map[string]string{"registry.example.com": "", "docker.io": ""}}
	p.Fill()
	cfg.Projects = []config.Project{p}
	s := openWith(t, statePath(t), cfg)
	s.runner = &runner.Runner{}
	asks := func(when string, want bool, image PushedImage) {
		t.Helper()
		got, err := s.PushedBy("api", image, time.Now())
		if err != nil || (got == "api#1") != want || !want && got != "" {
			t.Errorf("%s, %+v is pushed by %q, %v", when, image, got, err)
		}
	}
	const web, one, two = "registry.example.com/team/web", "sha256:1", "sha256:2"
	b := queuedIn(t, s, buildspec.Plan{Jobs: []buildspec.Job{{ID: "make", Name: "make", Images: []buildspec.Image{
		{Name: "web", Push: web, Tags: []string{"{branch}"}}, {Name: "hub", Push: "team/app", Tags: []string{"{branch}"}},
	}}}}, map[string]runner.Image{config.DefaultBuilder: {ID: "sha256:1"}})
	trust := func(is bool) {
		err := s.db.Update(func(tx *bbolt.Tx) error {
			row, err := s.load(tx, buildKey("api", b.Number))
			if err != nil {
				return err
			}
			row.Trusted = is
			return putBuild(tx, row)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	trust(true)
	asks("before it runs", false, PushedImage{Name: web, Tag: "main", Digest: one})
	e, l := take(t, s)
	asks("while it runs", true, PushedImage{Name: web, Tag: "main", Digest: one})
	asks("while it runs", true, PushedImage{Name: "docker.io/team/app", Tag: "main"})
	asks("while it runs", false, PushedImage{Name: web, Tag: "v1", Digest: one})
	asks("while it runs", false, PushedImage{Name: "registry.example.com/team/base", Tag: "main", Digest: one})
	trust(false)
	asks("of one that pushes nothing", false, PushedImage{Name: web, Tag: "main", Digest: one})
	trust(true)
	res := green
	res.Images = []runner.BuiltImage{
		{Name: "web", Repository: web, Tags: []string{"main"}, Digest: one, Pushed: true}, {Name: "hub", Repository: "team/app", Digest: two},
	}
	if err := s.finish(e, l.attempt.Token, res); err != nil {
		t.Fatal(err)
	}
	asks("after it", true, PushedImage{Name: web, Tag: "another", Digest: one})
	asks("after it", false, PushedImage{Name: web, Tag: "main", Digest: two})
	asks("after it", false, PushedImage{Name: "docker.io/team/app", Tag: "main", Digest: two}) // it was not pushed
	asks("soon after it", true, PushedImage{Name: web, Tag: "main"})
	if got, err := s.PushedBy("api", PushedImage{Name: web, Tag: "main"}, time.Now().Add(2*pushToldWithin)); got != "" || err != nil {
		t.Errorf("long after it, a push without a digest is said to be that of %s, %v", got, err)
	}
	delete(s.config().Projects[0].Push, "registry.example.com")
	asks("where the project may not push", false, PushedImage{Name: web, Tag: "main", Digest: one})
}
