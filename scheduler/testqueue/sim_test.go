package testqueue

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// world is a seeded simulation of an adversarial day: workers that come late, die, fall silent and come back, answer
// late, twice and for others, while the daemon restarts from what it stored.
type world struct {
	t                         *testing.T
	rnd                       *rand.Rand
	opts                      Options
	q                         *Queue
	now                       time.Time
	names                     []string
	workers                   []*simWorker
	late                      []answer // on their way, or to be repeated
	counted                   map[string]int
	again                     map[string]int
	flaky                     map[string]int
	flips                     float64 // chance that a test fails
	events, attempts, checked int
}

type simWorker struct {
	id      string
	shard   int
	batch   *Batch
	request uint64
	until   time.Time
	dead    bool
	joined  bool
}

type answer struct {
	worker string
	token  uint64
	c      Completion
	at     time.Time
	copies int
}

func newWorld(t *testing.T, seed uint64) *world {
	rnd := rand.New(rand.NewPCG(seed, 1))
	w := &world{t: t, rnd: rnd, now: time.Unix(1700000000, 0), counted: map[string]int{}, again: map[string]int{}, flaky: map[string]int{}}
	for i := range 1 + rnd.IntN(40) {
		w.names = append(w.names, fmt.Sprintf("pkg%d/test%02d.py", i%3, i))
	}
	w.opts = Options{Workers: rnd.IntN(6), Silence: 10 * time.Second, MaxLosses: 1 + rnd.IntN(4), MaxItems: rnd.IntN(20)}
	if rnd.IntN(2) == 0 {
		w.opts.Retry = Retry{Each: 1 + rnd.IntN(2), Items: rnd.IntN(10), Share: rnd.Float64(), Time: time.Duration(rnd.IntN(100)) * time.Second}
	}
	w.opts.History = History{}
	known := rnd.Float64()
	for _, name := range w.names {
		if rnd.Float64() < known {
			w.opts.History[name] = time.Duration(rnd.ExpFloat64() * float64(5*time.Second))
		}
	}
	w.flips = rnd.Float64() * 0.4 * float64(rnd.IntN(2))
	var err error
	if w.q, err = Open(w.opts, w.now); err != nil {
		t.Fatal(err)
	}
	for shard := range 1 + rnd.IntN(5) {
		w.attempt(shard)
	}
	return w
}

func (w *world) attempt(shard int) {
	id := "shard" + strconv.Itoa(shard) + "@" + strconv.Itoa(w.attempts)
	w.attempts++
	w.workers = append(w.workers, &simWorker{id: id, shard: shard})
}

// verify holds the invariants after each event, and now and then lets the daemon restart.
func (w *world) verify() {
	if w.q.Len() == w.checked {
		return
	}
	w.checked = w.q.Len()
	if err := w.q.Check(); err != nil {
		w.t.Fatal(err)
	}
	w.events++
	if w.rnd.IntN(20) != 0 {
		return
	}
	again, err := w.restart()
	if err != nil {
		w.t.Fatal(err)
	}
	if before, after := w.q.Summary(), again.Summary(); before != after || !slices.Equal(w.q.pending, again.pending) || w.q.token != again.token || w.q.learned != again.learned {
		w.t.Fatalf("invariant 7: a restart makes %+v of %+v", after, before)
	}
	w.q = again
}

// restart is the queue as another daemon reads it: one time in four from text.
func (w *world) restart() (*Queue, error) {
	if w.events%4 != 0 {
		return Open(w.opts, w.now, w.q.Events(0)...)
	}
	text, err := json.Marshal(w.q)
	if err != nil {
		return nil, err
	}
	return Read(w.opts, w.now, text)
}

func (w *world) step() {
	w.now = w.now.Add(time.Duration(w.rnd.ExpFloat64() * float64(time.Second)))
	w.deliver()
	s := w.workers[w.rnd.IntN(len(w.workers))]
	switch {
	case s.dead:
		if w.rnd.IntN(3) == 0 {
			w.lose(s)
		}
	case !s.joined:
		if w.rnd.IntN(3) == 0 {
			w.join(s)
		}
	case w.rnd.IntN(60) == 0:
		w.die(s)
	case s.batch == nil:
		w.take(s)
	case w.now.Before(s.until):
		if w.rnd.IntN(4) != 0 { // else it is silent, perhaps for too long
			w.must(w.q.Heartbeat(s.id, w.now))
		}
	default:
		w.answer(s)
	}
	w.verify()
}

func (w *world) must(err error) {
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) join(s *simWorker) {
	if w.rnd.IntN(10) == 0 {
		other := append(slices.Clone(w.names), "extra.py")
		if err := w.q.Join(s.id, s.shard, other, w.now); w.q.hash != Hash(Normalise(other)) && err == nil {
			w.t.Fatal("a different list is taken")
		} else if err == nil {
			w.names, s.joined = other, true // it came first
		}
		return
	}
	list := slices.Clone(w.names)
	w.rnd.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	if err := w.q.Join(s.id, s.shard, list, w.now); err != nil {
		w.t.Fatal(err)
	}
	s.joined = true
}

