package artifacts

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Policy says what Expire keeps.
type Policy struct {
	MaxAge   time.Duration        // what is older goes; 0 keeps for ever
	MaxBytes int64                // stored bytes of logs and sets together, after compression; 0 is no bound
	Pinned   func(id string) bool // what stays whatever its age, the logs and sets of running builds; may be nil
}

// Expired is what Expire removed.
type Expired struct {
	Sets, Logs int
	Freed      Freed
}

// Expire removes sets and logs, the oldest first: those older than MaxAge, and then as many as it takes to store no
// more than MaxBytes. It frees their space as it goes. A log that is not sealed counts by its last append, and never
// goes for its size. What is pinned or being read may leave more than MaxBytes.
func (s *Store) Expire(ctx context.Context, p Policy) (Expired, error) {
	s.collecting.Lock()
	defer s.collecting.Unlock()
	var out Expired
	var err error
	if out.Freed, err = s.collect(ctx); err != nil {
		return out, err
	}
	oldest := int64(math.MinInt64)
	if p.MaxAge > 0 {
		oldest = s.now().Add(-p.MaxAge).UnixNano()
	}
	err = s.pages(ctx, top(ageBucket), func(k, _ []byte) error {
		it, ok := parseAge(k)
		if !ok {
			return fmt.Errorf("%w: age key %x", ErrDamaged, k)
		}
		tooLarge := false
		if p.MaxBytes > 0 {
			stored, err := s.storedBytes()
			if err != nil {
				return err
			}
			tooLarge = stored > p.MaxBytes
		}
		if it.created >= oldest && !tooLarge {
			return errEnough
		}
		if p.Pinned != nil && p.Pinned(it.id) {
			return nil
		}
		return s.expire(ctx, it, oldest, tooLarge, &out)
	})
	if err != nil && !errors.Is(err, errEnough) {
		return out, fmt.Errorf("removing old logs and artifact sets: %w", err)
	}
	return out, nil
}

// errEnough ends a walk early.
var errEnough = errors.New("enough")

// aged is a key of age.
type aged struct {
	created int64
	kind    byte
	id      string
}

func parseAge(k []byte) (aged, bool) {
	if len(k) < 10 {
		return aged{}, false
	}
	created, _ := number(k[:8])
	return aged{created: int64(created), kind: k[8], id: string(k[9:])}, true
}

func (s *Store) storedBytes() (int64, error) {
	var t totals
	err := s.view(func(tx *bolt.Tx) (err error) {
		t, err = readTotals(tx)
		return err
	})
	return t.ChunkStored + t.LogStored, err
}

// expire removes one set or log and frees it, unless it is of another making by now, or in use.
func (s *Store) expire(ctx context.Context, it aged, oldest int64, tooLarge bool, out *Expired) error {
	var gen uint64
	err := s.lane.write(ctx, func(tx *bolt.Tx) (err error) {
		gen, err = s.dropAged(tx, it, oldest, tooLarge)
		return err
	})
	if err != nil || gen == 0 {
		return err
	}
	if it.kind == kindSet {
		out.Sets++
	} else {
		out.Logs++
		s.waiters.wake(it.id)
	}
	if !s.pins.condemn(gen) {
		return nil
	}
	freed, err := s.reap(ctx, gen, it.kind)
	out.Freed.add(freed)
	return err
}

// dropAged returns 0 when it stays. What is being read does not go for its size: nothing would be free for it.
func (s *Store) dropAged(tx *bolt.Tx, it aged, oldest int64, tooLarge bool) (uint64, error) {
	if tx.Bucket(ageBucket).Get(ageKey(it.created, it.kind, it.id)) == nil {
		return 0, nil
	}
	if it.kind == kindSet {
		row, err := readSet(tx, it.id)
		if err != nil || row.Created >= oldest && s.pins.reading(row.Gen) {
			return 0, err
		}
		return dropSet(tx, it.id)
	}
	row, err := readLog(tx, it.id)
	old := row.Created < oldest
	if !row.Sealed {
		old, tooLarge = row.Updated < oldest, false
	}
	if err != nil || !old && (!tooLarge || s.pins.reading(row.Gen)) {
		return 0, err
	}
	return dropLog(tx, it.id)
}
