package access

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"go.etcd.io/bbolt"
)

var metaBadges = []byte("badges")

// badgeKeyBytes is as much as a key of HMAC-SHA-256 can use.
const badgeKeyBytes = 32

// badgeTokenDigits is how much of a token's hash is written, in hexadecimal digits: nobody guesses 128 bits.
const badgeTokenDigits = 32

// BadgeToken is the token of a project's badge: the same each time, and another for another word. It shows the badge and
// opens nothing else.
func (s *Store) BadgeToken(project, word string) (string, error) {
	key, err := s.badgeKey()
	if err != nil {
		return "", err
	}
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "%d %s %s", len(project), project, word)
	return hex.EncodeToString(h.Sum(nil))[:badgeTokenDigits], nil
}

// badgeKey is what the tokens of badges are made with. It is made once.
func (s *Store) badgeKey() (key []byte, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		key = bytes.Clone(tx.Bucket(bucketMeta).Get(metaBadges))
		return nil
	})
	if err != nil || len(key) > 0 {
		return key, err
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if key = bytes.Clone(meta.Get(metaBadges)); len(key) > 0 {
			return nil
		}
		key = make([]byte, badgeKeyBytes)
		_, _ = rand.Read(key) // never fails
		return meta.Put(metaBadges, key)
	})
	if err != nil {
		return nil, fmt.Errorf("storing what tokens of badges are made with: %w", err)
	}
	return key, nil
}
