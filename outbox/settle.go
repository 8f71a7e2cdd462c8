package outbox

import (
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Record is of an item that was dropped without having been sent.
type Record struct {
	Item            // without its body
	Put   time.Time `json:"put"`
	At    time.Time `json:"at"`
	Tries int       `json:"tries"`
	Why   string    `json:"why"` // says what to mend
}

// maxError bounds what is stored of an error: an answer is the receiver's.
const maxError = 500

// note stores what became of a try. A row that was replaced meanwhile is gone, and nothing is left to note of it.
func (b *Box) note(seq uint64, r *row, failure error, pause time.Duration) error {
	outcome, why := Failed, ""
	now := time.Now()
	switch {
	case failure == nil:
		outcome = Sent
	case isRefused(failure):
		outcome, why = Dropped, failure.Error()
	case now.Sub(r.Put) >= MaxAge && r.Tries >= fewTries, now.Sub(r.Put) >= 3*MaxAge:
		outcome, why = Dropped, fmt.Sprintf("it could not be sent for %.0f hours: %s", now.Sub(r.Put).Hours(), failure.Error())
	}
	err := b.db.Update(func(tx *bbolt.Tx) error {
		switch outcome {
		case Sent:
			return b.remove(tx, seq)
		case Dropped:
			return b.drop(tx, seq, why)
		}
		return b.postpone(tx, seq, failure, now.Add(pause))
	})
	if err != nil {
		return err
	}
	if outcome == Dropped || waitsAlone(failure) { // drop counts, and what waits has not failed
		return nil
	}
	b.o.Count(r.Kind, outcome)
	if outcome == Failed && r.Tries == 0 {
		b.o.Logger.Warn("the outside cannot be told; builds are not touched by it, and it is tried again", "kind", r.Kind, "to", r.Lane, "build", r.Build, "error", failure)
	}
	return nil
}

// postpone stores a failure.
func (b *Box) postpone(tx *bbolt.Tx, seq uint64, failure error, next time.Time) error {
	r, err := readRow(tx, seq)
	if r == nil || err != nil {
		return err
	}
	r.Next = next
	if !waitsAlone(failure) {
		r.Tries++
		r.Error = cut(failure.Error())
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encoding an item of the outbox: %w", err)
	}
	if err := tx.Bucket(bucket).Bucket(bucketItems).Put(number(seq), raw); err != nil {
		return err
	}
	tx.OnCommit(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if _, waits := b.lanes.of[seq]; waits {
			b.lanes.add(r.Lane, seq, next)
		}
	})
	return nil
}

// drop removes a row, if it is still there, and leaves a record.
func (b *Box) drop(tx *bbolt.Tx, seq uint64, why string) error {
	r, err := readRow(tx, seq)
	if r == nil || err != nil {
		return err
	}
	if err := b.remove(tx, seq); err != nil {
		return err
	}
	return b.record(tx, *r, why)
}

// record notes what was dropped. Of many records the oldest go.
func (b *Box) record(tx *bbolt.Tx, r row, why string) error {
	records := tx.Bucket(bucket).Bucket(bucketRecords)
	seq, err := records.NextSequence()
	if err != nil {
		return err
	}
	if seq > maxRecords {
		if err := records.Delete(number(seq - maxRecords)); err != nil {
			return err
		}
	}
	rec := Record{Item: r.Item, Put: r.Put, At: time.Now(), Tries: r.Tries, Why: cut(why)}
	rec.Body = nil
	raw, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("encoding a record of the outbox: %w", err)
	}
	tx.OnCommit(func() {
		b.o.Count(r.Kind, Dropped)
		b.o.Logger.Warn("an item of the outbox is dropped", "kind", r.Kind, "to", r.Lane, "project", r.Project, "build", r.Build, "why", rec.Why)
	})
	return records.Put(number(seq), raw)
}

// cut shortens a text at a rune.
func cut(text string) string {
	if len(text) <= maxError {
		return text
	}
	end := maxError
	for end > 0 && text[end]&0xC0 == 0x80 {
		end--
	}
	return text[:end] + "…"
}
