package access

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"math/big"
	"strings"
)

// prefix begins every token, so that scanners for secrets find those that were published by mistake. The pattern for
// them is rnr_[0-9A-Za-z]{49}; the last six characters are a checksum of the others.
const prefix = "rnr_"

const (
	randomDigits   = 43 // digits to base 62 of 256 bits
	checksumDigits = 6  // of 32 bits
)

// NewSecret makes a token: 256 random bits and a checksum, after the prefix.
func NewSecret() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	body := digits(new(big.Int).SetBytes(raw[:]), randomDigits)
	return prefix + body + checksum(body)
}

// Written tells whether text has the form of a token, its checksum included: what was mistyped is known without a look at
// the tokens there are.
func Written(text string) bool {
	body, ok := strings.CutPrefix(text, prefix)
	return ok && len(body) == randomDigits+checksumDigits && checksum(body[:randomDigits]) == body[randomDigits:]
}

// Sum is what is kept of a token, and of a session.
type Sum [sha256.Size]byte

// SumOf hashes a token or the secret of a session.
func SumOf(secret string) Sum { return sha256.Sum256([]byte(secret)) }

func checksum(body string) string {
	return digits(new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(body)))), checksumDigits)
}

// digits writes a number to base 62 with leading zeros.
func digits(n *big.Int, width int) string {
	text := n.Text(62)
	return strings.Repeat("0", width-len(text)) + text
}
