// Package store makes a calendar durable: every change is in the journal before the caller hears of it, and opening
// the store replays them.
package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"example.com/rooms/internal/booking"
	"example.com/rooms/internal/journal"
	"example.com/rooms/internal/recur"
)

// event is one line of history. Exactly one field is set.
type event struct {
	Room      *booking.Room    `json:"room,omitempty"`
	Booked    *booking.Booking `json:"booked,omitempty"`
	Cancelled string           `json:"cancelled,omitempty"`
}

// Store is a durable calendar. Reading goes to the Calendar directly; changes go through the Store.
type Store struct {
	*booking.Calendar
	mu      sync.Mutex // one change at a time, so that the journal has them in order
	journal *journal.Journal
}

// Open replays the journal at path.
func Open(path string) (*Store, error) {
	s := &Store{Calendar: booking.NewCalendar()}
	var err error
	s.journal, err = journal.Open(path, func(record []byte) error {
		var e event
		if err := json.Unmarshal(record, &e); err != nil {
			return err
		}
		return s.apply(e)
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Store) apply(e event) error {
	switch {
	case e.Room != nil:
		return s.Calendar.AddRoom(*e.Room)
	case e.Booked != nil:
		return s.Calendar.Restore(*e.Booked)
	case e.Cancelled != "":
		_, err := s.Calendar.Cancel(e.Cancelled)
		return err
	}
	return errors.New("an event of no known kind")
}

func (s *Store) write(events ...event) error {
	var records [][]byte
	for _, e := range events {
		record, err := json.Marshal(e)
		if err != nil {
			return err
		}
		records = append(records, record)
	}
	return s.journal.Append(records...)
}

// AddRoom adds or changes a room.
func (s *Store) AddRoom(room booking.Room) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.Calendar.AddRoom(room); err != nil {
		return err
	}
	return s.write(event{Room: &room})
}

// Book makes one booking.
func (s *Store) Book(b booking.Booking) (booking.Booking, error) {
	made, err := s.keep(func() ([]booking.Booking, error) {
		one, err := s.Calendar.Book(b)
		return []booking.Booking{one}, err
	})
	if err != nil {
		return booking.Booking{}, err
	}
	return made[0], nil
}

// BookSeries makes all bookings of a series or none.
func (s *Store) BookSeries(b booking.Booking, rule recur.Rule) ([]booking.Booking, error) {
	return s.keep(func() ([]booking.Booking, error) { return s.Calendar.BookSeries(b, rule) })
}

// keep journals what book made, and takes it back when the journal fails.
func (s *Store) keep(book func() ([]booking.Booking, error)) ([]booking.Booking, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	made, err := book()
	if err != nil {
		return nil, err
	}
	var events []event
	for i := range made {
		events = append(events, event{Booked: &made[i]})
	}
	if err := s.write(events...); err != nil {
		for _, b := range made {
			_, _ = s.Calendar.Cancel(b.ID) // it was made a moment ago, under the same lock
		}
		return nil, fmt.Errorf("keeping the booking: %w", err)
	}
	return made, nil
}

// Cancel removes a booking.
func (s *Store) Cancel(id string) (booking.Booking, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.Calendar.Cancel(id)
	if err != nil {
		return booking.Booking{}, err
	}
	if err := s.write(event{Cancelled: id}); err != nil {
		return booking.Booking{}, errors.Join(fmt.Errorf("keeping the cancellation: %w", err), s.Calendar.Restore(b))
	}
	return b, nil
}

// Close closes the journal.
func (s *Store) Close() error { return s.journal.Close() }
