package secrets

import (
	"context"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.etcd.io/bbolt"
)

const (
	// MaxValue bounds a value in bytes, as Secrets Manager does.
	MaxValue = 64 << 10
	// keepVersions is how many versions of a secret are kept.
	keepVersions = 10
	maxVersionID = 64
)

// Change is what Set does to a secret. What is nil stays as it is.
type Change struct {
	Name    string
	Project string    // AllProjects, or the one whose builds may have it
	Value   *string   // a new version
	Version string    // id of that version, which a buildspec may pin; empty: a number
	Refs    *[]string // untrusted builds of these refs may have it too
	By      string    // who does it, for the audit log
}

// Changed tells what Set did.
type Changed struct {
	Secret  Secret
	Created bool   // there was none before
	Same    bool   // it was all so already
	KeyMade string // file of the store's key, when this call made it
}

// Set makes a secret, or gives it a new version or another scope. Setting what is set already changes nothing, so that
// a call can be repeated. The error wraps ErrInvalid, ErrLocked, ErrConflict, or ErrNotFound for a change of the scope
// alone of what does not exist.
func (s *Store) Set(_ context.Context, c Change) (Changed, error) {
	if err := c.check(); err != nil {
		return Changed{}, err
	}
	db, err := s.file(c.Value != nil)
	if err != nil {
		return Changed{}, err
	}
	if db == nil {
		return Changed{}, noSecret(c.Name, c.Project)
	}
	var out Changed
	var k *keys
	if c.Value != nil {
		if out.KeyMade, err = s.unlock(true); err != nil {
			return Changed{}, err
		}
		if out.KeyMade != "" {
			s.sayKeyMade(out.KeyMade)
		}
		if k, err = s.open(); err != nil {
			return Changed{}, err
		}
	}
	err = db.Update(func(tx *bbolt.Tx) error { return c.apply(tx, k, &out) })
	if err != nil {
		return Changed{KeyMade: out.KeyMade}, err
	}
	return out, nil
}

func (s *Store) sayKeyMade(file string) {
	s.log.Warn("made the key of the secret store: without this file no secret can be read, so keep a copy of it, apart from copies of the data directory", "file", file)
}

func (c *Change) check() error {
	if err := errors.Join(CheckName(c.Name), checkProject(c.Project)); err != nil {
		return err
	}
	if c.Refs != nil {
		if err := CheckRefs(*c.Refs); err != nil {
			return err
		}
	}
	if c.Value == nil {
		if c.Refs == nil {
			return say(ErrInvalid, "neither a value nor a scope was given for %s", shown(c.Name))
		}
		if c.Version != "" {
			return say(ErrInvalid, "a version's id was given for %s without a value", shown(c.Name))
		}
		return nil
	}
	switch v := *c.Value; {
	case v == "":
		return say(ErrInvalid, "the value for %s is empty, which it hardly was meant to be", shown(c.Name))
	case len(v) > MaxValue:
		return say(ErrInvalid, "the value for %s has %d bytes; a secret has at most %d", shown(c.Name), len(v), MaxValue)
	case !utf8.ValidString(v):
		return say(ErrInvalid, "the value for %s is not UTF-8 text; encode it with base64, and decode it in the build", shown(c.Name))
	case strings.Contains(v, "\x00"):
		return say(ErrInvalid, "the value for %s has a zero byte, which no environment variable can hold; encode it with base64", shown(c.Name))
	}
	return c.checkVersion()
}

// checkVersion keeps ids of people's apart from the store's own, which are numbers.
func (c *Change) checkVersion() error {
	if c.Version == "" {
		return nil
	}
	bad := len(c.Version) > maxVersionID || strings.HasPrefix(c.Version, "AWS") || strings.Trim(c.Version, "0123456789") == "" ||
		strings.ContainsFunc(c.Version, func(r rune) bool { return !nameRune(r) || strings.ContainsRune("/+=@", r) })
	if bad {
		return say(ErrInvalid, "%q is no id for a version: use letters, digits and - _ ., at most %d, not digits alone", shown(c.Version), maxVersionID)
	}
	return nil
}

func (c *Change) apply(tx *bbolt.Tx, k *keys, out *Changed) error {
	r, err := find(tx, c.Name, c.Project)
	if err != nil {
		return err
	}
	switch {
	case r == nil && c.Value == nil:
		return noSecret(c.Name, c.Project)
	case r == nil:
		r, out.Created = &row{Name: c.Name, Project: c.Project}, true
	}
	same := true
	if c.Refs != nil && !sameRefs(r.Refs, *c.Refs) {
		r.Refs, same = append([]string(nil), *c.Refs...), false
		if !out.Created {
			if err := record(tx, Event{Action: ActionScope, By: c.By, Name: c.Name, Project: c.Project}); err != nil {
				return err
			}
		}
	}
	if c.Value != nil {
		added, err := c.addVersion(tx, k, r)
		if err != nil {
			return err
		}
		same = same && !added
	}
	out.Secret, out.Same = r.secret(), same
	if same {
		return nil
	}
	return r.put(tx)
}

// addVersion makes the value the newest version, unless it is that already.
func (c *Change) addVersion(tx *bbolt.Tx, k *keys, r *row) (added bool, err error) {
	values := tx.Bucket(bucketValues)
	held := r.version(c.Version, StageCurrent)
	if held != nil {
		value, err := k.open(values.Get(valueKey(r.Name, r.Project, held.ID)), r.Name, r.Project, held.ID)
		switch {
		case err == nil && value == *c.Value:
			return false, nil
		case c.Version != "":
			return false, say(ErrConflict, "version %s of %s is there already with another value; a version never changes", c.Version, c.Name)
		} // a damaged value is no reason not to set a new one
	}
	id := c.Version
	if id == "" {
		if id, err = nextNumber(tx, r); err != nil {
			return false, err
		}
	}
	sealed, err := k.seal(envelope{r.Name, r.Project, id, *c.Value})
	if err != nil {
		return false, err
	}
	if err := values.Put(valueKey(r.Name, r.Project, id), sealed); err != nil {
		return false, err
	}
	r.Versions = append(r.Versions, versionRow{ID: id, Created: time.Now().UTC(), By: c.By})
	for len(r.Versions) > keepVersions {
		if err := values.Delete(valueKey(r.Name, r.Project, r.Versions[0].ID)); err != nil {
			return false, err
		}
		r.Versions = r.Versions[1:]
	}
	return true, record(tx, Event{Action: ActionSet, By: c.By, Name: r.Name, Project: r.Project, Version: id})
}

// nextNumber counts a secret's versions. It goes on counting after the secret was removed and made again, so that a
// version once named never means another value.
func nextNumber(tx *bbolt.Tx, r *row) (string, error) {
	b, key := tx.Bucket(bucketNumbers), secretKey(r.Name, r.Project)
	n := uint64(1)
	if raw := b.Get(key); len(raw) == 8 {
		n = binary.BigEndian.Uint64(raw) + 1
	}
	return strconv.FormatUint(n, 10), b.Put(key, number(n))
}

func sameRefs(a, b []string) bool { return strings.Join(a, " ") == strings.Join(b, " ") }

func noSecret(name, project string) error {
	return say(ErrNotFound, "there is no secret %s of %s", shown(name), projectShown(project))
}

func projectShown(project string) string {
	if project == AllProjects {
		return "all projects"
	}
	return "project " + shown(project)
}
