package scheduler

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/config"
)

const (
	lookedURL = "https://example.com/api.git"
	mainRef   = "refs/heads/main"
)

func commitNo(n int) string { return fmt.Sprintf("%040x", n) }

// remoteAt looks at a remote whose refs are written ref=number of a commit.
func remoteAt(t *testing.T, s *Scheduler, refs ...string) (made int) {
	t.Helper()
	l, err := s.BeginLook([]string{"api"}, lookedURL)
	if err != nil {
		t.Fatal(err)
	}
	if made, err = s.EndLook(t.Context(), l, refsAt(refs...)); err != nil {
		t.Fatal(err)
	}
	return made
}

func refsAt(refs ...string) map[string]string {
	seen := make(map[string]string)
	for _, r := range refs {
		name, n, _ := strings.Cut(r, "=")
		var number int
		_, _ = fmt.Sscan(n, &number)
		if !strings.HasPrefix(name, "refs/") {
			name = "refs/heads/" + name
		}
		seen[name] = commitNo(number)
	}
	return seen
}

// push is a webhook's trigger.
func push(ref string, before, after int) Trigger {
	t := Trigger{Kind: KindPush, Projects: []string{"api"}, Ref: "refs/heads/" + ref, Commit: commitNo(after), Before: commitNo(before)}
	t.Delivery = fmt.Sprintf("github/%s/%d/%d", ref, before, after)
	if after == 0 {
		t.Commit, t.Skip = "", "branch deleted"
	}
	return t
}

// told are the triggers so far, oldest first, as ref=commit with * for those that a look made.
func told(t *testing.T, s *Scheduler) (out []string) {
	t.Helper()
	page, _, err := s.Triggers("", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, tr := range slices.Backward(page) {
		mark := ""
		if tr.polled() {
			mark = "*"
		}
		out = append(out, mark+strings.TrimPrefix(tr.Ref, "refs/heads/")+"="+strings.TrimLeft(tr.Commit, "0"))
	}
	return out
}

// TestWhatALookTellsAndWhatAWebhookTold goes through stories of pushes, of which some webhooks are late or lost. A step is a
// look ("? main=1 dev=2"), or a webhook ("! main 1 2": main went from 1 to 2).
func TestWhatALookTellsAndWhatAWebhookTold(t *testing.T) {
	for name, c := range map[string]struct{ steps, want []string }{
		"the first look builds nothing":          {[]string{"? main=1 dev=2"}, nil},
		"nothing moved":                          {[]string{"? main=1", "? main=1"}, nil},
		"a lost webhook":                         {[]string{"? main=1", "? main=2", "? main=2"}, []string{"*main=2"}},
		"a new branch and a new tag":             {[]string{"? main=1", "? main=1 dev=2 refs/tags/v1=1"}, []string{"*dev=2", "*refs/tags/v1=1"}},
		"a webhook that came":                    {[]string{"? main=1", "! main 1 2", "? main=2"}, []string{"main=2"}},
		"a webhook that comes late":              {[]string{"? main=1", "? main=2", "! main 1 2", "? main=2"}, []string{"*main=2"}},
		"two late ones, of which one was seen":   {[]string{"? main=1", "? main=3", "! main 1 2", "! main 2 3", "? main=3"}, []string{"*main=3", "main=2"}},
		"two that came in the wrong order":       {[]string{"? main=1", "! main 2 3", "! main 1 2", "? main=3"}, []string{"main=3", "main=2"}},
		"one lost among those that came":         {[]string{"? main=1", "! main 1 2", "? main=3", "! main 3 4", "? main=4"}, []string{"main=2", "*main=3", "main=4"}},
		"back to where it was, by webhooks":      {[]string{"? main=1", "! main 1 2", "? main=2", "! main 2 1", "? main=1"}, []string{"main=2", "main=1"}},
		"back to where it was, all lost":         {[]string{"? main=1", "? main=2", "? main=1", "? main=2"}, []string{"*main=2", "*main=1", "*main=2"}},
		"back to what a look built":              {[]string{"? main=1", "? main=2", "! main 2 3", "! main 3 2", "? main=2"}, []string{"*main=2", "main=3", "main=2"}},
		"a branch that is gone and comes again":  {[]string{"? main=1 dev=2", "? main=1", "? main=1 dev=2"}, []string{"*dev=2"}},
		"a deletion that a webhook told":         {[]string{"? main=1 dev=2", "! dev 2 0", "? main=1", "? main=1 dev=2"}, []string{"dev=", "*dev=2"}},
		"a branch that came and went unseen":     {[]string{"? main=1", "! dev 0 2", "? main=1", "? main=1"}, []string{"dev=2"}},
		"more pushes between looks than is kept": {append(append([]string{"? main=1"}, manyPushes(2, 40)...), "? main=40"), manyTold(2, 40)},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, statePath(t))
			for _, step := range c.steps {
				words := strings.Fields(step)
				if words[0] == "?" {
					remoteAt(t, s, words[1:]...)
					continue
				}
				var before, after int
				_, _ = fmt.Sscan(words[2]+" "+words[3], &before, &after)
				if _, _, err := s.Accept(t.Context(), push(words[1], before, after)); err != nil {
					t.Fatal(err)
				}
			}
			if got := told(t, s); !slices.Equal(got, c.want) {
				t.Errorf("%v became %v, want %v", c.steps, got, c.want)
			}
		})
	}
}

