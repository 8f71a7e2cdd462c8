package scheduler

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/config"
)

// grouped opens a scheduler with two projects that name one concurrency group.
func grouped(t *testing.T, path string, limit int) *Scheduler {
	t.Helper()
	cfg := *config.Default()
	for _, name := range []string{"api", "web"} {
		p := config.Project{
			Name: name, URL: "https://example.com/" + name + ".git", Branch: "main",
			Concurrency: config.Concurrency{Group: "deploy-{branch}", Limit: limit},
		}
		p.Fill()
		cfg.Projects = append(cfg.Projects, p)
	}
	return openWith(t, path, &cfg)
}

// deploy is a push to a protected branch of a project.
func deploy(project string) Trigger {
	tr := pushTo("refs/heads/main", "c0ffee")
	tr.Projects = []string{project}
	return tr
}

// whyOf is what the first job of a build waits for.
func whyOf(t *testing.T, s *Scheduler, id string) string {
	t.Helper()
	jobs, err := s.Jobs(id)
	if err != nil {
		t.Fatal(err)
	}
	return string(jobs[0].State) + ": " + jobs[0].Why
}

// finishNext runs the next job that has a slot to its end, and tells whose it was.
func finishNext(t *testing.T, s *Scheduler) string {
	t.Helper()
	e, l := take(t, s)
	if err := s.finish(e, l.attempt.Token, green); err != nil {
		t.Fatal(err)
	}
	return e.build
}

func TestBuildsOfAGroupGoOneAfterTheOther(t *testing.T) {
	path := statePath(t)
	s := grouped(t, path, 1)
	first := enter(t, s, build(t, s, deploy("api")), 1)
	second := enter(t, s, build(t, s, deploy("web")), 2)
	third := enter(t, s, build(t, s, deploy("api")), 1)
	feature := pushTo("refs/heads/fast", "c0ffee")
	free := enter(t, s, build(t, s, feature), 1) // another branch, another group
	if first.Group != "deploy-main" || free.Group != "deploy-fast" {
		t.Errorf("groups %q and %q", first.Group, free.Group)
	}
	for id, want := range map[string]string{
		first.ID():  "queued: waits for a slot",
		second.ID(): "blocked: waits for api#1, which holds concurrency group deploy-main",
		third.ID():  "blocked: waits for api#1, which holds concurrency group deploy-main, and for 1 more",
		free.ID():   "queued: waits for a slot",
	} {
		if got := whyOf(t, s, id); got != want {
			t.Errorf("%s is %q, want %q", id, got, want)
		}
	}
	// A daemon that dies meanwhile leaves all of it in the rows.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = grouped(t, path, 1)
	if _, err := s.recover(); err != nil {
		t.Fatal(err)
	}
	var order []string
	for range 5 {
		order = append(order, finishNext(t, s))
		if b := mustBuild(t, s, second.ID()); slices.Contains(order, third.ID()) && b.Status != Succeeded {
			t.Errorf("%s runs, and %s before it is %s", third.ID(), second.ID(), b.Status)
		}
	}
	order = slices.DeleteFunc(order, func(id string) bool { return id == free.ID() })
	if want := []string{first.ID(), second.ID(), second.ID(), third.ID()}; !slices.Equal(order, want) {
		t.Errorf("jobs ran of %v, want %v", order, want)
	}
	sound(t, s, path)
}

func TestAPlaceIsPassedOnHoweverABuildEnds(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *Scheduler, Build){
		"it fails": func(t *testing.T, s *Scheduler, b Build) {
			e, l := take(t, s)
			if err := s.finish(e, l.attempt.Token, red); err != nil {
				t.Fatal(err)
			}
		},
		"it is stopped": func(t *testing.T, s *Scheduler, b Build) {
			if _, err := s.Stop(t.Context(), b.ID(), "ada"); err != nil {
				t.Fatal(err)
			}
		},
		"it waits too long for a slot": func(t *testing.T, s *Scheduler, b Build) {
			e := s.queue.get(b.ID(), "BuildFanoutShard1")
			if err := s.endQueued(e, TimedOut, "queue_timeout", "no slot"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := statePath(t)
			s := grouped(t, path, 1)
			first := enter(t, s, build(t, s, deploy("api")), 1)
			second := enter(t, s, build(t, s, deploy("web")), 1)
			end(t, s, first)
			if got := whyOf(t, s, second.ID()); got != "queued: waits for a slot" {
				t.Errorf("the next is %q", got)
			}
			if got := finishNext(t, s); got != second.ID() {
				t.Errorf("the next slot went to %s", got)
			}
			sound(t, s, path)
		})
	}
}

func TestTheTurnIsKeptWhilePlanning(t *testing.T) {
	path := statePath(t)
	s := grouped(t, path, 1)
	slow := build(t, s, deploy("api"))
	quick := enter(t, s, build(t, s, deploy("web")), 1)
	if got, want := whyOf(t, s, quick.ID()), "blocked: waits for api#1, which came before it in concurrency group deploy-main"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if err := s.failBuild(slow, &planFailure{status: Failed, reason: "buildspec", message: "line 1"}); err != nil {
		t.Fatal(err)
	}
	if got := finishNext(t, s); got != quick.ID() {
		t.Errorf("the slot went to %s", got)
	}
	// One that waits and is stopped, or superseded, leaves the line.
	holder := enter(t, s, build(t, s, deploy("api")), 1)
	waits := enter(t, s, build(t, s, deploy("web")), 1)
	if _, err := s.Stop(t.Context(), waits.ID(), "ada"); err != nil {
		t.Fatal(err)
	}
	if b := mustBuild(t, s, waits.ID()); b.Status != Stopped {
		t.Errorf("it is %s", b.Status)
	}
	if got := finishNext(t, s); got != holder.ID() {
		t.Errorf("the slot went to %s", got)
	}
	sound(t, s, path)
}

