package history

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/runner-ci/runner/tests"
)

// TestExpiredBuildsArePassedOver looks at which builds are asked about: none twice once it has gone, and none behind the first
// that is young.
func TestExpiredBuildsArePassedOver(t *testing.T) {
	s := open(t)
	for n := range 6 {
		for _, project := range []string{"api", "api-2"} {
			b := build(n + 1)
			b.Project = project
			take(t, s, b, 0, 1, named("fine", tests.Succeeded))
			if project == "api-2" && n == 1 {
				continue // it never ended
			}
			if err := s.Finish(project, n+1); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		upTo int
		want []string
	}{
		{2, []string{"api#1", "api#2", "api#3", "api-2#1", "api-2#2", "api-2#3"}},
		{4, []string{"api#3", "api#4", "api#5", "api-2#2", "api-2#3", "api-2#4", "api-2#5"}},
		{4, []string{"api#5", "api-2#2", "api-2#5"}},
	} {
		var asked []string
		err := s.Expire(func(b Build) bool {
			asked = append(asked, b.ID())
			return b.Number <= c.upTo
		})
		if err != nil || !slices.Equal(asked, c.want) {
			t.Errorf("up to %d it asked about %v (%v), want %v", c.upTo, asked, err, c.want)
		}
		for n := range 6 {
			for _, project := range []string{"api", "api-2"} {
				sum, err := s.Summary(project, n+1)
				ended := project != "api-2" || n != 1
				if want := ended && n+1 <= c.upTo; err != nil || sum.Expired != want {
					t.Errorf("up to %d, %s is expired: %t (%v), want %t", c.upTo, fmt.Sprint(project, "#", n+1), sum.Expired, err, want)
				}
			}
		}
	}
}

// TestABuildIsForgotten looks at what is left of one: its results in the history of each test.
func TestABuildIsForgotten(t *testing.T) {
	s := open(t)
	for n := range 3 {
		take(t, s, build(n+1), 0, 1, named("fine", tests.Succeeded))
		if err := s.Finish("api", n+1); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // doing it twice is doing it once
		if err := s.Forget("api", 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Summary("api", 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("the build that was forgotten: %v", err)
	}
	if _, err := s.Summary("api", 2); err != nil {
		t.Errorf("its neighbour: %v", err)
	}
	trends, _, err := s.Ranked("api", Order{By: Slowest}, 0, 10)
	if err != nil || len(trends) != 1 {
		t.Fatalf("%v, %v", trends, err)
	}
	results, err := s.Test("api", trends[0].ID)
	if err != nil || len(results) != 3 {
		t.Errorf("the history of its test has %d results (%v), want 3", len(results), err)
	}
}
