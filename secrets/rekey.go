package secrets

import (
	"bytes"
	"encoding/json"
	"fmt"

	"filippo.io/age"
	"go.etcd.io/bbolt"
)

// checkRow is sealed when the store gets its key.
type checkRow struct {
	Recipient string `json:"recipient"` // public, to say which key is wanted
	Sealed    []byte `json:"sealed"`
}

const checkValue = "runner"

// readCheck returns nil for a store in which nothing is sealed: whatever key it had, it can have another.
func readCheck(db *bbolt.DB) (c *checkRow, err error) {
	err = db.View(func(tx *bbolt.Tx) error {
		raw := tx.Bucket(bucketMeta).Get(metaCheck)
		if sealed, _ := tx.Bucket(bucketValues).Cursor().First(); raw == nil || sealed == nil {
			return nil
		}
		c = new(checkRow)
		return json.Unmarshal(raw, c)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the key check of the secret store: %w; restore a backup", err)
	}
	return c, nil
}

func putCheck(tx *bbolt.Tx, k *keys) error {
	sealed, err := k.seal(envelope{Value: checkValue})
	if err != nil {
		return err
	}
	raw, err := json.Marshal(checkRow{Recipient: k.recipient.String(), Sealed: sealed})
	if err != nil {
		return err
	}
	return tx.Bucket(bucketMeta).Put(metaCheck, raw)
}

// prove tells whether these keys are the store's. A store that has none yet takes them. One whose key is no longer the
// first of its file is sealed anew to the first, after which the others may go.
func (s *Store) prove(k *keys, check *checkRow) error {
	if check == nil {
		return s.db.Update(func(tx *bbolt.Tx) error { return putCheck(tx, k) })
	}
	value, err := k.open(check.Sealed, "", "", "")
	if err != nil || value != checkValue {
		return say(ErrLocked, "the key in %s is not the one that the secrets are sealed to: its public key is %s, theirs %s; put the right key file back", k.path, k.recipient, shown(check.Recipient))
	}
	if check.Recipient == k.recipient.String() {
		return nil
	}
	if err := s.reseal(k); err != nil {
		return err
	}
	s.log.Warn("every secret was sealed anew to the first key of the key file; the older keys in it are not needed any more, but for backups",
		"file", k.path, "publicKey", k.recipient.String())
	return nil
}

// reseal seals everything to the first key, in one transaction: a crash leaves all of it sealed to the former one.
func (s *Store) reseal(k *keys) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		values := tx.Bucket(bucketValues)
		fresh := map[string][]byte{}
		err := values.ForEach(func(key, sealed []byte) error {
			name, project, version := splitKey(key)
			value, err := k.open(sealed, name, project, version)
			if err != nil {
				s.log.Error("left as it is while the secrets were sealed to a new key", "error", err)
				return nil // it was lost before; the others need not be
			}
			fresh[string(key)], err = k.seal(envelope{name, project, version, value})
			return err
		})
		if err != nil {
			return fmt.Errorf("sealing the secrets to a new key: %w", err)
		}
		for key, sealed := range fresh {
			if err := values.Put([]byte(key), sealed); err != nil {
				return err
			}
		}
		return putCheck(tx, k)
	})
}

// looksSealed tells whether bytes are an age file at all.
func looksSealed(sealed []byte) bool {
	_, err := age.ExtractHeader(bytes.NewReader(sealed))
	return err == nil
}