func manyPushes(from, to int) (out []string) {
	for n := from; n <= to; n++ {
		out = append(out, fmt.Sprintf("! main %d %d", n-1, n))
	}
	return out
}

func manyTold(from, to int) (out []string) {
	for n := from; n <= to; n++ {
		out = append(out, fmt.Sprintf("main=%x", n))
	}
	return out
}

func TestALateWebhookIsAnsweredWithTheLooksTrigger(t *testing.T) {
	s := open(t, statePath(t))
	remoteAt(t, s, "main=1")
	remoteAt(t, s, "main=2")
	page, _, err := s.Triggers("", "", 1)
	if err != nil || len(page) != 1 {
		t.Fatal(page, err)
	}
	polled := page[0]
	if polled.Before != commitNo(1) || polled.Event != "PUSH" || !strings.HasPrefix(polled.Delivery, "poll/") {
		t.Errorf("the look's trigger is %+v", polled)
	}
	for range 2 { // it is delivered twice
		got, created, err := s.Accept(t.Context(), push("main", 1, 2))
		if err != nil || created || got.ID != polled.ID {
			t.Errorf("the webhook became %s (made: %t, %v), want %s", got.ID, created, err, polled.ID)
		}
	}
	if n := deliveries(t, s); n != 2 {
		t.Errorf("%d deliveries are known, want the look's and the webhook's", n)
	}
	other := push("main", 1, 2)
	other.Delivery = "github/another-event"
	if got, created, err := s.Accept(t.Context(), other); err != nil || !created {
		t.Errorf("one look's trigger swallowed two webhooks: %+v, %v", got, err)
	}
}

func TestWhatWebhooksTellWhileTheRemoteIsAskedIsNewerThanTheAnswer(t *testing.T) {
	s := open(t, statePath(t))
	remoteAt(t, s, "main=1", "dev=1")
	l, err := s.BeginLook([]string{"api"}, lookedURL)
	if err != nil {
		t.Fatal(err)
	}
	accept(t, s, push("main", 1, 2))
	accept(t, s, push("new", 0, 3))
	if made, err := s.EndLook(t.Context(), l, refsAt("main=1", "dev=4")); err != nil || made != 1 {
		t.Errorf("the look made %d triggers, %v; want that of dev alone", made, err)
	}
	if made := remoteAt(t, s, "main=2", "dev=4", "new=3"); made != 0 {
		t.Errorf("the next look made %d triggers of what was told", made)
	}
}

func TestWhatIsToldDuringTheFirstLookIsKnown(t *testing.T) {
	s := open(t, statePath(t))
	l, err := s.BeginLook([]string{"api"}, lookedURL)
	if err != nil {
		t.Fatal(err)
	}
	accept(t, s, push("main", 1, 2))
	if _, err := s.EndLook(t.Context(), l, refsAt("main=1")); err != nil {
		t.Fatal(err)
	}
	if made := remoteAt(t, s, "main=2"); made != 0 {
		t.Errorf("what a webhook told during the first look was built again")
	}
}

