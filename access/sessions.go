package access

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

// Owner is by what a session was opened, which is looked at again with every request: what it may do ends with that.
type Owner struct {
	Token  string   `json:"token,omitempty"`  // id of a token
	Root   string   `json:"root,omitempty"`   // of the daemon's own token, what its sum begins with
	User   string   `json:"user,omitempty"`   // name of a person whom a provider of identities vouched for
	Groups []string `json:"groups,omitempty"` // of that person, as the provider said at the login
}

// Session is what is kept of a browser's.
type Session struct {
	Owner   Owner     `json:"owner"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"` // whatever is done with it
	Seen    time.Time `json:"seen"`    // to the minute

	sum   Sum
	seen  *atomic.Int64 // minute of the last use, since 1970
	saved int64         // the minute that is in the file
	life  context.Context
	end   context.CancelFunc
}

// maxSessions bounds how many there are; the one that was used the longest time ago goes first.
const maxSessions = 10_000

// maxOwn bounds how many of them one owner has, so that whoever logs in without end logs nobody else out.
const maxOwn = 100

// DefaultAge and DefaultIdle are how long a session lasts: a working day, and a long lunch.
const (
	DefaultAge  = 12 * time.Hour
	DefaultIdle = 2 * time.Hour
)

func (session *Session) wake(sum Sum) {
	session.sum, session.saved, session.seen = sum, minuteOf(session.Seen), new(atomic.Int64)
	session.seen.Store(session.saved)
	session.life, session.end = context.WithDeadline(context.Background(), session.Expires)
}

func (session *Session) show() Session {
	out := *session
	out.Seen = time.Unix(session.seen.Load()*60, 0).UTC()
	return out
}

// over tells whether a session's time is. It is counted to the minute, in favour of whoever has it.
func (s *Store) over(session *Session, now time.Time) bool {
	idle := now.Sub(time.Unix(session.seen.Load()*60, 0))
	return !now.Before(session.Expires) || s.idle() < idle-time.Minute
}

func (s *Store) idle() time.Duration {
	if s.o.Idle > 0 {
		return s.o.Idle
	}
	return DefaultIdle
}

func (s *Store) age() time.Duration {
	if s.o.Age > 0 {
		return s.o.Age
	}
	return DefaultAge
}

func (s *Store) loadSessions(tx *bbolt.Tx) error {
	return tx.Bucket(bucketSessions).ForEach(func(k, v []byte) error {
		session := new(Session)
		if err := json.Unmarshal(v, session); err != nil || len(k) != len(Sum{}) {
			return fmt.Errorf("the row of session %x cannot be read; restore a backup", k[:min(4, len(k))])
		}
		session.wake(Sum(k))
		s.sessions[session.sum] = session
		return nil
	})
}

// Begin opens a session and returns its secret, for the browser's cookie.
func (s *Store) Begin(owner Owner) (Session, string, error) {
	secret := NewSecret()
	now := time.Now().UTC()
	session := &Session{Owner: owner, Created: now, Expires: now.Add(s.age()), Seen: now}
	session.wake(SumOf(secret))
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketSessions)
		if oldest := s.oldest(owner); oldest != nil {
			if err := b.Delete(oldest.sum[:]); err != nil {
				return err
			}
			oldest.end()
			delete(s.sessions, oldest.sum)
		}
		return put(b, session.sum[:], session)
	})
	if err != nil {
		return Session{}, "", fmt.Errorf("storing the session: %w", err)
	}
	s.sessions[session.sum] = session
	return *session, secret, nil
}

// oldest is the session that has to go for another of an owner, nil where there is room.
func (s *Store) oldest(owner Owner) *Session {
	var oldest, own *Session
	count := 0
	for _, session := range s.sessions {
		if oldest == nil || session.seen.Load() < oldest.seen.Load() {
			oldest = session
		}
		if o := session.Owner; o.Token != owner.Token || o.Root != owner.Root || o.User != owner.User {
			continue
		}
		if count++; own == nil || session.Created.Before(own.Created) {
			own = session
		}
	}
	switch {
	case count >= maxOwn:
		return own
	case len(s.sessions) >= maxSessions:
		return oldest
	}
	return nil
}

// Session returns the session of a secret, and notes that it was used. Its life ends with its expiry and with End.
func (s *Store) Session(secret string) (session Session, life context.Context, ok bool) {
	if !Written(secret) {
		return Session{}, nil, false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	now, found := time.Now(), s.sessions[SumOf(secret)]
	if found == nil || s.over(found, now) {
		return Session{}, nil, false
	}
	found.seen.Store(minuteOf(now))
	return *found, found.life, true
}

// End closes a session. One that is no more is no error.
func (s *Store) End(secret string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := SumOf(secret)
	session := s.sessions[sum]
	if session == nil {
		return nil
	}
	err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketSessions).Delete(sum[:]) })
	if err != nil {
		return fmt.Errorf("removing the session: %w", err)
	}
	delete(s.sessions, sum)
	session.end()
	return nil
}
