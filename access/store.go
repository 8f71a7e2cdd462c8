package access

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Format is the version of the buckets below. An older binary refuses a newer file.
const Format = 1

// Buckets of access.db.
var (
	bucketMeta     = []byte("meta")     // version
	bucketTokens   = []byte("tokens")   // name → Token
	bucketSessions = []byte("sessions") // sum → Session
	bucketAudit    = []byte("audit")    // sequence → Event, by admins of the daemon
	bucketSome     = []byte("some")     // sequence of bucketAudit's → Event, by admins of some projects
	bucketOthers   = []byte("others")   // sequence of bucketAudit's → Event, by anybody else
	bucketRefused  = []byte("refused")  // sequence of bucketAudit's → Event; apart, so that who is refused pushes nothing out
)

var allBuckets = [][]byte{bucketMeta, bucketTokens, bucketSessions, bucketAudit, bucketSome, bucketOthers, bucketRefused}

var metaVersion = []byte("version")

// Errors of this package, always wrapped with a sentence.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("there already")
	ErrInvalid  = errors.New("not right")
)

// Options say where a Store is.
type Options struct {
	Path   string // of access.db
	Age    time.Duration
	Idle   time.Duration // how long a session lasts unused; Age, how long at most
	Logger *slog.Logger
}

// Store keeps tokens, sessions and the audit log. It is safe for concurrent use.
type Store struct {
	o  Options
	db *bbolt.DB

	mu       sync.RWMutex
	tokens   map[Sum]*held
	named    map[string]*held // the same, by name
	sessions map[Sum]*Session

	refusals refusals
	kept     atomicCounts
}

// lockWait bounds how long another process may hold the file.
const lockWait = 3 * time.Second

// Open opens or makes the file, and reads tokens and sessions.
func Open(o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	db, err := openFile(o.Path, false)
	if err != nil {
		return nil, err
	}
	s := &Store{o: o, db: db, tokens: map[Sum]*held{}, named: map[string]*held{}, sessions: map[Sum]*Session{}}
	err = db.Update(func(tx *bbolt.Tx) error {
		if err := prepare(tx); err != nil {
			return err
		}
		return errors.Join(s.loadTokens(tx), s.loadSessions(tx), s.countEvents(tx))
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", o.Path, err), db.Close())
	}
	return s, nil
}

func openFile(path string, readOnly bool) (*bbolt.DB, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: lockWait, ReadOnly: readOnly, InitialMmapSize: 64 << 20, FreelistType: bbolt.FreelistMapType, NoFreelistSync: true,
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("opening %s: another runner holds it; stop that one, or name another data directory", path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("opening %s: %w; run as the user that owns the data directory", path, err)
	case err != nil:
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	db.MaxBatchDelay = time.Millisecond // a request waits for its record's commit
	return db, nil
}

func prepare(tx *bbolt.Tx) error {
	for _, name := range allBuckets {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(bucketMeta)
	if v := meta.Get(metaVersion); v != nil {
		return knownVersion(v)
	}
	return meta.Put(metaVersion, number(Format))
}

func knownVersion(v []byte) error {
	if len(v) != 8 {
		return errors.New("it does not say its version: it is damaged, or no file of tokens; restore a backup")
	}
	if got := binary.BigEndian.Uint64(v); got > Format {
		return fmt.Errorf("it has version %d of the file of tokens, this binary knows %d; use the newer binary that wrote it", got, Format)
	}
	return nil
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func put(b *bbolt.Bucket, key []byte, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return b.Put(key, raw)
}

// flushEvery is how often uses and refusals, which no request waits for, are written down.
const flushEvery = time.Minute

// Run writes down now and then when tokens and sessions were used last and what was refused, until ctx ends. What a
// kill -9 takes is a minute of that, and nothing else.
func (s *Store) Run(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.flush(); err != nil {
				s.o.Logger.Warn("writing down the last use of tokens and what was refused", "error", err)
			}
		}
	}
}

// flush writes what has gathered in memory. Where nothing has, it writes nothing.
func (s *Store) flush() error { return s.write(s.gathered()) }

func (s *Store) write(tokens []Token, sessions []*Session, gone []Sum) error {
	refused := s.refusals.take()
	if len(refused)+len(tokens)+len(sessions)+len(gone) == 0 {
		return nil
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		// What was removed since it was gathered must not come back.
		for _, t := range tokens {
			var stored Token
			b := tx.Bucket(bucketTokens)
			if raw := b.Get([]byte(t.Name)); raw == nil || json.Unmarshal(raw, &stored) != nil || stored.ID != t.ID {
				continue
			}
			if err := put(b, []byte(t.Name), t); err != nil {
				return err
			}
		}
		for _, session := range sessions {
			b := tx.Bucket(bucketSessions)
			if b.Get(session.sum[:]) == nil {
				continue
			}
			if err := put(b, session.sum[:], session); err != nil {
				return err
			}
		}
		for _, sum := range gone {
			if err := tx.Bucket(bucketSessions).Delete(sum[:]); err != nil {
				return err
			}
		}
		for _, e := range refused {
			if _, err := s.append(tx, bucketRefused, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// Close writes what has gathered, and closes the file.
func (s *Store) Close() error {
	return errors.Join(s.flush(), s.db.Close())
}

// Check proves the invariants of the file of a stopped daemon, and reports what is wrong. Where there is no file yet, all
// is well.
func Check(path string, report func(problem string)) error {
	db, err := openFile(path, true)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		for _, name := range allBuckets {
			if tx.Bucket(name) == nil {
				report(fmt.Sprintf("%s has no bucket %s: it is damaged; restore a backup", path, name))
				return nil
			}
		}
		s := &Store{tokens: map[Sum]*held{}, named: map[string]*held{}, sessions: map[Sum]*Session{}}
		for _, err := range []error{knownVersion(tx.Bucket(bucketMeta).Get(metaVersion)), s.loadTokens(tx), s.loadSessions(tx)} {
			if err != nil {
				report(fmt.Sprintf("%s: %v", path, err))
			}
		}
		return nil
	})
}
