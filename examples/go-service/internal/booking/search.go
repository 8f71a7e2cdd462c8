package booking

import (
	"fmt"
	"time"

	"example.com/rooms/internal/interval"
)

// Between lists a room's bookings that overlap the span, by start.
func (c *Calendar) Between(room string, span interval.Span) ([]Booking, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	taken := c.taken[room]
	if taken == nil {
		return nil, fmt.Errorf("%w: no room %q", ErrNotFound, room)
	}
	var found []Booking
	for _, id := range taken.Overlapping(span) {
		found = append(found, c.bookings[id])
	}
	return found, nil
}

// Gaps lists the free stretches of a room within the span that last at least as long as asked.
func (c *Calendar) Gaps(room string, span interval.Span, length time.Duration) ([]interval.Span, error) {
	busy, err := c.Between(room, span)
	if err != nil {
		return nil, err
	}
	var gaps []interval.Span
	from := span.Start
	for _, b := range busy {
		if gap := (interval.Span{Start: from, End: b.Start}); gap.Valid() && gap.Length() >= length {
			gaps = append(gaps, gap)
		}
		if b.End.After(from) {
			from = b.End
		}
	}
	if gap := (interval.Span{Start: from, End: span.End}); gap.Valid() && gap.Length() >= length {
		gaps = append(gaps, gap)
	}
	return gaps, nil
}

// Suggestion is a room and a time in it.
type Suggestion struct {
	Room Room          `json:"room"`
	Span interval.Span `json:"span"`
}

// Suggest finds the earliest time within the span at which a room with enough seats is free for that long; of
// several rooms the smallest.
func (c *Calendar) Suggest(seats int, span interval.Span, length time.Duration) (Suggestion, error) {
	var best *Suggestion
	for _, room := range c.Rooms(seats) {
		gaps, err := c.Gaps(room.ID, span, length)
		if err != nil {
			return Suggestion{}, err
		}
		if len(gaps) > 0 && (best == nil || gaps[0].Start.Before(best.Span.Start)) {
			best = &Suggestion{room, interval.Span{Start: gaps[0].Start, End: gaps[0].Start.Add(length)}}
		}
	}
	if best == nil {
		return Suggestion{}, fmt.Errorf("%w: no room with %d seats is free for %s in that time", ErrNotFound, seats, length)
	}
	return *best, nil
}
