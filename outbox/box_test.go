package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// post is a receiver that remembers what it was told.
type post struct {
	mu   sync.Mutex
	told []string
	says func(it Item, nth int) error // nth time it is told this key
	seen map[string]int
	came chan struct{}
}

func newPost(says func(Item, int) error) *post {
	return &post{says: says, seen: make(map[string]int), came: make(chan struct{}, 1000)}
}

func (p *post) send(_ context.Context, it Item) error {
	p.mu.Lock()
	p.seen[it.Key]++
	n := p.seen[it.Key]
	p.told = append(p.told, it.Key+"="+string(it.Body))
	p.mu.Unlock()
	defer func() { p.came <- struct{}{} }()
	if p.says == nil {
		return nil
	}
	return p.says(it, n)
}

func (p *post) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.told)
}

func state(t *testing.T) *bbolt.DB {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "state.db"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func open(t *testing.T, db *bbolt.DB, o Options) *Box {
	t.Helper()
	b, err := Open(db, o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func put(t *testing.T, b *Box, items ...Item) {
	t.Helper()
	for _, it := range items {
		if err := b.db.Update(func(tx *bbolt.Tx) error { return b.Put(tx, it) }); err != nil {
			t.Fatal(err)
		}
	}
}

func item(key, lane, body string) Item {
	return Item{Kind: "k", Key: key, Lane: lane, Body: json.RawMessage(body)}
}

// run runs a box until the test ends, or until what it returns is called.
func run(t *testing.T, b *Box, send Sender) (stop func()) {
	t.Helper()
	b.Use("k", send)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { b.Run(ctx, nil) })
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return stop
}

// until waits until something holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came to this: %s", what)
		}
	}
}

