// Package booking is the domain: rooms, the bookings in them, and the one rule that matters, which is that no two
// bookings of a room overlap. It knows nothing of HTTP or files.
package booking

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"example.com/rooms/internal/interval"
)

// Errors that callers tell apart. Each comes wrapped in a sentence.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("conflict")
	ErrInvalid  = errors.New("invalid")
)

// Limits of one booking and one series.
const (
	MaxLength = 12 * time.Hour
	MaxSeries = 366 // occurrences
	maxTitle  = 200 // bytes
)

// Room is something that can be booked.
type Room struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Seats int    `json:"seats"`
}

// Booking is one meeting in one room.
type Booking struct {
	ID     string    `json:"id"`
	Room   string    `json:"room"`
	Title  string    `json:"title"`
	Owner  string    `json:"owner"`
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	Series string    `json:"series,omitempty"` // shared by the bookings of a recurrence
}

// Span is the time that the booking takes.
func (b Booking) Span() interval.Span { return interval.Span{Start: b.Start, End: b.End} }

func (b Booking) check() error {
	switch span := b.Span(); {
	case strings.TrimSpace(b.Title) == "":
		return fmt.Errorf("%w: a booking needs a title", ErrInvalid)
	case len(b.Title) > maxTitle:
		return fmt.Errorf("%w: the title has %d bytes, at most %d fit", ErrInvalid, len(b.Title), maxTitle)
	case b.Owner == "":
		return fmt.Errorf("%w: a booking needs an owner", ErrInvalid)
	case !span.Valid():
		return fmt.Errorf("%w: it ends at %s, which is not after its start", ErrInvalid, b.End.Format(time.RFC3339))
	case span.Length() > MaxLength:
		return fmt.Errorf("%w: it lasts %s, at most %s are allowed", ErrInvalid, span.Length(), MaxLength)
	}
	return nil
}

func (r Room) check() error {
	if r.ID == "" || strings.ContainsAny(r.ID, "/ \t\n") {
		return fmt.Errorf("%w: a room's id has no blanks or slashes and is not empty", ErrInvalid)
	}
	if r.Seats < 1 {
		return fmt.Errorf("%w: room %s needs at least one seat", ErrInvalid, r.ID)
	}
	return nil
}