func (w *world) take(s *simWorker) {
	repeat := w.rnd.IntN(5) == 0
	if !repeat {
		s.request++
	}
	offer, err := w.q.Take(s.id, s.request, w.now)
	w.must(err)
	if offer.Batch == nil {
		if !offer.Done && w.q.Summary().Running == 0 && w.q.liveBut(s.id) == 0 {
			w.t.Fatalf("invariant 8: %s waits for nothing: %+v", s.id, w.q.Summary())
		}
		return
	}
	second, err := w.q.Take(s.id, s.request, w.now)
	w.must(err)
	if second.Batch == nil || second.Batch.Token != offer.Batch.Token || !slices.Equal(second.Batch.Items, offer.Batch.Items) {
		w.t.Fatalf("the repeated request got %v, first %v", second.Batch, offer.Batch)
	}
	if w.q.batches[offer.Batch.Token].answered {
		return // an old request: the worker had that answer
	}
	s.batch = offer.Batch
	s.until = w.now.Add(time.Duration(w.rnd.ExpFloat64() * float64(len(s.batch.Items)) * float64(3*time.Second)))
}

// die ends a worker: with its answer on the way, or unheard.
func (w *world) die(s *simWorker) {
	s.dead = true
	if s.batch != nil && w.rnd.IntN(2) == 0 {
		w.send(s)
	}
}

func (w *world) lose(s *simWorker) {
	w.must(w.q.Lost(s.id, s.shard, w.now))
	if err := w.q.Heartbeat(s.id, w.now); err != ErrGone {
		w.t.Fatalf("a worker that is gone: %v", err)
	}
	for i, other := range w.workers {
		if other == s {
			w.workers = slices.Delete(w.workers, i, i+1)
			break
		}
	}
	w.attempt(s.shard + 100*w.rnd.IntN(2))
}

func (w *world) answer(s *simWorker) {
	w.send(s)
	s.batch = nil
}

// send puts an answer on its way: soon, late, or twice.
func (w *world) send(s *simWorker) {
	c := Completion{Outcome: Passed, Took: time.Duration(w.rnd.ExpFloat64() * float64(10*time.Second))}
	for _, item := range s.batch.Items {
		r := Result{Item: item, Outcome: Passed, Took: time.Duration(w.rnd.IntN(2)) * time.Second}
		switch {
		case w.rnd.Float64() < w.flips:
			r.Outcome = Failed
		case w.rnd.IntN(100) == 0:
			r.Outcome = Broken
		case w.rnd.IntN(2) == 0:
			continue
		}
		c.Results = append(c.Results, r)
	}
	a := answer{worker: s.id, token: s.batch.Token, c: c, at: w.now, copies: 1 + w.rnd.IntN(2)}
	if w.rnd.IntN(4) == 0 {
		a.at = w.now.Add(time.Duration(w.rnd.ExpFloat64() * float64(20*time.Second)))
	}
	w.late = append(w.late, a)
}

func (w *world) deliver() {
	left := w.late
	w.late = nil
	for _, a := range left {
		if a.at.After(w.now) {
			w.late = append(w.late, a)
			continue
		}
		first := !w.q.batches[a.token].answered
		receipt, err := w.q.Complete(a.worker, a.token, a.c, w.now)
		w.must(err)
		if _, err := w.q.Complete("somebody else", a.token, a.c, w.now); err == nil {
			w.t.Fatal("a token of another worker is taken")
		}
		if first {
			w.tally(receipt)
		}
		if a.copies--; a.copies > 0 {
			a.at = w.now.Add(5 * time.Second)
			w.late = append(w.late, a)
		}
		w.verify()
	}
}

func (w *world) tally(r Receipt) {
	for _, name := range r.Counted {
		w.counted[name]++
	}
	for _, name := range r.Again {
		w.again[name]++
	}
	for _, name := range r.Flaky {
		w.flaky[name]++
	}
}

// judge holds, from outside, that nothing was lost and nothing counted twice.
func (w *world) judge() {
	results := w.q.Results()
	if got := len(results); got != len(Normalise(w.names)) {
		w.t.Fatalf("%d tests went in, %d came out", len(w.names), got)
	}
	for _, r := range results {
		n := w.counted[r.Name] - w.again[r.Name]
		if want := 1; n != want && r.Outcome != Lost {
			w.t.Fatalf("%s (%s) has %d final results", r.Name, r.Outcome, n)
		}
		if (w.flaky[r.Name] == 1) != (r.Outcome == Flaky) {
			w.t.Fatalf("%s is %s, flaky in %d receipts", r.Name, r.Outcome, w.flaky[r.Name])
		}
		if r.Outcome == Lost && r.Losses < w.q.opts.MaxLosses {
			w.t.Fatalf("%s is given up after %d losses", r.Name, r.Losses)
		}
	}
	s, budget := w.q.Summary(), w.opts.Retry
	if budget.Each == 0 && s.Retried > 0 || budget.Items > 0 && s.Retried > budget.Items || budget.Time > 0 && w.q.again > budget.Time {
		w.t.Fatalf("%d retries, budget %+v", s.Retried, budget)
	}
}

// TestSimulation runs ten thousand days; under the race detector, which makes each ten times as long, a thousand unless
// RUNNER_SLOW=1. Each must come to its end.
func TestSimulation(t *testing.T) {
	runs, parts := 10_000, 4
	if raceDetector && os.Getenv("RUNNER_SLOW") == "" {
		runs = 1_000
	}
	for part := range parts {
		t.Run(strconv.Itoa(part), func(t *testing.T) {
			t.Parallel()
			events := 0
			for seed := part; seed < runs; seed += parts {
				events += oneDay(t, uint64(seed))
			}
			t.Logf("%d runs, %d events, each checked", runs/parts, events)
		})
	}
}

// oneDay simulates a day and tells how many events were checked.
func oneDay(t *testing.T, seed uint64) (events int) {
	w := newWorld(t, seed)
	for steps := 0; !w.q.Ended(); steps++ {
		if steps > 20_000 {
			t.Fatalf("seed %d: no end after %d steps: %+v", seed, steps, w.q.Summary())
		}
		w.step()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	w.judge()
	return w.events
}
