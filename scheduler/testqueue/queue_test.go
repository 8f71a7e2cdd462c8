package testqueue

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Unix(1_700_000_000, 0)

// at is noon and so many seconds.
func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// desk is a queue with helpers that fail the test.
type desk struct {
	*Queue
	t *testing.T
}

func newDesk(t *testing.T, opts Options, list string, workers ...string) desk {
	t.Helper()
	q, err := Open(opts, noon)
	if err != nil {
		t.Fatal(err)
	}
	d := desk{q, t}
	for shard, id := range workers {
		d.ok(q.Join(id, shard, strings.Fields(list), noon))
	}
	return d
}

func (d desk) ok(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.Check(); err != nil {
		d.t.Fatal(err)
	}
}

func (d desk) take(id string, now time.Time) *Batch {
	d.t.Helper()
	offer, err := d.Take(id, 0, now)
	d.ok(err)
	return offer.Batch
}

func (d desk) complete(id string, b *Batch, outcome Outcome, now time.Time) Receipt {
	d.t.Helper()
	r, err := d.Complete(id, b.Token, Completion{Outcome: outcome, Took: time.Second}, now)
	d.ok(err)
	return r
}

// outcomes tells all outcomes as "a passed, b lost".
func (d desk) outcomes() string {
	var words []string
	for _, r := range d.Results() {
		words = append(words, r.Name+" "+string(r.Outcome))
	}
	return strings.Join(words, ", ")
}

// one hands out an item at a time.
var one = Options{MaxItems: 1, Workers: 2}

func TestFirstListWins(t *testing.T) {
	d := newDesk(t, Options{}, "./b a", "w1")
	d.ok(d.Join("w2", 1, []string{"a\r", "b ", "b", ""}, noon))
	d.ok(d.Join("w2", 1, []string{"a", "b"}, noon)) // again
	err := d.Join("w3", 2, []string{"b", "c", "d", "e", "f", "g", "h"}, noon)
	var differs *ListError
	if !errors.As(err, &differs) || differs.MissingCount != 1 || differs.AddedCount != 6 {
		t.Fatalf("%+v", err)
	}
	want := "w3 found 7 tests, but w1, which came first, found 2; missing here: a; only here: c, d, e, f, g and 1 more; the files search must print"
	if !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, expected %s", err, want)
	}
	if err := d.Join("w4", 3, []string{" "}, noon); !errors.Is(err, ErrEmpty) {
		t.Errorf("an empty list: %v", err)
	}
	if _, err := d.Take("w3", 1, noon); !errors.Is(err, ErrUnknown) {
		t.Errorf("a worker that was refused: %v", err)
	}
}

func TestRequestsAreIdempotent(t *testing.T) {
	d := newDesk(t, one, "a b c", "w1")
	first, err := d.Take("w1", 7, noon)
	d.ok(err)
	same, err := d.Take("w1", 8, noon)
	d.ok(err)
	if !reflect.DeepEqual(first, same) {
		t.Errorf("a worker at work was offered %v, and then %v", first.Batch, same.Batch)
	}
	receipt := d.complete("w1", first.Batch, Passed, noon)
	if again := d.complete("w1", first.Batch, Failed, noon); !reflect.DeepEqual(receipt, again) {
		t.Errorf("the repeated answer got %+v, first %+v", again, receipt)
	}
	old, err := d.Take("w1", 7, noon)
	d.ok(err)
	if !reflect.DeepEqual(first, old) {
		t.Errorf("request 7 got %v, and repeated %v", first.Batch, old.Batch)
	}
	if next := d.take("w1", noon); next.Token <= first.Batch.Token {
		t.Errorf("token %d after %d", next.Token, first.Batch.Token)
	}
}

func TestWhatALostWorkerHeldGoesToOthers(t *testing.T) {
	d := newDesk(t, one, "a b c", "w1", "w2")
	held := d.take("w1", noon)
	d.ok(d.Lost("w1", 0, noon))
	if got := d.take("w2", noon); !slices.Equal(got.Items, held.Items) {
		t.Errorf("w2 got %v, expected first of all what w1 held, %v", got.Items, held.Items)
	}
	if _, err := d.Take("w1", 1, noon); !errors.Is(err, ErrGone) {
		t.Errorf("a worker that is gone takes: %v", err)
	}
	if err := d.Join("w1", 0, []string{"a", "b", "c"}, noon); !errors.Is(err, ErrGone) {
		t.Errorf("a worker that is gone joins: %v", err)
	}
	d.ok(d.Join("w1@2", 0, []string{"a", "b", "c"}, noon))
}

