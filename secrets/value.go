package secrets

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"
)

// found is a version of a secret that a build may have.
type found struct {
	row     *row
	version versionRow
}

// Check tells whether a build may have a value, and gives it to nobody: the secret and its version are there, its scope
// holds the build, the store has its key, and the JSON field that was asked for is in the value. A refusal is recorded
// in the audit log.
func (s *Store) Check(_ context.Context, who Subject, ref Ref) error {
	db, err := s.file(false)
	if err != nil {
		return err
	}
	f, err := s.look(db, who, ref)
	if err != nil {
		return err
	}
	if ref.Key == "" {
		_, err = s.open()
		return err
	}
	_, err = s.reveal(db, f, ref)
	return err
}

// Value opens a value for a build. It returns once that is in the audit log.
func (s *Store) Value(_ context.Context, who Subject, ref Ref) (string, error) {
	db, err := s.file(false)
	if err != nil {
		return "", err
	}
	f, err := s.look(db, who, ref)
	if err != nil {
		return "", err
	}
	value, err := s.reveal(db, f, ref)
	if err != nil {
		return "", err
	}
	err = db.Batch(func(tx *bbolt.Tx) error {
		return record(tx, Event{
			Action: ActionRead, Build: who.Build, Ref: who.Ref, Name: f.row.Name, Project: f.row.Project, Version: f.version.ID, Field: ref.Key,
		})
	})
	if err != nil {
		return "", fmt.Errorf("noting in the audit log that %s was given: %w", f.row.Name, err)
	}
	return value, nil
}

// reveal opens the value that was found, and takes the field that was asked for.
func (s *Store) reveal(db *bbolt.DB, f *found, ref Ref) (string, error) {
	k, err := s.open()
	if err != nil {
		return "", err
	}
	var sealed []byte
	key := valueKey(f.row.Name, f.row.Project, f.version.ID)
	err = db.View(func(tx *bbolt.Tx) error {
		sealed = append(sealed, tx.Bucket(bucketValues).Get(key)...)
		return nil
	})
	if err != nil {
		return "", err
	}
	value, err := k.open(sealed, f.row.Name, f.row.Project, f.version.ID)
	if err != nil || ref.Key == "" {
		return value, err
	}
	return field(f.row.Name, value, ref.Key)
}

// look finds what a Ref means to a build. A secret of the build's project goes before one of all projects. What a
// project other than the build's has, does not exist for it, and to a stranger's build nothing exists.
func (s *Store) look(db *bbolt.DB, who Subject, ref Ref) (*found, error) {
	t, err := resolve(ref)
	if err != nil {
		return nil, err
	}
	var f *found
	if db != nil {
		err = db.View(func(tx *bbolt.Tx) (err error) {
			f, err = t.find(tx, who.Project)
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	if who.Fork {
		refusal := permits(ref.Name, nil, who)
		if f == nil {
			return nil, refusal
		}
		return nil, deny(db, f, who, ref, refusal)
	}
	if f == nil {
		return nil, missing(db, who, ref)
	}
	if refusal := permits(f.row.Name, f.row.Refs, who); refusal != nil {
		return nil, deny(db, f, who, ref, refusal)
	}
	if v := f.row.version(t.version, t.stage); v != nil {
		f.version = *v
		return f, nil
	}
	if t.version != "" {
		return nil, say(ErrNotFound, "Parameter does not exist: %s has no version %s; runner secret history %s lists those it has", f.row.Name, shown(t.version), f.row.Name)
	}
	return nil, say(ErrNotFound, "Parameter does not exist: %s has no version in stage %s; there are %s and, after a second version was set, %s",
		f.row.Name, shown(t.stage), StageCurrent, StagePrevious)
}

func (t target) find(tx *bbolt.Tx, project string) (*found, error) {
	for _, name := range t.names {
		for _, p := range []string{project, AllProjects} {
			r, err := find(tx, name, p)
			if err != nil {
				return nil, err
			}
			if r != nil {
				return &found{row: r}, nil
			}
		}
	}
	return nil, nil
}

// deny records a refusal, and returns it.
func deny(db *bbolt.DB, f *found, who Subject, ref Ref, refusal error) error {
	err := db.Batch(func(tx *bbolt.Tx) error {
		return record(tx, Event{
			Action: ActionDenied, Build: who.Build, Ref: clip(who.Ref), Name: f.row.Name, Project: f.row.Project, Field: clip(ref.Key),
		})
	})
	if err != nil {
		return fmt.Errorf("noting in the audit log that a build was refused %s: %w", f.row.Name, err)
	}
	return refusal
}

// clip bounds what a stranger chooses and we keep.
func clip(text string) string { return text[:min(len(text), 300)] }
