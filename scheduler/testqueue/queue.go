package testqueue

import (
	"cmp"
	"errors"
	"slices"
	"time"
)

// Errors that a worker's requests meet, besides *ListError. Each is final: the worker must fail, not ask again.
var (
	ErrEmpty   = errors.New("the files search found no test, so nothing would be tested; correct it")
	ErrUnknown = errors.New("the worker has not joined the test queue")
	ErrGone    = errors.New("the worker was given up, and its tests went to others; another attempt joins as another worker")
	ErrToken   = errors.New("the test queue has handed out no such batch to this worker")
)

// Options of a queue. The zero value is fit for use.
type Options struct {
	Workers   int           // how many are planned, so that the first to come does not take everything; 0: only those that came
	History   History       // looked at once, when the first list arrives
	Silence   time.Duration // a worker that is not heard of for longer is given up until it is; default 30 s
	MaxLosses int           // an item whose worker was lost that often is not tried again; default 3
	MaxItems  int           // of one batch; default 1000
	Retry     Retry
}

// Retry is the budget for trying failed items again. The zero value tries none.
type Retry struct {
	Each  int           // how often one item is tried again
	Items int           // how many retries there are in all; of an item of which some tests are tried again, each counts; 0: no such limit
	Share float64       // when more than this part of all items has failed, the change is broken and nothing is tried again; 0: no such limit
	Time  time.Duration // what the retried items took when they failed, in all; 0: no such limit
}

func (o Options) withDefaults() Options {
	o.Silence = cmp.Or(max(o.Silence, 0), 30*time.Second)
	o.MaxLosses = cmp.Or(max(o.MaxLosses, 0), 3)
	o.MaxItems = cmp.Or(max(o.MaxItems, 0), 1000)
	return o
}

// Queue hands a list of tests to workers in batches. It is a pure state machine: its methods return at once, do no I/O
// and read no clock, and what they changed is in Events. It is not safe for concurrent use.
type Queue struct {
	opts    Options
	events  []Event
	items   []item
	byName  map[string]int
	hash    string // of the list; empty until there is one
	first   string // the worker that brought it
	pending []int  // items that wait, in the order in which they go
	workers map[string]*worker
	batches map[uint64]*batch
	token   uint64 // the last one handed out
	done    int
	plan    map[int][][]int // of a replay
	retried int             // retries that were granted
	again   time.Duration   // what they took when they failed
	failed  int             // items that have failed at least once
	learned learned
}

// state of an item.
type state uint8

const (
	waiting state = iota // in pending
	held                 // in the open batch that its token names
	ended                // acknowledged
)

type item struct {
	name    string
	weight  time.Duration // expected
	known   bool          // weight is recorded
	scatter uint64
	state   state
	front   bool     // was handed out before
	token   uint64   // of the batch that holds it, or that it was counted from
	avoid   string   // the worker it failed on
	only    []string // the tests within it that failed; none when all of it is tried
	owner   int      // of a replay: the shard that it waits for, from 1; 0 for none
	fails   int
	losses  int
	outcome Outcome // when it has ended
	took    time.Duration
}

type worker struct {
	shard    int
	seen     time.Time
	state    presence
	token    uint64 // of its open batch, 0 for none
	requests map[uint64]uint64
}

type presence uint8

const (
	live   presence = iota
	silent          // not heard of for too long
	gone            // for good
)

type batch struct {
	token    uint64
	worker   string
	items    []int
	open     bool // its holder is live and has not answered
	answered bool
	only     map[int][]string // of items of which not all is tried
	tries    int              // that its failures led to
	receipt  Receipt
}

// Batch names the items of a batch that was handed out; none for a token that is no batch's.
func (q *Queue) Batch(token uint64) []string {
	b := q.batches[token]
	if b == nil {
		return nil
	}
	return q.names(b.items)
}

// order is how waiting items go: what was handed out before, then the longest; equals scattered.
func (q *Queue) order(a, b int) int {
	x, y := &q.items[a], &q.items[b]
	if x.front != y.front {
		if x.front {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(y.weight, x.weight), cmp.Compare(x.scatter, y.scatter), cmp.Compare(a, b))
}

// wait puts items that were handed out back in front.
func (q *Queue) wait(items ...int) {
	for _, i := range items {
		it := &q.items[i]
		it.state, it.front, it.token = waiting, true, 0
		at, _ := slices.BinarySearchFunc(q.pending, i, q.order)
		q.pending = slices.Insert(q.pending, at, i)
	}
}

// unwait takes an item out of those that wait.
func (q *Queue) unwait(i int) {
	if at, found := slices.BinarySearchFunc(q.pending, i, q.order); found {
		q.pending = slices.Delete(q.pending, at, at+1)
	}
}

// end acknowledges an item.
func (q *Queue) end(i int, outcome Outcome, token uint64) {
	it := &q.items[i]
	it.state, it.outcome, it.token = ended, outcome, token
	q.done++
}

// liveBut counts the live workers besides one.
func (q *Queue) liveBut(id string) (n int) {
	for name, w := range q.workers {
		if name != id && w.state == live {
			n++
		}
	}
	return n
}
