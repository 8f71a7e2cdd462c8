// Package cursor makes the opaque, signed marks that say where the next page of a listing begins.
package cursor

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"
)

// ErrCursor says that a cursor was not made by this service, or was changed on the way.
var ErrCursor = errors.New("bad cursor: take it unchanged from the previous page")

const sumSize = 12

// Signer makes and reads cursors under one key.
type Signer struct{ key []byte }

// NewSigner returns a signer. Cursors of one key mean nothing under another.
func NewSigner(key []byte) Signer { return Signer{append([]byte(nil), key...)} }

// Encode makes a cursor for the page of the listing that begins at the instant.
func (s Signer) Encode(listing string, at time.Time) (string, error) {
	body, err := at.UTC().MarshalBinary()
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(s.sum(listing, body), body...)), nil
}

// Decode reads a cursor of the same listing.
func (s Signer) Decode(listing, cursor string) (time.Time, error) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(data) <= sumSize {
		return time.Time{}, ErrCursor
	}
	sum, body := data[:sumSize], data[sumSize:]
	var at time.Time
	if !hmac.Equal(sum, s.sum(listing, body)) || at.UnmarshalBinary(body) != nil {
		return time.Time{}, ErrCursor
	}
	return at, nil
}

// sum binds the body to its listing, so that a cursor of one room is no good for another.
func (s Signer) sum(listing string, body []byte) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(listing))
	mac.Write([]byte{0})
	mac.Write(body)
	return mac.Sum(nil)[:sumSize]
}