// TestAPlaceThatIsGivenBeforeTheJobsAreInThePicture: a build's plan is committed, and before its jobs are in the queue the
// build before it ends.
func TestAPlaceThatIsGivenBeforeTheJobsAreInThePicture(t *testing.T) {
	s := grouped(t, statePath(t), 1)
	first := enter(t, s, build(t, s, deploy("api")), 1)
	second := enter(t, s, build(t, s, deploy("web")), 1)
	jobs, err := s.Jobs(second.ID())
	if err != nil {
		t.Fatal(err)
	}
	s.queue.remove(entryKey(second.ID(), jobs[0].ID)) // it is not there yet
	if got := finishNext(t, s); got != first.ID() {
		t.Fatalf("the slot went to %s", got)
	}
	s.enqueue(&second, jobs) // as they were when they were committed
	s.catchUp(&second)
	if got := finishNext(t, s); got != second.ID() {
		t.Errorf("the slot went to %s", got)
	}
}

func TestABuildThatLearnsItsBranchJoinsThen(t *testing.T) {
	path := statePath(t)
	cfg := *config.Default()
	p := config.Project{Name: "api", URL: "https://example.com/api.git", Concurrency: config.Concurrency{Group: "deploy-{branch}"}}
	p.Fill()
	cfg.Projects = []config.Project{p}
	s := openWith(t, path, &cfg)
	b := build(t, s, Trigger{Kind: KindManual, Projects: []string{"api"}})
	if b.Group != "" {
		t.Errorf("it is in group %q, and nobody knows its branch", b.Group)
	}
	b.Ref = "refs/heads/trunk"
	joinGroup(&Project{Project: p}, &b)
	b = enter(t, s, b, 1)
	if got := mustBuild(t, s, b.ID()); got.Group != "deploy-trunk" || !got.Holds {
		t.Errorf("it is in group %q, with a place: %t", got.Group, got.Holds)
	}
	sound(t, s, path)
}

// TestGroupsKeepTheirLimit lets builds come, be planned, run, fail and be stopped at random, with restarts in between. There
// are never more of a group at once than may be, none is forgotten, and where one may run they begin in the order of their numbers.
func TestGroupsKeepTheirLimit(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			limit := 1 + int(seed%3)
			path := statePath(t)
			s := grouped(t, path, limit)
			var planning []Build
			var held []*entry
			begun := map[string]bool{}
			var last uint64
			for range 120 {
				switch n := r.IntN(10); {
				case n < 3:
					planning = append(planning, build(t, s, deploy([]string{"api", "web"}[r.IntN(2)])))
				case n < 6 && len(planning) > 0:
					i := r.IntN(len(planning))
					if r.IntN(4) == 0 {
						if err := s.failBuild(planning[i], &planFailure{status: Failed, reason: "buildspec"}); err != nil {
							t.Fatal(err)
						}
					} else {
						enter(t, s, planning[i], 1+r.IntN(3))
					}
					planning = slices.Delete(planning, i, i+1)
				case n < 8 && s.queue.waiting > 0:
					e, l := take(t, s)
					if limit == 1 && !begun[e.build] && l.build.Seq < last {
						t.Errorf("%s begins after one with a higher number", e.build)
					}
					begun[e.build], last = true, max(last, l.build.Seq)
					held = append(held, e)
				case n < 9 && len(held) > 0:
					i := r.IntN(len(held))
					l, err := s.held(held[i])
					if err != nil {
						t.Fatal(err)
					}
					if err := s.finish(held[i], l.attempt.Token, red); err != nil {
						t.Fatal(err)
					}
					held = slices.Delete(held, i, i+1)
				case n == 9:
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					s = grouped(t, path, limit)
					unplanned, err := s.recover()
					if err != nil || len(unplanned) != len(planning) {
						t.Fatalf("%d builds have no plan, want %d (%v)", len(unplanned), len(planning), err)
					}
					planning, held = unplanned, s.leases()
				}
				running := map[string]bool{}
				for _, e := range s.leases() {
					running[e.build] = true
				}
				if len(running) > limit {
					t.Fatalf("%d builds of the group run at once, and %d may", len(running), limit)
				}
			}
			for len(planning) > 0 {
				enter(t, s, planning[0], 1)
				planning = planning[1:]
			}
			for _, e := range held {
				l, err := s.held(e)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.finish(e, l.attempt.Token, green); err != nil {
					t.Fatal(err)
				}
			}
			for s.queue.waiting > 0 {
				finishNext(t, s)
			}
			builds, _, err := s.Builds(Filter{Status: InProgress}, "", 100)
			if err != nil || len(builds) != 0 {
				t.Errorf("%d builds were forgotten, %v", len(builds), err)
			}
			sound(t, s, path)
		})
	}
}

func TestNamesOfGroups(t *testing.T) {
	for ref, want := range map[string]string{
		"refs/heads/main": "api-main", "refs/heads/a/b": "api-a/b", "refs/tags/v1.2": "api-v1.2", "refs/pull/7/head": "api-pull/7",
		"refs/merge-requests/7/head": "api-merge-requests/7",
	} {
		if got, ok := (config.Concurrency{Group: "{project}-{branch}"}).Name("api", ref); got != want || !ok {
			t.Errorf("%s: %q, want %q", ref, got, want)
		}
	}
	if _, ok := (config.Concurrency{Group: "{branch}"}).Name("api", ""); ok {
		t.Error("a group has the name of a branch that is not known")
	}
	w := &GroupWait{Group: "deploy", Before: "secret#1", Holds: true}
	if got := w.For("a build of another project"); strings.Contains(got, "secret") {
		t.Errorf("%q", got)
	}
}
