package secrets

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// Secret is what is told of a secret: all but its values.
type Secret struct {
	Name     string
	Project  string    // or AllProjects
	Refs     []string  // patterns of refs whose untrusted builds may have it too
	Versions []Version // newest first
}

// Version is one version of a secret.
type Version struct {
	ID      string
	Stage   string // StageCurrent, StagePrevious, or empty
	Created time.Time
	By      string
}

func (r *row) secret() Secret {
	s := Secret{Name: r.Name, Project: r.Project, Refs: slices.Clone(r.Refs)}
	for i, v := range slices.Backward(r.Versions) {
		out := Version{ID: v.ID, Created: v.Created, By: v.By}
		switch len(r.Versions) - i {
		case 1:
			out.Stage = StageCurrent
		case 2:
			out.Stage = StagePrevious
		}
		s.Versions = append(s.Versions, out)
	}
	return s
}

// List returns secrets by name, then project: at most limit of them, behind the cursor, which is "" for the first. name
// narrows it to one name. next is the cursor of the page that follows, or empty.
func (s *Store) List(cursor string, limit int, name string) (page []Secret, next string, err error) {
	after, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, "", badCursor(cursor)
	}
	db, err := s.file(false)
	if err != nil || db == nil {
		return nil, "", err
	}
	from, within := after, []byte(nil)
	if name != "" {
		within = secretKey(name, "")
	}
	if len(from) == 0 {
		from = within
	}
	err = db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketSecrets).Cursor()
		for k, v := c.Seek(from); k != nil && bytes.HasPrefix(k, within); k, v = c.Next() {
			if _, project, _ := splitKey(k); bytes.Equal(k, after) || project == ownProject {
				continue
			}
			if len(page) == limit {
				last := page[limit-1]
				next = base64.RawURLEncoding.EncodeToString(secretKey(last.Name, last.Project))
				return nil
			}
			var r row
			if err := json.Unmarshal(v, &r); err != nil {
				return fmt.Errorf("reading a row of the secret store: %w; run runner check", err)
			}
			page = append(page, r.secret())
		}
		return nil
	})
	return page, next, err
}

func badCursor(cursor string) error {
	return say(ErrInvalid, "%q is no cursor; pass on what the page before gave as next", shown(cursor))
}

// Remove removes a secret with all its versions. The error wraps ErrNotFound when there is none.
func (s *Store) Remove(_ context.Context, name, project, by string) error {
	if project == ownProject {
		return noSecret(name, project)
	}
	return s.remove(name, project, by)
}

func (s *Store) remove(name, project, by string) error {
	db, err := s.file(false)
	if err != nil {
		return err
	}
	if db == nil {
		return noSecret(name, project)
	}
	return db.Update(func(tx *bbolt.Tx) error {
		r, err := find(tx, name, project)
		if err != nil {
			return err
		}
		if r == nil {
			return noSecret(name, project)
		}
		for _, v := range r.Versions {
			if err := tx.Bucket(bucketValues).Delete(valueKey(name, project, v.ID)); err != nil {
				return err
			}
		}
		if err := tx.Bucket(bucketSecrets).Delete(secretKey(name, project)); err != nil {
			return err
		}
		return record(tx, Event{Action: ActionRemove, By: by, Name: name, Project: project})
	})
}
