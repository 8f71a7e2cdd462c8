package booking

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"example.com/rooms/internal/interval"
	"example.com/rooms/internal/recur"
)

// Calendar holds all rooms and bookings in memory. It is safe for concurrent use.
type Calendar struct {
	mu       sync.RWMutex
	rooms    map[string]Room
	bookings map[string]Booking
	taken    map[string]*interval.Tree // by room
	next     int
}

// NewCalendar returns an empty calendar.
func NewCalendar() *Calendar {
	return &Calendar{rooms: map[string]Room{}, bookings: map[string]Booking{}, taken: map[string]*interval.Tree{}}
}

// AddRoom adds a room or changes its name and seats.
func (c *Calendar) AddRoom(room Room) error {
	if err := room.check(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rooms[room.ID] = room
	if c.taken[room.ID] == nil {
		c.taken[room.ID] = &interval.Tree{}
	}
	return nil
}

// Rooms lists the rooms with at least that many seats, the smallest first.
func (c *Calendar) Rooms(seats int) []Room {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var rooms []Room
	for _, room := range c.rooms {
		if room.Seats >= seats {
			rooms = append(rooms, room)
		}
	}
	slices.SortFunc(rooms, func(a, b Room) int {
		return cmp.Or(cmp.Compare(a.Seats, b.Seats), cmp.Compare(a.ID, b.ID))
	})
	return rooms
}

// Book makes one booking and gives it an id.
func (c *Calendar) Book(b Booking) (Booking, error) {
	made, err := c.book([]Booking{b})
	if err != nil {
		return Booking{}, err
	}
	return made[0], nil
}

// BookSeries books every occurrence of the rule, or none: one conflict refuses the series.
func (c *Calendar) BookSeries(b Booking, rule recur.Rule) ([]Booking, error) {
	var all []Booking
	length := b.Span().Length()
	for at := range rule.From(b.Start) {
		if len(all) == MaxSeries {
			return nil, fmt.Errorf("%w: more than %d occurrences; give the rule a COUNT or UNTIL", ErrInvalid, MaxSeries)
		}
		one := b
		one.Start, one.End = at, at.Add(length)
		all = append(all, one)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: the rule never happens", ErrInvalid)
	}
	return c.book(all)
}

// book checks everything before it changes anything.
func (c *Calendar) book(all []Booking) ([]Booking, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var own interval.Tree // a series must not overlap itself either
	for _, b := range all {
		if err := b.check(); err != nil {
			return nil, err
		}
		taken := c.taken[b.Room]
		if taken == nil {
			return nil, fmt.Errorf("%w: no room %q", ErrNotFound, b.Room)
		}
		for _, id := range taken.Overlapping(b.Span()) {
			other := c.bookings[id]
			return nil, fmt.Errorf("%w: %s is taken from %s to %s (%s)", ErrConflict, b.Room,
				other.Start.Format(time.RFC3339), other.End.Format(time.RFC3339), other.Title)
		}
		if !own.Free(b.Span()) {
			return nil, fmt.Errorf("%w: the series overlaps itself at %s", ErrConflict, b.Start.Format(time.RFC3339))
		}
		own.Insert(b.Span(), "")
	}
	series := ""
	if len(all) > 1 {
		series = fmt.Sprintf("s%d", c.next+1)
	}
	for i := range all {
		c.next++
		all[i].ID, all[i].Series = fmt.Sprintf("b%d", c.next), series
		c.put(all[i])
	}
	return all, nil
}

func (c *Calendar) put(b Booking) {
	c.bookings[b.ID] = b
	c.taken[b.Room].Insert(b.Span(), b.ID)
}

// Restore puts back a booking that was made before, under its old id.
func (c *Calendar) Restore(b Booking) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.taken[b.Room]
	if taken == nil {
		return fmt.Errorf("%w: no room %q", ErrNotFound, b.Room)
	}
	if !taken.Free(b.Span()) {
		return fmt.Errorf("%w: %s overlaps another booking", ErrConflict, b.ID)
	}
	var number int
	if _, err := fmt.Sscanf(b.ID, "b%d", &number); err != nil {
		return fmt.Errorf("%w: id %q", ErrInvalid, b.ID)
	}
	c.next = max(c.next, number)
	c.put(b)
	return nil
}

// Get returns one booking.
func (c *Calendar) Get(id string) (Booking, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	b, ok := c.bookings[id]
	if !ok {
		return Booking{}, fmt.Errorf("%w: no booking %q", ErrNotFound, id)
	}
	return b, nil
}

// Cancel removes one booking and returns it.
func (c *Calendar) Cancel(id string) (Booking, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.bookings[id]
	if !ok {
		return Booking{}, fmt.Errorf("%w: no booking %q", ErrNotFound, id)
	}
	delete(c.bookings, id)
	c.taken[b.Room].Delete(b.Span(), id)
	return b, nil
}
