package cursor

import (
	"encoding/base64"
	"errors"
	"testing"
	"time"
)

var at = time.Date(2026, 3, 2, 9, 0, 0, 123456789, time.UTC)

func TestRoundTrip(t *testing.T) {
	s := NewSigner([]byte("key"))
	for _, instant := range []time.Time{at, {}, time.Unix(1<<40, 0).UTC()} {
		text, err := s.Encode("oak", instant)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Decode("oak", text); err != nil || !got.Equal(instant) {
			t.Errorf("%s came back as %s, %v", instant, got, err)
		}
	}
}

// TestForgery changes every bit of a cursor, one at a time.
func TestForgery(t *testing.T) {
	s := NewSigner([]byte("key"))
	text, err := s.Encode("oak", at)
	if err != nil {
		t.Fatal(err)
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(data) * 8 {
		forged := append([]byte(nil), data...)
		forged[i/8] ^= 1 << (i % 8)
		if got, err := s.Decode("oak", base64.RawURLEncoding.EncodeToString(forged)); !errors.Is(err, ErrCursor) {
			t.Fatalf("bit %d flipped: read as %s", i, got)
		}
	}
	for name, decode := range map[string]func() (time.Time, error){
		"another listing": func() (time.Time, error) { return s.Decode("elm", text) },
		"another key":     func() (time.Time, error) { return NewSigner([]byte("other")).Decode("oak", text) },
		"empty":           func() (time.Time, error) { return s.Decode("oak", "") },
		"not base64":      func() (time.Time, error) { return s.Decode("oak", "?????") },
	} {
		if got, err := decode(); !errors.Is(err, ErrCursor) {
			t.Errorf("%s: read as %s", name, got)
		}
	}
}
