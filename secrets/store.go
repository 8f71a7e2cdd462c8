package secrets

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"

	"go.etcd.io/bbolt"
)

// Options say where a Store is.
type Options struct {
	Path   string  // of secrets.db, made with the first secret
	Data   string  // the data directory, in which the key may not lie
	Key    KeyFile // see FindKey
	Logger *slog.Logger
}

// Store keeps secrets in a file of their own. It is safe for concurrent use.
type Store struct {
	o   Options
	log *slog.Logger

	mu     sync.Mutex // guards what follows
	db     *bbolt.DB  // nil until there is a first secret
	keys   *keys      // nil while locked
	closed bool
}

// Open opens a store. A store without any secret has no file and needs no key. One whose key is missing or wrong opens
// too, and says so in the log: its secrets are listed and removed, and not given, until the key is back.
func Open(o Options) (*Store, error) {
	s := &Store{o: o, log: o.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if _, err := os.Stat(o.Path); errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	var err error
	if s.db, err = openFile(o.Path, false); err != nil {
		return nil, err
	}
	if _, err := s.unlock(false); err != nil {
		if !errors.Is(err, ErrLocked) {
			return nil, errors.Join(err, s.db.Close())
		}
		s.log.Error("no build gets parameters or secrets until the store has its key", "error", err)
	}
	return s, nil
}

// Close closes the file. Calls that come later fail.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.keys = true, nil
	if s.db == nil {
		return nil
	}
	return s.db.Close()
}

// file returns the open file, nil when there is none yet; with create, it is made.
func (s *Store) file(create bool) (*bbolt.DB, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.New("the secret store is closed")
	}
	if s.db == nil && create {
		var err error
		if s.db, err = openFile(s.o.Path, false); err != nil {
			return nil, err
		}
	}
	return s.db, nil
}

// unlock returns the keys, reading the key file until it was read with success. With create, a store to which no value
// was ever sealed gets a new key where there is none; made is that key's file then.
func (s *Store) unlock(create bool) (made string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys != nil || s.db == nil {
		return "", nil
	}
	check, err := readCheck(s.db)
	if err != nil {
		return "", err
	}
	k, err := s.o.Key.load(s.o.Data)
	if errors.Is(err, fs.ErrNotExist) && check == nil {
		if !create {
			return "", nil // nothing is sealed, so nothing is missing
		}
		if err := s.o.Key.make(s.o.Data); err != nil {
			return "", err
		}
		made = s.o.Key.Path
		k, err = s.o.Key.load(s.o.Data)
	}
	if err != nil {
		return "", err
	}
	if err := s.prove(k, check); err != nil {
		return "", err
	}
	s.keys = k
	return made, nil
}

// open returns the keys for reading, or why there are none.
func (s *Store) open() (*keys, error) {
	if _, err := s.unlock(false); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		return nil, say(ErrLocked, "the secret store has no key yet; it is made with the first secret")
	}
	return s.keys, nil
}