func sound(t *testing.T, db *bbolt.DB) {
	t.Helper()
	err := db.View(func(tx *bbolt.Tx) error { return Check(tx, func(p string) { t.Error(p) }) })
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsPutIsSentOnceAndGone(t *testing.T) {
	b := open(t, state(t), Options{})
	p := newPost(nil)
	put(t, b, item("a", "x", "1"), item("b", "x", "2"), item("c", "y", "3"))
	run(t, b, p.send)
	until(t, "all are sent", func() bool { return b.Count() == 0 })
	got := p.all()
	slices.Sort(got)
	if want := []string{"a=1", "b=2", "c=3"}; !slices.Equal(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
	if _, n, _ := b.Waiting(10); n != 0 {
		t.Errorf("%d items still stored", n)
	}
	sound(t, b.db)
}

func TestTheLatestOfAKeyIsTold(t *testing.T) {
	b := open(t, state(t), Options{})
	p := newPost(nil)
	put(t, b, item("a", "x", "1"), item("b", "x", "1"), item("a", "x", "2"), item("a", "y", "3"))
	sound(t, b.db)
	run(t, b, p.send)
	until(t, "all are sent", func() bool { return b.Count() == 0 })
	got := p.all()
	slices.Sort(got)
	if want := []string{"a=3", "b=1"}; !slices.Equal(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
}

// TestWhatIsReplacedWhileItIsSentIsSentAfterwards: the end of a sending must not drop what came during it.
func TestWhatIsReplacedWhileItIsSentIsSentAfterwards(t *testing.T) {
	b := open(t, state(t), Options{})
	begun, goOn := make(chan struct{}), make(chan struct{})
	p := newPost(func(_ Item, n int) error {
		if n == 1 {
			close(begun)
			<-goOn
		}
		return nil
	})
	put(t, b, item("a", "x", "1"))
	run(t, b, p.send)
	<-begun
	put(t, b, item("a", "x", "2"))
	close(goOn)
	until(t, "all are sent", func() bool { return b.Count() == 0 })
	if got, want := p.all(), []string{"a=1", "a=2"}; !slices.Equal(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
	sound(t, b.db)
}

// TestADeadReceiverHoldsUpNobodyElse: one lane never answers, and what waits for another is sent in order.
func TestADeadReceiverHoldsUpNobodyElse(t *testing.T) {
	b := open(t, state(t), Options{})
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	p := newPost(nil)
	put(t, b, item("dead", "dead", "1"))
	var want []string
	for i := range 50 {
		put(t, b, item(fmt.Sprintf("%02d", i), "alive", "1"))
		want = append(want, fmt.Sprintf("%02d=1", i))
	}
	run(t, b, func(ctx context.Context, it Item) error {
		if it.Lane == "dead" {
			select {
			case <-hang:
			case <-ctx.Done():
			}
			return errors.New("no answer")
		}
		return p.send(ctx, it)
	})
	until(t, "the others are sent", func() bool { return b.Count() == 1 })
	if got := p.all(); !slices.Equal(got, want) {
		t.Errorf("sent %v, want them in order", got)
	}
}

func TestAFailureIsTriedAgainAndARefusalIsNot(t *testing.T) {
	var mu sync.Mutex
	counted := make(map[string]int)
	b := open(t, state(t), Options{Pause: time.Millisecond, Count: func(_, outcome string) {
		mu.Lock()
		defer mu.Unlock()
		counted[outcome]++
	}})
	p := newPost(func(it Item, n int) error {
		switch {
		case it.Key == "refused":
			return Refuse("the token may not do that; give it one that may")
		case it.Key == "panics" && n == 1:
			panic("a bug")
		case n < 3 && it.Key == "fails":
			return errors.New("no route to host")
		case n == 1 && it.Key == "waits":
			return &Later{After: time.Millisecond, Err: errors.New("not yet"), Alone: true}
		}
		return nil
	})
	put(t, b, item("refused", "x", "1"), item("fails", "y", "1"), item("waits", "z", "1"), item("panics", "w", "1"))
	run(t, b, p.send)
	until(t, "nothing waits", func() bool { return b.Count() == 0 })
	if p.seen["refused"] != 1 || p.seen["fails"] != 3 || p.seen["waits"] != 2 || p.seen["panics"] != 2 {
		t.Errorf("sent %v times", p.seen)
	}
	mu.Lock()
	defer mu.Unlock()
	if counted[Sent] != 3 || counted[Failed] != 3 || counted[Dropped] != 1 {
		t.Errorf("counted %v, want 3 sent, 3 failed, 1 dropped", counted)
	}
	records, err := b.Records(10)
	if err != nil || len(records) != 1 || records[0].Key != "refused" || !strings.Contains(records[0].Why, "give it one that may") {
		t.Errorf("records %+v, %v: want the refused one, with what to mend", records, err)
	}
	sound(t, b.db)
}

// TestAnotherProcessGoesOn: what a process left is sent by the next, with what it knew of failures.
func TestAnotherProcessGoesOn(t *testing.T) {
	db := state(t)
	b := open(t, db, Options{Pause: time.Hour})
	dead := newPost(func(Item, int) error { return errors.New("connection refused") })
	put(t, b, item("a", "x", "1"))
	stop := run(t, b, dead.send)
	until(t, "the failure is noted", func() bool {
		some, _, err := b.Waiting(1)
		return err == nil && len(some) == 1 && some[0].Tries == 1 && some[0].Error == "connection refused"
	})
	stop()
	put(t, b, item("b", "y", "2")) // a transaction of its last moments
	again := open(t, db, Options{})
	p := newPost(nil)
	run(t, again, p.send)
	until(t, "what is due is sent", func() bool { return again.Count() == 1 })
	if got := p.all(); !slices.Equal(got, []string{"b=2"}) {
		t.Errorf("sent %v: the other has to wait for its pause", got)
	}
	sound(t, db)
}

// TestWhatCannotBeSentForADayIsDropped: but not by a clock that jumps.
func TestWhatCannotBeSentForADayIsDropped(t *testing.T) {
	for _, c := range []struct {
		age     time.Duration
		tries   int
		dropped bool
	}{{MaxAge, fewTries, true}, {MaxAge, fewTries - 1, false}, {3 * MaxAge, 0, true}, {MaxAge / 2, 500, false}} {
		db := state(t)
		b := open(t, db, Options{Pause: time.Hour})
		put(t, b, item("a", "x", "1"))
		err := db.Update(func(tx *bbolt.Tx) error {
			r, err := readRow(tx, 1)
			if err != nil {
				return err
			}
			r.Put, r.Tries, r.Next = r.Put.Add(-c.age), c.tries, time.Now().Add(36*time.Hour)
			raw, err := json.Marshal(r)
			if err != nil {
				return err
			}
			return tx.Bucket(bucket).Bucket(bucketItems).Put(number(1), raw)
		})
		if err != nil {
			t.Fatal(err)
		}
		b = open(t, db, Options{Pause: time.Hour}) // a clock that was set back keeps nothing waiting
		tried := newPost(func(Item, int) error { return errors.New("connection refused") })
		stop := run(t, b, tried.send)
		until(t, "the failure is noted", func() bool {
			r, err := b.read(1)
			return err == nil && (r == nil || r.Tries == c.tries+1)
		})
		stop()
		records, err := b.Records(1)
		if err != nil || (len(records) == 1) != c.dropped || c.dropped && !strings.Contains(records[0].Why, "hours: connection refused") {
			t.Errorf("after %s and %d failures: records %+v, %v", c.age, c.tries, records, err)
		}
	}
}

func TestTheNumberIsBounded(t *testing.T) {
	db := state(t)
	b := open(t, db, Options{})
	err := db.Update(func(tx *bbolt.Tx) error {
		for i := range MaxWaiting + maxRecords + 5 {
			if err := b.Put(tx, item(fmt.Sprint(i), "x", "1")); err != nil {
				return err
			}
		}
		return b.Put(tx, item("huge", "x", `"`+strings.Repeat("x", MaxBody)+`"`))
	})
	if err != nil {
		t.Fatal(err)
	}
	some, all, err := b.Waiting(1)
	if err != nil || all != MaxWaiting || b.Count() != MaxWaiting || some[0].Key != fmt.Sprint(maxRecords+5) {
		t.Errorf("%d of %d wait, the oldest is %+v, %v", all, b.Count(), some, err)
	}
	records, err := b.Records(2 * maxRecords)
	if err != nil || len(records) != maxRecords || records[0].Key != "huge" || records[1].Key != fmt.Sprint(maxRecords+4) {
		t.Errorf("%d records, %v", len(records), err)
	}
	sound(t, db)
}

// TestWhatIsUndoneIsNotSent: an item is as durable as the transaction that put it.
func TestWhatIsUndoneIsNotSent(t *testing.T) {
	b := open(t, state(t), Options{})
	undo := errors.New("undone")
	err := b.db.Update(func(tx *bbolt.Tx) error {
		if err := b.Put(tx, item("a", "x", "1")); err != nil {
			return err
		}
		return undo
	})
	if !errors.Is(err, undo) || b.Count() != 0 {
		t.Errorf("%v, and %d wait", err, b.Count())
	}
}
