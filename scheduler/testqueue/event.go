package testqueue

import (
	"encoding/json"
	"fmt"
	"time"
)

// Kinds of events.
const (
	kindList = "list" // the first list, which makes the queue
	kindJoin = "join" // a worker, new or heard of again
	kindTake = "take" // a batch is handed out
	kindDone = "done" // a batch is answered
	kindLost = "lost" // a worker is gone, or not heard of
)

// Event is one transition of a queue, and all that its row holds: what was decided, not what was asked, so that a later
// release with other ideas about batches reads it to the same state. Events of a queue are numbered by their order.
type Event struct {
	Kind    string  `json:"k"`
	At      int64   `json:"t"` // Unix time in milliseconds; Waited tells from it, and nothing that is decided depends on it
	Worker  string  `json:"w,omitempty"`
	Shard   int     `json:"s,omitempty"`
	Request uint64  `json:"r,omitempty"`
	Token   uint64  `json:"n,omitempty"`
	Items   []int   `json:"i,omitempty"` // handed out; or counted, with an outcome and a time each
	Result  string  `json:"o,omitempty"` // an outcome's letter for each of Items
	Micros  []int64 `json:"m,omitempty"` // for each of Items
	Took    int64   `json:"d,omitempty"` // microseconds of the whole batch
	Sum     int64   `json:"u,omitempty"` // microseconds that the tests reported for themselves; 0 when not known
	Again   []int   `json:"a,omitempty"` // of Items, those that failed and are tried again
	Dropped []int   `json:"x,omitempty"` // items that too many workers died of
	Final   bool    `json:"f,omitempty"` // the lost worker cannot come back
	List    *List   `json:"l,omitempty"`
}

// List is what an event that makes a queue holds.
type List struct {
	Names  []string `json:"names"`            // normalised
	Micros []int64  `json:"micros,omitempty"` // expected, for each name; negative when estimated; none when nothing is recorded
	Plan   []Share  `json:"plan,omitempty"`   // of a replay: what each shard is given
	Kept   []int    `json:"kept,omitempty"`   // of a replay: items that are not run again
	Result string   `json:"kr,omitempty"`     // an outcome's letter for each of Kept
}

// MarshalJSON writes a queue as its events.
func (q *Queue) MarshalJSON() ([]byte, error) { return json.Marshal(q.events) }

// Events returns what happened since the first n events, to be stored in the transaction of what caused it. The result
// is read only.
func (q *Queue) Events(n int) []Event { return q.events[min(max(n, 0), len(q.events)):] }

// Len is how many events have happened.
func (q *Queue) Len() int { return len(q.events) }

// Open makes a queue from its stored events, none for a new one. Workers that were heard of before count as heard of
// now: a daemon that was away does not blame them for it. It fails when the events are not of one queue.
func Open(opts Options, now time.Time, events ...Event) (*Queue, error) {
	q := &Queue{opts: opts.withDefaults(), workers: make(map[string]*worker), batches: make(map[uint64]*batch), byName: make(map[string]int)}
	for i, e := range events {
		if err := q.apply(e); err != nil {
			return nil, fmt.Errorf("event %d of the test queue (%s): %w", i, e.Kind, err)
		}
	}
	for _, w := range q.workers {
		w.seen = now
	}
	return q, nil
}

// Read is Open for what json.Marshal made of a queue.
func Read(opts Options, now time.Time, text []byte) (*Queue, error) {
	var events []Event
	if err := json.Unmarshal(text, &events); err != nil {
		return nil, fmt.Errorf("reading a test queue: %w", err)
	}
	return Open(opts, now, events...)
}
