package secrets

import (
	"context"
	"errors"

	"go.etcd.io/bbolt"
)

// ownProject is the project of what the daemon keeps for itself. No project can have that name, so that no build is ever
// given a value of it, and nobody can set, list or remove one.
const ownProject = "."

// SetOwn keeps a value for the daemon itself. The error wraps ErrLocked where there is no key and none can be made.
func (s *Store) SetOwn(_ context.Context, name, value, by string) error {
	c := Change{Name: name, Project: AllProjects, Value: &value, By: by}
	if err := c.check(); err != nil {
		return err
	}
	c.Project = ownProject
	db, err := s.file(true)
	if err != nil {
		return err
	}
	made, err := s.unlock(true)
	if err != nil {
		return err
	}
	if made != "" {
		s.sayKeyMade(made)
	}
	k, err := s.open()
	if err != nil {
		return err
	}
	return db.Update(func(tx *bbolt.Tx) error {
		var out Changed
		return c.apply(tx, k, &out)
	})
}

// Own opens a value that the daemon keeps for itself. The error wraps ErrNotFound where there is none.
func (s *Store) Own(_ context.Context, name string) (string, error) {
	db, err := s.file(false)
	if err != nil {
		return "", err
	}
	var f *found
	if db != nil {
		err = db.View(func(tx *bbolt.Tx) error {
			r, err := find(tx, name, ownProject)
			if r != nil && len(r.Versions) > 0 {
				f = &found{row: r, version: r.Versions[len(r.Versions)-1]}
			}
			return err
		})
	}
	if err != nil {
		return "", err
	}
	if f == nil {
		return "", say(ErrNotFound, "the daemon keeps no %s", shown(name))
	}
	return s.reveal(db, f, Ref{})
}

// RemoveOwn forgets a value that the daemon keeps for itself; there need be none.
func (s *Store) RemoveOwn(_ context.Context, name, by string) error {
	err := s.remove(name, ownProject, by)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