func TestALookThatIsCutShortIsTakenUpAgain(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	remoteAt(t, s, "main=1")
	l, err := s.BeginLook([]string{"api"}, lookedURL)
	if err != nil {
		t.Fatal(err)
	}
	seen := refsAt("main=2", "a=3", "b=4")
	if n, err := s.acceptMoved(t.Context(), l, "refs/heads/a", seen["refs/heads/a"], []string{"api"}); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if err := s.Close(); err != nil { // as if it had died here
		t.Fatal(err)
	}
	s = open(t, path)
	if made := remoteAt(t, s, "main=2", "a=3", "b=4"); made != 2 {
		t.Errorf("the look after a restart made %d triggers, want the 2 that were left", made)
	}
}

func TestSeveralProjectsOfOneRemoteShareALooksTrigger(t *testing.T) {
	cfg := config.Default()
	for _, name := range []string{"api", "docs", "late"} {
		cfg.Projects = append(cfg.Projects, config.Project{Name: name, URL: lookedURL})
	}
	s := openWith(t, statePath(t), cfg)
	look := func(refs map[string]string, projects ...string) int {
		l, err := s.BeginLook(projects, lookedURL)
		if err != nil {
			t.Fatal(err)
		}
		made, err := s.EndLook(t.Context(), l, refs)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	look(refsAt("main=1"), "api", "docs")
	if made := look(refsAt("main=2"), "api", "docs", "late"); made != 1 {
		t.Errorf("%d triggers, want one for api and docs", made)
	}
	page, _, err := s.Triggers("", "", 10)
	if err != nil || len(page) != 1 || !slices.Equal(page[0].Projects, []string{"api", "docs"}) {
		t.Fatalf("triggers %+v, %v", page, err)
	}
	hook := push("main", 1, 2)
	hook.Projects = []string{"api", "docs", "late"}
	got, created, err := s.Accept(t.Context(), hook)
	if err != nil || !created || !slices.Equal(got.Projects, []string{"late"}) {
		t.Errorf("the webhook became %+v (%v), want a trigger of the project that no look had told", got, err)
	}
}

func TestLooksAreForgottenWithTheirProject(t *testing.T) {
	s := open(t, statePath(t))
	remoteAt(t, s, "main=1")
	if err := s.KeepLooks(nil); err != nil {
		t.Fatal(err)
	}
	if made := remoteAt(t, s, "main=2"); made != 0 {
		t.Errorf("after it was not looked at for a while, the next look made %d triggers, and is a first one", made)
	}
	l, err := s.BeginLook([]string{"gone"}, lookedURL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.EndLook(t.Context(), l, refsAt("main=1")); err != nil {
		t.Fatal(err)
	}
	l, err = s.BeginLook([]string{"gone"}, lookedURL)
	if err != nil {
		t.Fatal(err)
	}
	if made, err := s.EndLook(t.Context(), l, refsAt("main=2")); err != nil && !errors.Is(err, ErrNotFound) || made != 0 {
		t.Errorf("a project that is gone: %d triggers, %v", made, err)
	}
}

func TestAnotherAddressIsLookedAtForTheFirstTime(t *testing.T) {
	s := open(t, statePath(t))
	remoteAt(t, s, "main=1", "dev=1")
	l, err := s.BeginLook([]string{"api"}, "https://example.com/moved.git")
	if err != nil {
		t.Fatal(err)
	}
	if made, err := s.EndLook(t.Context(), l, refsAt("main=9")); err != nil || made != 0 {
		t.Errorf("a new address made %d triggers, %v", made, err)
	}
}

func deliveries(t *testing.T, s *Scheduler) (n int) {
	t.Helper()
	err := s.db.View(func(tx *bbolt.Tx) error {
		n = tx.Bucket(bucketDeliveries).Stats().KeyN
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestALateWebhookIsForgottenWithTheLooksTrigger: its id is known as long as that of the look's, however that goes.
func TestALateWebhookIsForgottenWithTheLooksTrigger(t *testing.T) {
	for name, forget := range map[string]func(s *Scheduler) error{
		"by the age of deliveries": func(s *Scheduler) error {
			return s.forgetDeliveries(t.Context(), time.Now().Add(2*deliveryAge))
		},
		"with the trigger": func(s *Scheduler) error {
			page, _, err := s.Triggers("", "", 1)
			if err != nil {
				return err
			}
			err = s.db.Update(func(tx *bbolt.Tx) error {
				_, err := s.carryOut(tx, &page[0], decision{reason: "of no interest"})
				return err
			})
			if err != nil {
				return err
			}
			_, err = s.Forget(t.Context(), Keep{Age: time.Hour}, time.Now().Add(2*time.Hour), nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := statePath(t)
			s := open(t, path)
			remoteAt(t, s, "main=1")
			remoteAt(t, s, "main=2")
			if _, created, err := s.Accept(t.Context(), push("main", 1, 2)); err != nil || created {
				t.Fatal(created, err)
			}
			if err := forget(s); err != nil {
				t.Fatal(err)
			}
			if n := deliveries(t, s); n != 0 {
				t.Errorf("%d deliveries are known yet", n)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			checksClean(t, path)
		})
	}
}

func checksClean(t *testing.T, path string) {
	t.Helper()
	st, err := OpenState(path)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.Check(func(problem string) { t.Error(problem) }); err != nil {
		t.Error(err)
	}
}

func TestDamageToWhatLooksShowedIsReported(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	remoteAt(t, s, "main=1")
	s.Note(Received{Delivery: "1"})
	err := errors.Join(s.writeInbox(), s.PutWebhook(Webhook{Project: "api"}), s.db.Update(func(tx *bbolt.Tx) error {
		return errors.Join(
			tx.Bucket(bucketTips).Put(tipKey("api", mainRef), []byte("{")),
			tx.Bucket(bucketInbox).Put(number(7), []byte(`{"seq":8}`)),
			tx.Bucket(bucketWebhooks).Put([]byte("web"), []byte(`{"project":"api"}`)),
			tx.Bucket(bucketSame).Put(append(number(3), "github/1"...), nil))
	}), s.Close())
	if err != nil {
		t.Fatal(err)
	}
	st, err := OpenState(path)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var problems []string
	if err := st.Check(func(problem string) { problems = append(problems, problem) }); err != nil || len(problems) != 4 {
		t.Errorf("%d problems, want 4: %q (%v)", len(problems), problems, err)
	}
}

// TestALateWebhookTellsWhoPushed: a look does not see that, and what was skipped for want of it is built then, once.
func TestALateWebhookTellsWhoPushed(t *testing.T) {
	cfg := config.Default()
	p := config.Project{Name: "api", URL: lookedURL, Branch: "main", Filters: []config.FilterGroup{
		{{Type: config.FilterEvent, Pattern: "PUSH"}, {Type: config.FilterActor, Pattern: "^42$"}},
	}}
	p.Fill()
	cfg.Projects = []config.Project{p}
	for actor, want := range map[string]Outcome{"42": OutcomePending, "7": OutcomeSkipped} {
		s := openWith(t, statePath(t), cfg)
		remoteAt(t, s, "main=1")
		remoteAt(t, s, "main=2")
		page, _, err := s.Triggers("", "", 1)
		if err != nil || len(page) != 1 || page[0].Outcome != OutcomeSkipped || !strings.Contains(page[0].Reason, "who pushed") {
			t.Fatalf("%+v, %v: want that the look's trigger is skipped, since nobody knows who pushed", page, err)
		}
		late := push("main", 1, 2)
		late.Event, late.ActorID = "PUSH", actor
		got, created, err := s.Accept(t.Context(), late)
		if err != nil || !created || got.Outcome != want {
			t.Errorf("the webhook of %s became %+v (made: %t, %v), want %s", actor, got, created, err, want)
		}
		if made := remoteAt(t, s, "main=2"); made != 0 {
			t.Errorf("the next look makes %d triggers", made)
		}
	}
}

// TestALateWebhookOutlivesTheLooksTrigger: where that was forgotten, the webhook is the first that is known.
func TestALateWebhookOutlivesTheLooksTrigger(t *testing.T) {
	s := open(t, statePath(t))
	remoteAt(t, s, "main=1")
	remoteAt(t, s, "main=2")
	page, _, err := s.Triggers("", "", 1)
	if err != nil {
		t.Fatal(err)
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		_, err := s.carryOut(tx, &page[0], decision{reason: "of no interest"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Forget(t.Context(), Keep{Age: time.Hour}, time.Now().Add(2*time.Hour), nil); err != nil {
		t.Fatal(err)
	}
	if got, created, err := s.Accept(t.Context(), push("main", 1, 2)); err != nil || !created || !slices.Equal(got.Projects, []string{"api"}) {
		t.Errorf("the webhook became %+v (made: %t, %v), want a trigger of its project", got, created, err)
	}
}
