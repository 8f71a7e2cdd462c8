package outbox

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// Item is one thing to tell.
type Item struct {
	Kind    string          `json:"kind"` // says which Sender
	Key     string          `json:"key"`  // within its kind: what waits under the same key is replaced
	Lane    string          `json:"lane"` // who is told: items of one lane are sent one after the other
	Project string          `json:"project,omitempty"`
	Build   string          `json:"build,omitempty"`
	Body    json.RawMessage `json:"body,omitempty"` // the Sender's; up to MaxBody
}

// Sender tells one item to the outside. It is called again for an item that it sent when the daemon died before that
// was noted. Its errors say what to do: a *Refused is final, a *Later names the pause, any other is tried again.
// Sending ends when ctx does.
type Sender func(ctx context.Context, it Item) error

const (
	// MaxWaiting is how many items wait at most. Beyond it the oldest go.
	MaxWaiting = 10_000
	// MaxBody bounds an item's body: senders read most of what they tell from the rows that it names.
	MaxBody = 64 << 10
	// MaxAge is how long an item is tried to be sent.
	MaxAge = 24 * time.Hour
	// fewTries are made even so, up to three times as long: a clock that jumps by a day drops nothing.
	fewTries = 20
	// maxRecords is how many dropped items are remembered.
	maxRecords = 100
)

// What becomes of items, as Options.Count is told it.
const (
	Sent    = "sent"
	Failed  = "failed" // and is tried again
	Dropped = "dropped"
)

// Options are what a Box may be given. The zero value is good.
type Options struct {
	Logger *slog.Logger
	Count  func(kind, outcome string) // called after the fact, must not block
	Pause  time.Duration              // before the second try; grows from there. Default 2 s
}

// Box is the outbox of one state.db.
type Box struct {
	db *bbolt.DB
	o  Options

	mu      sync.Mutex
	senders map[string]Sender
	lanes   lanes
	kick    chan struct{}
}

// row is an item as it is stored.
type row struct {
	Item
	Put   time.Time `json:"put"`
	Tries int       `json:"tries,omitempty"`
	Next  time.Time `json:"next,omitzero"` // not before
	Error string    `json:"error,omitempty"`
}

// All of it lies in one bucket of state.db.
var (
	bucket        = []byte("outbox")
	bucketItems   = []byte("items")   // sequence → row
	bucketKeys    = []byte("keys")    // kind NUL key → sequence of its row
	bucketRecords = []byte("records") // sequence → Record of what was dropped
	keyWaiting    = []byte("waiting") // in bucket: the number of rows
)

// Open makes the buckets if they are missing, and reads which items wait. Nothing is sent before Run.
func Open(db *bbolt.DB, o Options) (*Box, error) {
	b := &Box{db: db, senders: make(map[string]Sender), lanes: newLanes(), kick: make(chan struct{}, 1)}
	b.Configure(o)
	err := db.Update(func(tx *bbolt.Tx) error {
		root, err := tx.CreateBucketIfNotExists(bucket)
		if err != nil {
			return err
		}
		for _, name := range [][]byte{bucketItems, bucketKeys, bucketRecords} {
			if _, err := root.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return root.Bucket(bucketItems).ForEach(func(k, raw []byte) error {
			var r row
			if err := json.Unmarshal(raw, &r); err != nil {
				return fmt.Errorf("reading an item of the outbox: %w", err)
			}
			next := r.Next
			if time.Until(next) > mostPause+mostPause/4 { // the clock was set back, or a receiver asked for more than we keep
				next = time.Time{}
			}
			b.lanes.add(r.Lane, decode(k), next)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("opening the outbox: %w", err)
	}
	return b, nil
}

// Configure sets the options. Call it before Run.
func (b *Box) Configure(o Options) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Count == nil {
		o.Count = func(string, string) {}
	}
	if o.Pause <= 0 {
		o.Pause = firstPause
	}
	b.o = o
}

// Use sets who sends the items of a kind. Call it before Run.
func (b *Box) Use(kind string, s Sender) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.senders[kind] = s
}

// Put has an item sent once tx stands, whatever happens to the daemon. It fails only where the database does.
func (b *Box) Put(tx *bbolt.Tx, it Item) error {
	root := tx.Bucket(bucket)
	if len(it.Body) > MaxBody {
		return b.record(tx, row{Item: it, Put: time.Now()}, fmt.Sprintf("it has %d bytes, and %d is the most", len(it.Body), MaxBody))
	}
	items, keys := root.Bucket(bucketItems), root.Bucket(bucketKeys)
	if old := keys.Get(itemKey(it)); old != nil {
		if err := b.remove(tx, decode(old)); err != nil {
			return err
		}
	}
	if n := decode(root.Get(keyWaiting)); n >= MaxWaiting {
		if err := b.dropOldest(tx); err != nil {
			return err
		}
	}
	seq, err := items.NextSequence()
	if err != nil {
		return err
	}
	raw, err := json.Marshal(row{Item: it, Put: time.Now()})
	if err != nil {
		return fmt.Errorf("encoding an item of the outbox: %w", err)
	}
	if err := items.Put(number(seq), raw); err != nil {
		return err
	}
	if err := keys.Put(itemKey(it), number(seq)); err != nil {
		return err
	}
	if err := root.Put(keyWaiting, number(decode(root.Get(keyWaiting))+1)); err != nil {
		return err
	}
	tx.OnCommit(func() { b.added(it.Lane, seq) })
	return nil
}

func (b *Box) added(lane string, seq uint64) {
	b.mu.Lock()
	b.lanes.add(lane, seq, time.Time{})
	b.mu.Unlock()
	b.wake()
}

// remove drops a row, if it is still there, with its key.
func (b *Box) remove(tx *bbolt.Tx, seq uint64) error {
	root := tx.Bucket(bucket)
	r, err := readRow(tx, seq)
	if r == nil || err != nil {
		return err
	}
	if err := root.Bucket(bucketItems).Delete(number(seq)); err != nil {
		return err
	}
	if keys := root.Bucket(bucketKeys); decode(keys.Get(itemKey(r.Item))) == seq {
		if err := keys.Delete(itemKey(r.Item)); err != nil {
			return err
		}
	}
	tx.OnCommit(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.lanes.remove(r.Lane, seq)
	})
	return root.Put(keyWaiting, number(decode(root.Get(keyWaiting))-1))
}

func (b *Box) dropOldest(tx *bbolt.Tx) error {
	k, _ := tx.Bucket(bucket).Bucket(bucketItems).Cursor().First()
	if k == nil {
		return nil
	}
	return b.drop(tx, decode(k), fmt.Sprintf("%d newer items wait, which is the most", MaxWaiting))
}

// readRow returns a row, or nil where it is gone.
func readRow(tx *bbolt.Tx, seq uint64) (*row, error) {
	raw := tx.Bucket(bucket).Bucket(bucketItems).Get(number(seq))
	if raw == nil {
		return nil, nil
	}
	r := new(row)
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("reading an item of the outbox: %w", err)
	}
	return r, nil
}

func itemKey(it Item) []byte { return []byte(it.Kind + "\x00" + it.Key) }

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// decode reads a number; what is missing is 0.
func decode(raw []byte) uint64 {
	if len(raw) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(raw)
}

func (b *Box) wake() {
	select {
	case b.kick <- struct{}{}:
	default:
	}
}
