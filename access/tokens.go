package access

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

// Token is what is kept of a token of the API.
type Token struct {
	ID      string    `json:"id"`   // differs from that of every other token, former ones of the same name included
	Name    string    `json:"name"` // whom actions by it are recorded as
	Sum     []byte    `json:"sum"`
	Grant   Grant     `json:"grant"`
	Created time.Time `json:"created"`
	By      string    `json:"by"`      // who made it
	Expires time.Time `json:"expires"` // zero: never
	Used    time.Time `json:"used"`    // to the minute; zero: not yet
}

// held is a token in memory.
type held struct {
	Token
	used  atomic.Int64 // minute of the last use, since 1970
	saved int64        // the minute that is in the file; guarded by the mutex of the store
	life  context.Context
	end   context.CancelFunc
}

// maxTokens bounds how many there are at a time.
const maxTokens = 10_000

// tokenName keeps names apart from those of people, which have a colon.
var tokenName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// CheckName tells whether a token may be called so.
func CheckName(name string) error {
	if !tokenName.MatchString(name) {
		return fmt.Errorf("a token's name has 1 to 64 letters, digits, dots, dashes, underscores and @, and %.80q is none: %w", name, ErrInvalid)
	}
	return nil
}

func hold(t Token) *held {
	h := &held{Token: t, saved: minuteOf(t.Used)}
	h.used.Store(h.saved)
	if t.Expires.IsZero() {
		h.life, h.end = context.WithCancel(context.Background())
	} else {
		h.life, h.end = context.WithDeadline(context.Background(), t.Expires)
	}
	return h
}

func minuteOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix() / 60
}

func (h *held) expired(now time.Time) bool { return !h.Expires.IsZero() && !now.Before(h.Expires) }

// show is the token with its last use.
func (h *held) show() Token {
	t := h.Token
	if minute := h.used.Load(); minute > 0 {
		t.Used = time.Unix(minute*60, 0).UTC()
	}
	return t
}

func (s *Store) loadTokens(tx *bbolt.Tx) error {
	return tx.Bucket(bucketTokens).ForEach(func(k, v []byte) error {
		var t Token
		if err := json.Unmarshal(v, &t); err != nil || len(t.Sum) != len(Sum{}) || t.Name != string(k) {
			return fmt.Errorf("the row of token %.80q cannot be read; restore a backup", k)
		}
		h := hold(t)
		s.tokens[Sum(t.Sum)], s.named[t.Name] = h, h
		return nil
	})
}

// Create makes a token and returns its secret, which is kept nowhere. A zero time of expiry is none.
func (s *Store) Create(name string, grant Grant, expires time.Time, by string) (Token, string, error) {
	if err := CheckName(name); err != nil {
		return Token{}, "", err
	}
	if err := grant.Check(); err != nil {
		return Token{}, "", fmt.Errorf("%w: %w", err, ErrInvalid)
	}
	now := time.Now().UTC()
	if !expires.IsZero() && !expires.After(now) {
		return Token{}, "", fmt.Errorf("the token would expire in the past: %w", ErrInvalid)
	}
	secret := NewSecret()
	sum := SumOf(secret)
	grant.Projects = slices.Compact(slices.Sorted(slices.Values(grant.Projects)))
	t := Token{Name: name, Sum: sum[:], Grant: grant, Created: now, By: by, Expires: expires}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.named[name] != nil:
		return Token{}, "", fmt.Errorf("a token called %s is %w", name, ErrExists)
	case len(s.tokens) >= maxTokens:
		return Token{}, "", fmt.Errorf("there are %d tokens already, and no more are kept: %w", maxTokens, ErrInvalid)
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketTokens)
		seq, err := b.NextSequence()
		if err != nil {
			return err
		}
		t.ID = fmt.Sprintf("k%d", seq)
		return put(b, []byte(name), t)
	})
	if err != nil {
		return Token{}, "", fmt.Errorf("storing the token: %w", err)
	}
	h := hold(t)
	s.tokens[sum], s.named[name] = h, h
	return t, secret, nil
}

// Remove revokes a token. From its return on it opens nothing, and what was opened with it is closed.
func (s *Store) Remove(name string) (Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.named[name]
	if h == nil {
		return Token{}, fmt.Errorf("token %.80q: %w", name, ErrNotFound)
	}
	err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketTokens).Delete([]byte(name)) })
	if err != nil {
		return Token{}, fmt.Errorf("removing token %s: %w", name, err)
	}
	delete(s.named, name)
	delete(s.tokens, Sum(h.Sum))
	h.end()
	return h.show(), nil
}

// Tokens lists tokens by name: at most limit after that name.
func (s *Store) Tokens(after string, limit int) (page []Token, next string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, h := range s.named {
		if h.Name > after {
			page = append(page, h.show())
		}
	}
	slices.SortFunc(page, func(a, b Token) int { return cmp.Compare(a.Name, b.Name) })
	if len(page) > limit {
		page = page[:limit]
		next = page[limit-1].Name
	}
	return page, next
}

// Find returns the token of a secret, and notes that it was used. Its life ends with its expiry and its removal.
func (s *Store) Find(secret string) (t Token, life context.Context, ok bool) {
	if !Written(secret) {
		return Token{}, nil, false
	}
	// The map is asked for a hash of 256 random bits: how long that takes tells nothing about the bits.
	return s.use(func() *held { return s.tokens[SumOf(secret)] })
}

// FindID is Find by a token's id, for the sessions that were opened with it.
func (s *Store) FindID(id string) (t Token, life context.Context, ok bool) {
	return s.use(func() *held {
		for _, h := range s.named {
			if h.ID == id {
				return h
			}
		}
		return nil
	})
}

func (s *Store) use(find func() *held) (t Token, life context.Context, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	h, now := find(), time.Now()
	if h == nil || h.expired(now) {
		return Token{}, nil, false
	}
	h.used.Store(minuteOf(now))
	return h.Token, h.life, true
}

// gathered returns the rows that changed in memory alone, and forgets sessions whose time is over.
func (s *Store) gathered() (tokens []Token, sessions []*Session, gone []Sum) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.named {
		if minute := h.used.Load(); minute != h.saved {
			h.saved = minute
			tokens = append(tokens, h.show())
		}
	}
	now := time.Now()
	for sum, session := range s.sessions {
		switch {
		case s.over(session, now):
			gone = append(gone, sum)
			session.end()
			delete(s.sessions, sum)
		case session.seen.Load() != session.saved:
			session.saved = session.seen.Load()
			copied := session.show()
			sessions = append(sessions, &copied)
		}
	}
	return tokens, sessions, gone
}
