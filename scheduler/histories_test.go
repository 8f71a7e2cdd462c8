package scheduler

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/config"
)

// stood stores a build that ended some hours ago, as a commit that watchers are told of.
func stood(t testing.TB, s *Scheduler, project, ref string, status Status, hours int) {
	t.Helper()
	at := time.Now().Add(-time.Duration(hours) * time.Hour)
	b := Build{Project: project, Ref: ref, Status: status, Created: at, Started: at, EndedAt: at.Add(time.Minute), Commit: fmt.Sprint(hours)}
	if err := s.db.Update(func(tx *bbolt.Tx) error { return newBuild(tx, &b) }); err != nil {
		t.Fatal(err)
	}
	s.hub.tell(b.ID())
}

func TestAHistoryKnowsSinceWhenABranchIsBroken(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"))
	cfg := config.Default()
	cfg.Projects = []config.Project{{Name: "api", URL: "https://example.com/api.git", Protected: []string{"main", "release/*"}}, {Name: "web", URL: "https://example.com/web.git"}}
	if err := s.Configure(cfg); err != nil {
		t.Fatal(err)
	}
	const main = "refs/heads/main"
	of := func(project string) History {
		all, err := s.Histories()
		if err != nil {
			t.Fatal(err)
		}
		return all[project]
	}
	if h := of("api"); len(h.Recent) > 0 || len(h.Broken) > 0 {
		t.Errorf("of nothing: %+v", h)
	}
	stood(t, s, "api", main, Failed, 90)
	stood(t, s, "api", main, Succeeded, 80)
	stood(t, s, "api", main, Failed, 70)
	stood(t, s, "api", main, Stopped, 65)
	stood(t, s, "api", main, TimedOut, 60)
	stood(t, s, "api", "refs/heads/release/1", Fault, 50)
	stood(t, s, "api", "refs/heads/release/0", Failed, 24*40)
	stood(t, s, "api", "refs/heads/releases", Failed, 30)
	stood(t, s, "api", "refs/pull/7/head", Failed, 3)
	stood(t, s, "api", "refs/pull/7/head", Failed, 2)
	stood(t, s, "api", "refs/pull/8/head", Failed, 2)
	stood(t, s, "api", "refs/pull/8/head", Succeeded, 1)
	stood(t, s, "api", "refs/runner/submit/1", Failed, 1)
	stood(t, s, "web", "refs/heads/master", Failed, 9)
	stood(t, s, "web", main, Succeeded, 8)
	var got []string
	for _, b := range of("api").Broken {
		got = append(got, fmt.Sprintf("%s %v since %s, now %s, unsure %v", b.Ref, b.Protected, b.First.Commit, b.Newest.Commit, b.Unsure))
	}
	want := []string{
		"refs/heads/main true since 70, now 60, unsure false",
		"refs/heads/release/1 true since 50, now 50, unsure true",
		"refs/pull/7/head false since 3, now 2, unsure false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("broken:\n%q\nwant\n%q", got, want)
	}
	if h := of("api"); h.Default.Commit != "60" || h.Typical != time.Minute || len(h.Recent) != 13 {
		t.Errorf("default %+v, typical %v, %d builds", h.Default, h.Typical, len(h.Recent))
	}
	if h := of("web"); len(h.Broken) > 0 || h.Default.Status != Succeeded {
		t.Errorf("a branch that is the default no more: %+v", h)
	}
	stood(t, s, "api", main, Succeeded, 0)
	if h := of("api"); h.Default.Status != Succeeded || h.Broken[0].Ref == main {
		t.Errorf("after it was mended: %+v", h.Broken)
	}
}

// BenchmarkHistories is what an overview costs among 300 projects and 100,000 builds, after one build has changed.
func BenchmarkHistories(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "state.db"))
	cfg := config.Default()
	const projects, builds = 300, 100_000
	for i := range projects {
		cfg.Projects = append(cfg.Projects, config.Project{Name: fmt.Sprint("p", i), URL: "https://example.com/x.git"})
	}
	if err := s.Configure(cfg); err != nil {
		b.Fatal(err)
	}
	for i := 0; i < builds; i += 10_000 {
		if err := s.db.Update(func(tx *bbolt.Tx) error {
			for k := range 10_000 {
				row := Build{Project: fmt.Sprint("p", k%projects), Status: Succeeded, Ref: "refs/heads/main", Phases: make([]Phase, 4), Created: time.Now()}
				if err := newBuild(tx, &row); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := s.Histories(); err != nil {
		b.Fatal(err)
	}
	b.Run("after-a-change", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.hub.tell("p7#1")
			if all, err := s.Histories(); err != nil || len(all) != projects {
				b.Fatal(len(all), err)
			}
		}
	})
	b.Run("of-all", func(b *testing.B) {
		for b.Loop() {
			s.hub.tell()
			if all, err := s.Histories(); err != nil || len(all) != projects {
				b.Fatal(len(all), err)
			}
		}
	})
}
