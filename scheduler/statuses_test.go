package scheduler

import (
	"errors"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/outbox"
)

// telling is a scheduler whose project has a token, and other settings.
func telling(t *testing.T, path string, change func(*config.Project)) *Scheduler {
	t.Helper()
	s := open(t, path)
	cfg := *s.config()
	cfg.Projects = slices.Clone(cfg.Projects)
	cfg.Projects[0].Token = "env:TOKEN"
	if change != nil {
		change(&cfg.Projects[0])
	}
	if err := s.Configure(&cfg); err != nil {
		t.Fatal(err)
	}
	return s
}

// inOutbox are the items of a kind that wait in the outbox.
func inOutbox(t *testing.T, s *Scheduler, kind string) (items []outbox.Item) {
	t.Helper()
	some, _, err := s.Outbox().Waiting(1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range some {
		if w.Kind == kind {
			items = append(items, w.Item)
		}
	}
	return items
}

// statusDue is what is to be told of commit c0ffee, nil where that is nothing.
func statusDue(t *testing.T, s *Scheduler) *StatusDue {
	t.Helper()
	items := inOutbox(t, s, ItemStatus)
	if len(items) == 0 {
		return nil
	}
	if len(items) > 1 {
		t.Fatalf("%d statuses are due, want one: %+v", len(items), items)
	}
	due, err := s.StatusDue(outbox.Item{Body: []byte(`{"project":"api","commit":"c0ffee","context":"runner/api"}`)})
	if err != nil {
		t.Fatal(err)
	}
	return due
}

// emptied has nothing wait in the outbox any more, as if all of it was sent.
func emptied(t *testing.T, s *Scheduler) {
	t.Helper()
	err := s.db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("outbox")) })
	if err == nil {
		s.outbox, err = outbox.Open(s.db, outbox.Options{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestEachStageOfABuildIsToldOnce: a status is due when a build is made, planned, begun and over, and not in between.
func TestEachStageOfABuildIsToldOnce(t *testing.T) {
	s := telling(t, statePath(t), nil)
	tr := accept(t, s, Trigger{Kind: KindPush, Projects: []string{"api"}, Ref: "refs/heads/main", Commit: "c0ffee", Delivery: "github/1"})
	builds, err := s.planTrigger(&tr)
	if err != nil {
		t.Fatal(err)
	}
	due := statusDue(t, s)
	if due == nil || due.Build.ID() != "api#1" || due.Trigger.Delivery != "github/1" || due.Context != "runner/api" {
		t.Fatalf("due is %+v, want the new build", due)
	}
	emptied(t, s)
	plan := fanout(2, false)
	b := builds[0]
	b.Plan = &plan
	if err := s.queueBuild(t.Context(), b, newJobs(&b)); err != nil {
		t.Fatal(err)
	}
	if statusDue(t, s) == nil {
		t.Error("that it is queued is not due")
	}
	emptied(t, s)
	first, one := take(t, s)
	if statusDue(t, s) == nil {
		t.Error("that it runs is not due")
	}
	emptied(t, s)
	s.TestsChanged("api#1")
	if statusDue(t, s) == nil {
		t.Error("that a test has failed is not due")
	}
	emptied(t, s)
	second, two := take(t, s)
	if err := s.finish(first, one.attempt.Token, green); err != nil {
		t.Fatal(err)
	}
	if due := statusDue(t, s); due != nil {
		t.Errorf("one of two jobs is no news: %+v", due)
	}
	if err := s.finish(second, two.attempt.Token, green); err != nil {
		t.Fatal(err)
	}
	if due := statusDue(t, s); due == nil || due.Build.Status != Succeeded {
		t.Errorf("due is %+v, want its end", due)
	}
}

func TestEachJobIsToldWhereThatIsWanted(t *testing.T) {
	s := telling(t, statePath(t), func(p *config.Project) { p.Status.Per = config.StatusPerJob })
	queued(t, s, fanout(2, false))
	emptied(t, s)
	e, l := take(t, s)
	emptied(t, s)
	if err := s.finish(e, l.attempt.Token, green); err != nil {
		t.Fatal(err)
	}
	if statusDue(t, s) == nil {
		t.Error("the end of a job is not due")
	}
}

// TestTheNewestBuildOfACommitSpeaks: an older one that ends later is not told.
func TestTheNewestBuildOfACommitSpeaks(t *testing.T) {
	path := statePath(t)
	s := telling(t, path, nil)
	queued(t, s, fanout(1, false))
	first, one := take(t, s)
	queued(t, s, fanout(1, false))
	second, two := take(t, s)
	if err := s.finish(second, two.attempt.Token, green); err != nil {
		t.Fatal(err)
	}
	due := statusDue(t, s)
	if err := s.StatusTold(due, "runner/api", "success"); err != nil {
		t.Fatal(err)
	}
	emptied(t, s)
	if err := s.finish(first, one.attempt.Token, red); err != nil {
		t.Fatal(err)
	}
	if due := statusDue(t, s); due != nil {
		t.Errorf("the older build is told: %+v", due.Build)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = telling(t, path, nil)
	if _, b := retryOf(t, s, "api#1", false); b.Tells != "push" {
		t.Errorf("the retry tells %q", b.Tells)
	}
	if due = statusDue(t, s); due == nil || due.Build.ID() != "api#3" || due.Told["runner/api"] != "success" {
		t.Errorf("due is %+v, want the retry, and what was told last", due)
	}
}

func TestWhatProvesNothingIsNotTold(t *testing.T) {
	push := Trigger{Kind: KindPush, Projects: []string{"api"}, Ref: "refs/heads/main", Commit: "c0ffee"}
	image, env, debug, submit, registry := push, push, push, push, push
	registry.Kind, registry.Image = KindRegistry, &PushedImage{Registry: "harbor", Name: "h.example.com/team/base", Tag: "v1"}
	image.Kind, image.Override.Image = KindManual, "other"
	env.Kind, env.Override.Env = KindManual, map[string]string{"SKIP": "1"}
	debug.Kind, debug.Override.Debug = KindManual, true
	submit.Kind, submit.Ref = KindSubmit, "refs/runner/submit/1"
	plain := push
	plain.Kind, plain.Override.Env = KindManual, map[string]string{}
	for name, c := range map[string]struct {
		asks   Trigger
		change func(*config.Project)
		tells  bool
	}{
		"a push": {push, nil, true}, "by hand": {plain, nil, true},
		"another image": {image, nil, false}, "other variables": {env, nil, false}, "a breakpoint": {debug, nil, false}, "a submit": {submit, nil, false},
		"a pushed image":  {registry, nil, false},
		"switched off":    {push, func(p *config.Project) { p.Status.Per = config.StatusOff }, false},
		"without a token": {push, func(p *config.Project) { p.Token = "" }, false},
		"the API's token": {push, func(p *config.Project) { p.Token, p.ForgeToken = "", "env:TOKEN" }, true},
	} {
		s := telling(t, statePath(t), c.change)
		tr := accept(t, s, c.asks)
		builds, err := s.planTrigger(&tr)
		if err != nil || len(builds) != 1 {
			t.Fatalf("%s: %v, %v", name, builds, err)
		}
		if err := s.failBuild(builds[0], &planFailure{status: Failed, reason: "buildspec_missing"}); err != nil {
			t.Fatal(err)
		}
		if due := statusDue(t, s); (due != nil) != c.tells {
			t.Errorf("%s: due is %+v", name, due)
		}
	}
}

func TestAPullRequestThatWaitsIsPending(t *testing.T) {
	s := telling(t, statePath(t), nil)
	tr := accept(t, s, forkRequest("c0ffee"))
	if _, err := s.planTrigger(&tr); err != nil {
		t.Fatal(err)
	}
	due := statusDue(t, s)
	if due == nil || due.Build != nil || due.Word == nil || due.Word.Passed || due.Word.Trigger != tr.ID || due.Trigger.PullRequest != 7 {
		t.Fatalf("due is %+v, want that it waits", due)
	}
	if _, err := s.Approve(t.Context(), tr.ID, "", "ada"); err != nil {
		t.Fatal(err)
	}
	s.planTriggers(t.Context())
	if due = statusDue(t, s); due == nil || due.Build == nil || due.Word != nil {
		t.Errorf("due is %+v, want the build", due)
	}
}

// skipPassing says of commit c0ffee that a push of it has nothing to build, which passes a check.
func skipPassing(t *testing.T, s *Scheduler) {
	t.Helper()
	tr := accept(t, s, Trigger{Kind: KindPush, Projects: []string{"api"}, Ref: "refs/heads/main", Commit: "c0ffee", Skip: "no file below docs/ changed"})
	err := s.db.Update(func(tx *bbolt.Tx) error {
		p, err := s.projectIn(tx, "api")
		if err != nil {
			return err
		}
		return s.dueWord(tx, p, &tr, true, "skipped: "+tr.Skip)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestASkippedPushPassesNoRequestThatWaits: whoever pushes a commit that changes little, on top of one that changes much, opens
// a pull request with both of them, which somebody has to look at.
func TestASkippedPushPassesNoRequestThatWaits(t *testing.T) {
	s := telling(t, statePath(t), nil)
	tr := accept(t, s, forkRequest("c0ffee"))
	if _, err := s.planTrigger(&tr); err != nil {
		t.Fatal(err)
	}
	skipPassing(t, s)
	if due := statusDue(t, s); due == nil || due.Word == nil || due.Word.Passed || due.Word.Trigger != tr.ID {
		t.Errorf("due is %+v, want that the request waits", due)
	}
}

// TestNothingToBuildPassesACheck: but it takes no word from a build of the same commit.
func TestNothingToBuildPassesACheck(t *testing.T) {
	s := telling(t, statePath(t), nil)
	skip := func() { skipPassing(t, s) }
	skip()
	if due := statusDue(t, s); due == nil || due.Word == nil || !due.Word.Passed || due.Word.Text != "skipped: no file below docs/ changed" {
		t.Fatalf("due is %+v", due)
	}
	queued(t, s, fanout(1, false))
	emptied(t, s)
	skip()
	if due := statusDue(t, s); due != nil {
		t.Errorf("a skip speaks over a build: %+v", due)
	}
}

func TestWhatIsKnownOfForgottenBuildsGoes(t *testing.T) {
	path := statePath(t)
	s := telling(t, path, func(p *config.Project) { p.Comment = config.CommentAlways; p.Approval = config.ApproveNone })
	tr := accept(t, s, forkRequest("beef"))
	if _, err := s.planTrigger(&tr); err != nil {
		t.Fatal(err)
	}
	b := mustBuild(t, s, "api#1")
	if err := s.failBuild(b, &planFailure{status: Failed, reason: "buildspec_missing"}); err != nil {
		t.Fatal(err)
	}
	items := inOutbox(t, s, ItemComment)
	if len(items) != 1 {
		t.Fatalf("%d comments are due, want one", len(items))
	}
	body := outbox.Item{Body: []byte(`{"project":"api","number":7}`)}
	due, err := s.CommentDue(body)
	if err != nil || due.Build.ID() != "api#1" || due.ID != "" {
		t.Fatalf("due is %+v, %v", due, err)
	}
	if err := s.CommentWritten(due, "100"); err != nil {
		t.Fatal(err)
	}
	if due, err = s.CommentDue(body); err != nil || due.ID != "100" {
		t.Errorf("due is %+v, %v: want the comment's id", due, err)
	}
	ended(t, s)
	forget(t, s, Keep{Age: time.Hour}, time.Now().Add(1000*time.Hour))
	err = s.db.View(func(tx *bbolt.Tx) error {
		if n := tx.Bucket(bucketStatuses).Stats().KeyN + tx.Bucket(bucketComments).Stats().KeyN; n != 0 {
			t.Errorf("%d rows are left", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CommentDue(body); !errors.Is(err, ErrNotFound) {
		t.Errorf("a comment on a forgotten build: %v", err)
	}
}

// TestWhoMayHoldSecrets: what a build was given, or may have been, is in its reports perhaps.
func TestWhoMayHoldSecrets(t *testing.T) {
	for _, trusted := range []bool{true, false} {
		s, _, p, b, tr := secretBuild(t, trusted, func(*config.Project) {})
		if got := s.holdsSecrets(t.Context(), p, b, tr, &b.Plan.Jobs[0]); got != trusted {
			t.Errorf("trusted %t: holds secrets %t", trusted, got)
		}
	}
	plain := open(t, statePath(t))
	if b := queued(t, plain, buildspec.Plan{Jobs: []buildspec.Job{{ID: "build"}}}); plain.MayHoldSecrets(t.Context(), b.ID()) {
		t.Error("a build that names no secret holds some")
	}
	if !plain.MayHoldSecrets(t.Context(), "api#99") {
		t.Error("what is not known holds none")
	}
}

// TestAStrangersCommandBlocksNothing: a commit of which nothing was to be built has passed, and stays so while a command waits.
func TestAStrangersCommandBlocksNothing(t *testing.T) {
	s := telling(t, statePath(t), nil)
	request := accept(t, s, forkRequest("c0ffee"))
	tell := func(passed bool, tr Trigger) {
		t.Helper()
		err := s.db.Update(func(tx *bbolt.Tx) error {
			p, err := s.projectIn(tx, "api")
			if err != nil {
				return err
			}
			return s.dueWord(tx, p, &tr, passed, "said")
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	comment := request
	comment.Kind = KindComment
	for _, c := range []struct {
		tr           Trigger
		says, passed bool
	}{{comment, false, false}, {request, true, true}, {comment, false, true}, {request, false, false}} {
		tell(c.says, c.tr)
		if due := statusDue(t, s); due == nil || due.Word == nil || due.Word.Passed != c.passed {
			t.Errorf("after a %s that says passed: %v, due is %+v", c.tr.Kind, c.says, due)
		}
	}
}
