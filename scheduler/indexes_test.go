package scheduler

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sync/errgroup"
)

// mixed stores builds of three projects that end in several ways, a few of them never, and triggers of all outcomes.
func mixed(t *testing.T, s *Scheduler, n int) (builds []Build, triggers []Trigger) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range n {
		tr := accept(t, s, Trigger{Kind: KindPush, Projects: []string{"api"}, Commit: "c0ffee"})
		tr.Outcome = []Outcome{OutcomePending, OutcomeWaiting, OutcomeSkipped, OutcomeBuilt}[rnd.IntN(4)]
		b := Build{Project: []string{"api", "api-2", "web"}[rnd.IntN(3)], Trigger: tr.ID, Ref: []string{"", "refs/heads/main"}[rnd.IntN(2)], Status: InProgress, Created: time.Now()}
		err := s.db.Update(func(tx *bbolt.Tx) error {
			if err := errors.Join(newBuild(tx, &b), putTrigger(tx, &tr)); err != nil {
				return err
			}
			for range rnd.IntN(3) { // also a build that is judged anew
				b.Status = []Status{Succeeded, Failed, Fault}[rnd.IntN(3)]
				if err := putBuild(tx, &b); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		builds, triggers = append(builds, b), append(triggers, tr)
	}
	slices.Reverse(builds)
	slices.Reverse(triggers)
	return builds, triggers
}

// pages collects what a list has, page by page.
func pages[T any](t *testing.T, list func(cursor string) (page []T, next string, err error)) (all []T) {
	t.Helper()
	for cursor := ""; ; {
		page, next, err := list(cursor)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page...)
		if cursor = next; next == "" {
			return all
		}
		if len(page) == 0 {
			t.Fatal("an empty page says that there is another")
		}
	}
}

func assertLists(t *testing.T, s *Scheduler, builds []Build, triggers []Trigger) {
	t.Helper()
	id := func(b Build) string { return b.ID() + " " + string(b.Status) }
	for _, project := range []string{"", "api", "api-2", "web", "none"} {
		for _, status := range []Status{"", InProgress, Succeeded, Failed, Fault, TimedOut} {
			f := Filter{Project: project, Status: status}
			var want, got []string
			for _, b := range builds {
				if f.match(&b) {
					want = append(want, id(b))
				}
			}
			for _, b := range pages(t, func(c string) ([]Build, string, error) { return s.Builds(f, c, 3) }) {
				got = append(got, id(b))
			}
			if !slices.Equal(got, want) {
				t.Errorf("the builds of %+v are %v, want %v", f, got, want)
			}
		}
	}
	for _, o := range []Outcome{"", OutcomePending, OutcomeWaiting, OutcomeSkipped, OutcomeBuilt} {
		var want, got []string
		for _, tr := range triggers {
			if o == "" || tr.Outcome == o {
				want = append(want, tr.ID)
			}
		}
		for _, tr := range pages(t, func(c string) ([]Trigger, string, error) { return s.Triggers(o, c, 3) }) {
			got = append(got, tr.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("the triggers with outcome %q are %v, want %v", o, got, want)
		}
	}
}

func TestListsAreReadAlongTheirIndexes(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	builds, triggers := mixed(t, s, 60)
	assertLists(t, s, builds, triggers)
	checkClean(t, s, path)
}

func TestAnOlderStateGetsItsIndexes(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	builds, triggers := mixed(t, s, 60)
	err := s.db.Update(func(tx *bbolt.Tx) error { // as version 1 had it
		return errors.Join(tx.DeleteBucket(bucketEnded), tx.DeleteBucket(bucketEndedOf), tx.DeleteBucket(bucketOutcomes), tx.DeleteBucket(bucketRefs),
			tx.Bucket(bucketMeta).Put([]byte("version"), number(1)))
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	assertLists(t, s, builds, triggers)
	checkClean(t, s, path)
	if _, err := os.Stat(path + ".v1.bak"); err != nil {
		t.Errorf("no copy was made before the upgrade: %v", err)
	}
	old, err := bbolt.Open(path+".v1.bak", 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	_ = old.View(func(tx *bbolt.Tx) error {
		if !Outdated(tx) || tx.Bucket(bucketEnded) != nil {
			t.Error("the copy is not of the former version")
		}
		return nil
	})
}

func TestCheckComparesIndexes(t *testing.T) {
	for name, harm := range map[string]func(tx *bbolt.Tx) error{
		"ended": func(tx *bbolt.Tx) error {
			k, _ := tx.Bucket(bucketEnded).Cursor().First()
			return tx.Bucket(bucketEnded).Delete(k)
		},
		"ref": func(tx *bbolt.Tx) error {
			k, _ := tx.Bucket(bucketRefs).Cursor().First()
			return tx.Bucket(bucketRefs).Delete(k)
		},
		"one too many": func(tx *bbolt.Tx) error { return tx.Bucket(bucketEndedOf).Put(indexKey("api\x00FAULT", 99), nil) },
		"trigger": func(tx *bbolt.Tx) error {
			k, _ := tx.Bucket(bucketOutcomes).Cursor().First()
			return tx.Bucket(bucketOutcomes).Delete(k)
		},
	} {
		path := statePath(t)
		s := open(t, path)
		mixed(t, s, 20)
		if err := errors.Join(s.db.Update(harm), s.Close()); err != nil {
			t.Fatal(err)
		}
		st, err := OpenState(path)
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		if err := errors.Join(st.Check(func(p string) { told = append(told, p) }), st.Close()); err != nil || len(told) == 0 {
			t.Errorf("%s: %v, %v, want a problem", name, told, err)
		}
	}
}

func TestDeliveriesAreForgottenInTheirOrder(t *testing.T) {
	s := open(t, statePath(t))
	push := func(id string) Trigger {
		return accept(t, s, Trigger{Kind: KindPush, Projects: []string{"api"}, Commit: "c0ffee", Delivery: id})
	}
	known := func() (n int) {
		_ = s.db.View(func(tx *bbolt.Tx) error { n = tx.Bucket(bucketDeliveries).Stats().KeyN; return nil })
		return n
	}
	push("github/0")
	push("")
	var group errgroup.Group // whose commits are shared
	for i := range 2 * forgetAtOnce {
		group.Go(func() error {
			_, _, err := s.Accept(t.Context(), Trigger{Kind: KindPush, Projects: []string{"api"}, Delivery: fmt.Sprint("github/", i+1)})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := s.forgetDeliveries(t.Context(), time.Now().Add(deliveryAge-time.Hour)); err != nil || known() != 2*forgetAtOnce+1 {
		t.Errorf("%d deliveries are known before their time, %v", known(), err)
	}
	if err := s.forgetDeliveries(t.Context(), time.Now().Add(deliveryAge+time.Hour)); err != nil || known() != 0 {
		t.Errorf("%d deliveries are known after their time, %v", known(), err)
	}
	if again := push("github/0"); again.ID != triggerID(2*forgetAtOnce+3) {
		t.Errorf("a delivery that was forgotten is trigger %s", again.ID)
	}
	// Of a state whose walk begins anew, an old trigger does not take the id of the newer one.
	old, err := s.Trigger(triggerID(1))
	if err == nil {
		err = s.db.Update(func(tx *bbolt.Tx) error { return forgetDelivery(tx, &old) })
	}
	if err != nil || known() != 1 {
		t.Errorf("%d deliveries are known, want the one that came again, %v", known(), err)
	}
}

func TestSoundTellsOfADamagedPage(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	mixed(t, s, 30)
	if err := s.Sound(t.Context()); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, _ := f.Seek(0, 2)
	if _, err := f.WriteAt(make([]byte, size-8192), 8192); err != nil { // behind the two pages that say what the file is
		t.Fatal(err)
	}
	if err := s.Sound(t.Context()); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("of a state whose pages are zeros Sound says %v", err)
	}
}
