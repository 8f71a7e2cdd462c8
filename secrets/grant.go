package secrets

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"
)

// Grant is which version of a secret a build is given, and on what grounds.
type Grant struct {
	Version     string // unlike that of every other version there has been, of this and of other secrets
	TrustedOnly bool   // the secret is given to trusted builds alone
	ByTrust     bool   // this build is given it because it is trusted, and not by a pattern of its ref
}

// Grant tells which version of a secret a build would be given, without opening or recording anything. What Check refuses, it
// refuses with an error of the same kind.
func (s *Store) Grant(_ context.Context, who Subject, ref Ref) (v Grant, err error) {
	db, err := s.file(false)
	if err != nil {
		return v, err
	}
	t, err := resolve(ref)
	if err != nil {
		return v, err
	}
	if who.Fork {
		return v, permits(ref.Name, nil, who)
	}
	var f *found
	if db != nil {
		err = db.View(func(tx *bbolt.Tx) (err error) {
			f, err = t.find(tx, who.Project)
			return err
		})
	}
	switch {
	case err != nil:
		return v, err
	case f == nil:
		return v, noSuch(ref.Name)
	}
	if err := permits(f.row.Name, f.row.Refs, who); err != nil {
		return v, err
	}
	got := f.row.version(t.version, t.stage)
	if got == nil {
		return v, noSuch(ref.Name)
	}
	who.Trusted = false
	return Grant{
		Version:     fmt.Sprintf("%s\x00%s\x00%s\x00%d", f.row.Name, f.row.Project, got.ID, got.Created.UnixNano()),
		TrustedOnly: len(f.row.Refs) == 0,
		ByTrust:     permits(f.row.Name, f.row.Refs, who) != nil,
	}, nil
}
