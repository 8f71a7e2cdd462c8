package scheduler

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/activity"
)

// Received is a delivery of a webhook and its fate, for people to read. What a stranger sent is in it as it came, clipped.
type Received struct {
	Seq        uint64    `json:"seq"`
	At         time.Time `json:"at"`
	Forge      string    `json:"forge"`
	Event      string    `json:"event,omitempty"`    // the forge's word
	Delivery   string    `json:"delivery,omitempty"` // the forge's id
	Repository string    `json:"repository,omitempty"`
	Ref        string    `json:"ref,omitempty"`
	Projects   []string  `json:"projects,omitempty"` // whose secret it is signed with; none: it was refused
	Status     int       `json:"status"`             // of the answer
	Outcome    string    `json:"outcome"`            // pong, ignored, pending, built, skipped, waiting, refused
	Reason     string    `json:"reason,omitempty"`
	Trigger    string    `json:"trigger,omitempty"`
	Remote     string    `json:"remote"` // address
}

// Refused tells that nobody's secret fitted.
func (r *Received) Refused() bool { return len(r.Projects) == 0 }

const (
	// keptReceived and keptRefused bound the deliveries that are remembered. Those that were refused cost a stranger
	// nothing, so they have a bound of their own, and cannot push the others out.
	keptReceived, keptRefused = 5000, 500
	// inboxEvery is how often deliveries are written to the disk, and how much of the inbox a kill -9 may lose: triggers
	// are on the disk before they are answered.
	inboxEvery = 2 * time.Second
	// inboxAtOnce bounds the deliveries that are written each time. Of a flood, the disk keeps the newest.
	inboxAtOnce = 500
)

// inbox remembers deliveries in memory, and writes them to state.db after the fact.
type inbox struct {
	mu       sync.Mutex
	seq      uint64
	received []Received // oldest first
	refused  []Received
	dirty    bool
	written  uint64 // the newest on the disk
	gone     []uint64
	arrived  chan struct{} // closed when something comes
}

// Note takes in a delivery. It waits for no disk.
func (s *Scheduler) Note(r Received) {
	b := &s.inbox
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seq++
	r.Seq = b.seq
	if r.At.IsZero() {
		r.At = time.Now()
	}
	if r.Refused() {
		b.refused = b.push(b.refused, r, keptRefused)
	} else {
		b.received = b.push(b.received, r, keptReceived)
	}
	b.dirty = true
	if b.arrived != nil {
		close(b.arrived)
		b.arrived = nil
	}
}

// push adds a row to a ring; what falls out of it is to be taken off the disk.
func (b *inbox) push(ring []Received, r Received, most int) []Received {
	if len(ring) >= most {
		if ring[0].Seq <= b.written {
			b.gone = append(b.gone, ring[0].Seq)
		}
		ring = ring[1:]
	}
	return append(ring, r)
}

// Received returns a page of deliveries, newest first, of those that may be shown: behind the cursor, which is the number
// of the last that was seen, or 0.
func (s *Scheduler) Received(show func(*Received) bool, before uint64, limit int) (page []Received, more bool) {
	b := &s.inbox
	b.mu.Lock()
	defer b.mu.Unlock()
	i, k := len(b.received)-1, len(b.refused)-1
	for i >= 0 || k >= 0 {
		var next *Received
		if k < 0 || i >= 0 && b.received[i].Seq > b.refused[k].Seq {
			next = &b.received[i]
			i--
		} else {
			next = &b.refused[k]
			k--
		}
		if before > 0 && next.Seq >= before || !show(next) {
			continue
		}
		if len(page) == limit {
			return page, true
		}
		page = append(page, *next)
	}
	return page, false
}

// NewestReceived is the number of the newest delivery, and a channel that is closed when the next one comes.
func (s *Scheduler) NewestReceived() (seq uint64, next <-chan struct{}) {
	b := &s.inbox
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.arrived == nil {
		b.arrived = make(chan struct{})
	}
	return b.seq, b.arrived
}

// readInbox takes up what a former daemon wrote.
func (s *Scheduler) readInbox() error {
	b := &s.inbox
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketInbox).ForEach(func(k, v []byte) error {
			var r Received
			if err := json.Unmarshal(v, &r); err != nil {
				return fmt.Errorf("reading a row of the inbox: %w", err)
			}
			if b.seq = max(b.seq, r.Seq); r.Refused() {
				b.refused = append(b.refused, r)
			} else {
				b.received = append(b.received, r)
			}
			return nil
		})
	})
	b.written = b.seq
	return err
}

// inboxLoop writes deliveries until ctx ends, and then what is left.
func (s *Scheduler) inboxLoop(ctx context.Context, t *activity.Task) {
	tick := time.NewTicker(inboxEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if err := s.writeInbox(); err != nil {
				s.log.Warn("the last deliveries of webhooks are missing in the inbox", "error", err)
			}
			return
		case <-tick.C:
			t.Waits(s.writeInbox())
		}
	}
}

// writeInbox writes what came since the last time in one transaction.
func (s *Scheduler) writeInbox() error {
	b := &s.inbox
	b.mu.Lock()
	if !b.dirty {
		b.mu.Unlock()
		return nil
	}
	rows := append(since(b.received, b.written), since(b.refused, b.written)...)
	gone, seq := b.gone, b.seq
	b.gone, b.dirty, b.written = nil, false, seq
	b.mu.Unlock()
	return s.db.Update(func(tx *bbolt.Tx) error {
		for _, n := range gone {
			if err := tx.Bucket(bucketInbox).Delete(number(n)); err != nil {
				return err
			}
		}
		for i := range rows {
			if err := put(tx, bucketInbox, number(rows[i].Seq), rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// since are the newest rows of a ring that are not on the disk, at most inboxAtOnce of them.
func since(ring []Received, written uint64) []Received {
	n := len(ring)
	for n > 0 && ring[n-1].Seq > written && len(ring)-n < inboxAtOnce {
		n--
	}
	return append([]Received(nil), ring[n:]...)
}
