package forge

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"
)

// signed tells whether a header's value is a prefix and the HMAC-SHA256 of the body in hexadecimal digits.
func signed(value, prefix string, body, secret []byte) bool {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	want := mac.Sum(nil)
	digits, prefixed := strings.CutPrefix(value, prefix)
	got, err := hex.DecodeString(digits)
	// The sum is computed whatever the header holds, so that all refusals take as long.
	return hmac.Equal(got, want) && prefixed && err == nil && len(secret) > 0
}

// bears tells whether a header's value is the secret itself. Sums are compared, so that not even the secret's length
// shows in the time that it takes.
func bears(value string, secret []byte) bool {
	got, want := sha256.Sum256([]byte(value)), sha256.Sum256(secret)
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && len(secret) > 0
}
