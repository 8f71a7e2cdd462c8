package testqueue

import "time"

// Outcome of an item. As a result of one try it is Passed, Failed, Broken or Quarantined.
type Outcome string

// The outcomes.
const (
	Passed Outcome = "passed"
	Failed Outcome = "failed"
	Broken Outcome = "broken" // it could not be tried: a compile error, a missing module. It is never tried again, so never flaky
	Flaky  Outcome = "flaky"  // it failed, then passed, on the same commit
	Lost   Outcome = "lost"   // too many workers were lost while they had it

	Quarantined Outcome = "quarantined" // what failed in it does not count, so it is as good as passed
)

// letters are how events write outcomes.
var letters = map[byte]Outcome{'p': Passed, 'f': Failed, 'b': Broken, 'k': Flaky, 'l': Lost, 'q': Quarantined}

// letter of an outcome; false for what is none.
func letter(o Outcome) (byte, bool) {
	switch o {
	case Passed, Failed, Broken, Lost, Quarantined:
		return o[0], true
	case Flaky:
		return 'k', true
	}
	return 0, false
}

// Result is how one item of a batch ended.
type Result struct {
	Item    string
	Outcome Outcome       // Passed, Failed, Broken or Quarantined
	Took    time.Duration // 0 when not measured
	Tests   []string      // of one that failed: its tests that did, where all others passed; none when that is not known
}

// Completion is a worker's answer for a batch. Items that Results leaves out have Outcome, and what is left of Took is
// divided among them as their expected durations are; so a worker that knows nothing but its command's exit status
// fills in two fields. A batch that failed although each of its items is said to have passed has failed for all of
// them: nobody knows for which.
type Completion struct {
	Outcome Outcome       // of items that are not in Results
	Took    time.Duration // of the whole batch, from start to end of its command
	Results []Result
}

// Receipt says what became of a batch's items.
type Receipt struct {
	Counted []string // the batch was the first to answer for them
	Ignored []string // acknowledged before, from another batch; reports must leave these out
	Again   []string // of Counted: they failed, and are tried again
	Flaky   []string // of Counted: they failed before, and passed now
}

// Summary counts a queue's items.
type Summary struct {
	Total, Done, Running, Waiting int
	// The outcomes of those that are done.
	Passed, Failed, Broken, Flaky, Lost, Quarantined int

	Retried int // tries that failures led to, of single tests where only these are tried again
	Live    int // workers that are heard of
	Known   int // items whose durations were recorded
}

// Summary counts.
func (q *Queue) Summary() Summary {
	s := Summary{Total: len(q.items), Done: q.done, Waiting: len(q.pending), Retried: q.retried, Live: q.liveBut("")}
	s.Running = s.Total - s.Done - s.Waiting
	counts := map[Outcome]*int{Passed: &s.Passed, Failed: &s.Failed, Broken: &s.Broken, Flaky: &s.Flaky, Lost: &s.Lost, Quarantined: &s.Quarantined}
	for _, it := range q.items {
		if it.known {
			s.Known++
		}
		if it.state == ended {
			*counts[it.outcome]++
		}
	}
	return s
}

// Ended is true when every item is acknowledged.
func (q *Queue) Ended() bool { return len(q.items) > 0 && q.done == len(q.items) }

// Failed tells whether one of these items has failed before, so that it is tried again.
func (q *Queue) Failed(names []string) bool {
	for _, name := range names {
		if i, known := q.byName[name]; known && q.items[i].fails > 0 {
			return true
		}
	}
	return false
}

// ItemResult is what became of an item.
type ItemResult struct {
	Name    string
	Outcome Outcome // empty when it has not ended
	Took    time.Duration
	Worker  string // whose answer counted; empty when none did
	Shard   int    // of Worker
	Token   uint64 // of the batch that it was counted from
	Fails   int    // tries that failed
	Losses  int    // tries whose worker was lost
}

// Results lists all items by name.
func (q *Queue) Results() []ItemResult {
	out := make([]ItemResult, len(q.items))
	for i, it := range q.items {
		out[i] = ItemResult{Name: it.name, Outcome: it.outcome, Took: it.took, Fails: it.fails, Losses: it.losses}
		if b := q.batches[it.token]; it.state == ended && b != nil {
			out[i].Worker, out[i].Shard, out[i].Token = b.worker, q.workers[b.worker].shard, it.token
		}
	}
	return out
}
