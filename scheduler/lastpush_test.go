package scheduler

import (
	"testing"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
)

// TestTheLastPushIsTheNewestToTheSameRepository: an image that was not pushed, or went elsewhere, is none.
func TestTheLastPushIsTheNewestToTheSameRepository(t *testing.T) {
	s := open(t, statePath(t))
	s.runner = &runner.Runner{}
	for _, is := range []runner.BuiltImage{
		{Name: "web", Digest: "sha256:1", Repository: "r.example.com/web", Pushed: true},
		{Name: "web", Digest: "sha256:2", Repository: "r.example.com/web", Pushed: true},
		{Name: "web", Digest: "sha256:3", Repository: "other.example.com/web", Pushed: true},
		{Name: "web", Digest: "sha256:4"},
	} {
		queuedIn(t, s, buildspec.Plan{Jobs: []buildspec.Job{{ID: "make", Name: "make", Images: []buildspec.Image{{Name: "web"}}}}}, map[string]runner.Image{config.DefaultBuilder: {ID: "sha256:1"}})
		e, l := take(t, s)
		res := green
		res.Images = []runner.BuiltImage{is}
		if err := s.finish(e, l.attempt.Token, res); err != nil {
			t.Fatal(err)
		}
	}
	for at, want := range map[[3]string]string{
		{"api", "web", "r.example.com/web"}: "sha256:2", {"api", "web", "other.example.com/web"}: "sha256:3",
		{"api", "docs", "r.example.com/web"}: "", {"else", "web", "r.example.com/web"}: "",
	} {
		if got := s.lastPush(at[0], at[1], at[2]); got != want {
			t.Errorf("the last push of %v is %q, want %q", at, got, want)
		}
	}
}