func TestSilenceAndItsEnd(t *testing.T) {
	d := newDesk(t, one, "a", "w1", "w2")
	held := d.take("w1", noon)
	if got := d.take("w2", at(20)); got != nil {
		t.Fatalf("%v is taken while w1 may live", got)
	}
	d.ok(d.Heartbeat("w1", at(20)))
	d.ok(d.Heartbeat("w2", at(40)))
	if got := d.take("w2", at(45)); got != nil {
		t.Fatalf("%v is taken 25 s after w1's heartbeat", got)
	}
	second := d.take("w2", at(60))
	if second == nil || second.Items[0] != "a" {
		t.Fatalf("w2 got %v, expected a", second)
	}
	// The first acknowledgement wins, though the worker had been given up.
	if r := d.complete("w1", held, Passed, at(61)); len(r.Counted) != 1 || !d.Ended() {
		t.Errorf("the late first answer: %+v", r)
	}
	if r := d.complete("w2", second, Failed, at(62)); len(r.Counted) != 0 || !slices.Equal(r.Ignored, []string{"a"}) {
		t.Errorf("the second answer: %+v", r)
	}
	if d.outcomes() != "a passed" {
		t.Error(d.outcomes())
	}
}

func TestTokensAreFences(t *testing.T) {
	d := newDesk(t, one, "a b", "w1", "w2")
	b := d.take("w1", noon)
	for _, c := range []struct {
		worker string
		token  uint64
	}{{"w2", b.Token}, {"w1", b.Token + 1}, {"nobody", b.Token}} {
		if _, err := d.Complete(c.worker, c.token, Completion{Outcome: Passed}, noon); !errors.Is(err, ErrToken) {
			t.Errorf("%s answers batch %d: %v", c.worker, c.token, err)
		}
	}
	for _, c := range []Completion{{}, {Outcome: Flaky}, {Outcome: Passed, Results: []Result{{Item: "b", Outcome: Passed}, {Item: "a", Outcome: Passed}}}, {Results: []Result{{Item: b.Items[0], Outcome: "x"}}}} {
		if _, err := d.Complete("w1", b.Token, c, noon); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	d.ok(nil)
}

func TestAnItemThatEndsItsWorkers(t *testing.T) {
	d := newDesk(t, Options{Workers: 1, History: History{"a": 1, "b": 1, "c": 1}}, "a b c", "w0")
	for attempt := range 3 {
		id := fmt.Sprintf("w%d", attempt)
		d.ok(d.Join(id, 0, []string{"a", "b", "c"}, noon))
		for {
			b := d.take(id, noon)
			if slices.Contains(b.Items, "b") {
				break
			}
			d.complete(id, b, Passed, noon)
		}
		d.ok(d.Lost(id, 0, noon))
	}
	d.ok(d.Join("last", 0, []string{"a", "b", "c"}, noon))
	for !d.Ended() {
		d.complete("last", d.take("last", noon), Passed, noon)
	}
	if got := d.outcomes(); got != "a passed, b lost, c passed" {
		t.Error(got)
	}
}

func TestFailuresAreTriedAgainOnAnotherWorker(t *testing.T) {
	opts := Options{MaxItems: 1, Retry: Retry{Each: 1}}
	d := newDesk(t, opts, "a", "w1", "w2")
	if r := d.complete("w1", d.take("w1", noon), Failed, noon); !slices.Equal(r.Again, []string{"a"}) {
		t.Fatalf("%+v", r)
	}
	if b := d.take("w1", noon); b != nil {
		t.Fatalf("w1 gets %v again, where it failed", b)
	}
	if r := d.complete("w2", d.take("w2", noon), Passed, noon); !slices.Equal(r.Flaky, []string{"a"}) || d.outcomes() != "a flaky" {
		t.Errorf("%+v, %s", r, d.outcomes())
	}
}

// TestFirstAndFurtherTriesAreRunsOfTheirOwn: the run is named after what it tries, and so are its reports.
func TestFirstAndFurtherTriesAreRunsOfTheirOwn(t *testing.T) {
	d := newDesk(t, Options{Workers: 1, Retry: Retry{Each: 1}}, "a b c d e f g h i", "w1")
	failed := d.take("w1", noon)
	d.complete("w1", failed, Failed, noon)
	again := d.take("w1", noon)
	if !slices.Equal(again.Items, failed.Items) {
		t.Errorf("%q failed, and the next run is of %q", failed.Items, again.Items)
	}
}

func TestBudgetOfRetries(t *testing.T) {
	for _, c := range []struct {
		name    string
		budget  Retry
		outcome Outcome
		retried int
	}{
		{"none", Retry{}, Failed, 0},
		{"each twice", Retry{Each: 2}, Failed, 8},
		{"number", Retry{Each: 1, Items: 3}, Failed, 3},
		{"share", Retry{Each: 1, Share: 0.5}, Failed, 2}, // until more than half have failed
		{"time", Retry{Each: 1, Time: 2 * time.Second}, Failed, 2},
		{"a compile error is no flake", Retry{Each: 1}, Broken, 0},
	} {
		d := newDesk(t, Options{MaxItems: 1, Retry: c.budget}, "a b c d", "w1")
		for !d.Ended() {
			d.complete("w1", d.take("w1", noon), c.outcome, noon)
		}
		if s := d.Summary(); s.Retried != c.retried || s.Failed+s.Broken != 4 {
			t.Errorf("%s: %+v, expected %d retries", c.name, s, c.retried)
		}
	}
}

func TestBatchesShrink(t *testing.T) {
	var names []string
	h := History{}
	for i := range 200 {
		name := fmt.Sprintf("t%03d", i)
		names, h[name] = append(names, name), time.Duration(1+i)*time.Second
	}
	d := newDesk(t, Options{Workers: 4, History: h}, strings.Join(names, " "), "w1")
	last := time.Duration(1 << 62)
	for !d.Ended() {
		b := d.take("w1", noon)
		var work time.Duration
		for _, name := range b.Items {
			work += h[name]
		}
		if work > last && len(b.Items) > 1 {
			t.Errorf("a batch of %v after one of %v", work, last)
		}
		last = work
		_, err := d.Complete("w1", b.Token, Completion{Outcome: Passed, Took: work + 3*time.Second}, noon)
		d.ok(err)
	}
	if startup, rate := d.learned.line(); startup < 2.9 || startup > 3.1 || rate < 0.99 || rate > 1.01 {
		t.Errorf("learned a start-up of %.2f s and %.2f s a second", startup, rate)
	}
	if s := d.Summary(); s.Known != 200 || s.Passed != 200 {
		t.Errorf("%+v", s)
	}
}

func TestColdQueueProbesFirst(t *testing.T) {
	d := newDesk(t, Options{Workers: 2}, "a b c d e f g h i j k l m n o p", "w1", "w2")
	if a, b := d.take("w1", noon), d.take("w2", noon); len(a.Items)+len(b.Items) != 3 {
		t.Errorf("the probes are %v and %v", a.Items, b.Items)
	}
}

func TestReplay(t *testing.T) {
	d := newDesk(t, one, "a b c d", "s0", "s1")
	var mine []string
	for i := range 4 {
		id := []string{"s0", "s1"}[i%2]
		b := d.take(id, noon)
		if id == "s1" {
			mine = append(mine, b.Items...)
		}
		d.complete(id, b, Passed, noon)
	}
	q, err := Replay(one, d.Queue, []int{1}, noon)
	if err != nil {
		t.Fatal(err)
	}
	r := desk{q, t}
	r.ok(r.Join("retry", 1, []string{"a", "b", "c", "d"}, noon))
	r.ok(r.Join("helper", 5, []string{"a", "b", "c", "d"}, noon))
	if b := r.take("helper", noon); b != nil {
		t.Errorf("a shard without a part gets %v", b)
	}
	for _, want := range mine {
		b := r.take("retry", noon)
		if b == nil || !slices.Equal(b.Items, []string{want}) {
			t.Fatalf("the shard is given %v, was given %s", b, want)
		}
		if want == mine[1] {
			break
		}
		r.complete("retry", b, Passed, noon)
	}
	r.ok(r.Lost("retry", 1, noon))
	r.complete("helper", r.take("helper", noon), Passed, noon)
	if !r.Ended() {
		t.Errorf("%+v", r.Summary())
	}
	if _, err := Replay(one, newDesk(t, one, "").Queue, nil, noon); err == nil {
		t.Error("a queue without a list is replayed")
	}
}

// TestAReplayHoldsNoSlotForAShardThatHasNotBegun: with one slot, the first of two shards must end before the other begins.
func TestAReplayHoldsNoSlotForAShardThatHasNotBegun(t *testing.T) {
	list := []string{"a", "b", "c", "d"}
	d := newDesk(t, one, "a b c d", "s0", "s1")
	for i := range 4 {
		id := []string{"s0", "s1"}[i%2]
		d.complete(id, d.take(id, noon), Failed, noon)
	}
	q, err := Replay(one, d.Queue, []int{0, 1}, noon)
	if err != nil {
		t.Fatal(err)
	}
	r := desk{q, t}
	for shard, id := range []string{"first", "second"} {
		r.ok(r.Join(id, shard, list, noon))
		for range 2 {
			r.complete(id, r.take(id, noon), Passed, noon)
		}
		offer, err := r.Take(id, 0, noon)
		if err != nil || !offer.Done {
			t.Fatalf("shard %d is offered %+v (%v) when its part is done, want the end", shard, offer, err)
		}
		r.ok(r.Lost(id, shard, noon))
	}
	if !r.Ended() || r.Summary().Passed != 4 {
		t.Errorf("%+v", r.Summary())
	}
}

// golden is what a row holds; a later release must read it.
const golden = `[{"k":"list","t":1700000000000,"w":"w1","l":{"names":["a","b","c"],"micros":[3000000,-2000000,2000000]}},` +
	`{"k":"join","t":1700000000000,"w":"w1"},` +
	`{"k":"take","t":1700000000000,"w":"w1","r":3,"n":1,"i":[0]},` +
	`{"k":"done","t":1700000000000,"w":"w1","n":1,"i":[0],"o":"p","m":[1000000],"d":1000000},` +
	`{"k":"lost","t":1700000000000,"w":"w1","f":true}]`

func TestStoredForm(t *testing.T) {
	d := newDesk(t, Options{MaxItems: 1, History: History{"a": 3 * time.Second, "c": 2 * time.Second}}, "a b c", "w1")
	offer, err := d.Take("w1", 3, noon)
	d.ok(err)
	d.complete("w1", offer.Batch, Passed, noon)
	d.ok(d.Lost("w1", 0, noon))
	text, err := json.Marshal(d.Queue)
	d.ok(err)
	if string(text) != golden {
		t.Errorf("%s\nexpected\n%s", text, golden)
	}
	if n := d.Len(); len(d.Events(n-1)) != 1 || len(d.Events(n)) != 0 || len(d.Events(99)) != 0 {
		t.Error("Events does not tell what is new")
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(golden))
	f.Add([]byte(`[{"k":"list","l":{"names":["a","b"],"kept":[1],"kr":"p","plan":[{"shard":0,"batches":[[0]]}]}},{"k":"join","w":"x"}]`))
	f.Add([]byte(`[{"k":"lost","w":"x"},{"k":"done"}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		q, err := Read(Options{}, noon, text)
		if err != nil {
			return
		}
		if err := q.Check(); err != nil {
			t.Fatal(err)
		}
		_ = q.Assignment()
		_ = q.Results()
		if _, err := q.Take("x", 1, at(1)); err == nil {
			if err := q.Check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestOnlyFailedTestsAreTriedAgain: of an item whose failed tests are known these alone are, on another worker, each
// counts in the budget, and all of it holds when the queue is read again.
func TestOnlyFailedTestsAreTriedAgain(t *testing.T) {
	opts := Options{Workers: 2, Retry: Retry{Each: 2, Items: 3}}
	d := newDesk(t, opts, "a b", "w1", "w2")
	fail := func(id string, b *Batch, tests ...string) Receipt {
		t.Helper()
		r, err := d.Complete(id, b.Token, Completion{Outcome: Failed, Results: []Result{{Item: b.Items[0], Outcome: Failed, Took: time.Second, Tests: tests}}}, noon)
		d.ok(err)
		return r
	}
	first, other := d.take("w1", noon), d.take("w2", noon)
	name := first.Items[0]
	if r := fail("w1", first, "x", "y"); !slices.Equal(r.Again, first.Items) {
		t.Fatalf("%+v, want it tried again", r)
	}
	d.complete("w2", other, Passed, noon)
	text, err := json.Marshal(d.Queue)
	d.ok(err)
	if d.Queue, err = Read(opts, noon, text); err != nil {
		t.Fatal(err)
	}
	second := d.take("w2", noon)
	if !slices.Equal(second.Only[name], []string{"x", "y"}) {
		t.Fatalf("of %s %q is tried again, want x and y", name, second.Only[name])
	}
	if r := fail("w2", second); len(r.Again) != 0 { // nobody says which of the two
		t.Errorf("%+v, want none of it tried again: two tries are used up, and the budget has three", r)
	}
	if s := d.Summary(); s.Retried != 2 || s.Failed != 1 || s.Passed != 1 {
		t.Errorf("%+v, want two retries and one failed", s)
	}
}
