package booking

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"example.com/rooms/internal/recur"
)

var nine = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func meeting(from, minutes int) Booking {
	start := nine.Add(time.Duration(from) * time.Minute)
	return Booking{Room: "oak", Title: "standup", Owner: "mia", Start: start, End: start.Add(time.Duration(minutes) * time.Minute)}
}

func newCalendar(t *testing.T) *Calendar {
	t.Helper()
	c := NewCalendar()
	for _, room := range []Room{{"oak", "Oak", 6}, {"elm", "Elm", 4}, {"hall", "Hall", 80}} {
		if err := c.AddRoom(room); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestBookRefuses(t *testing.T) {
	c := newCalendar(t)
	if _, err := c.Book(meeting(0, 30)); err != nil {
		t.Fatal(err)
	}
	change := func(edit func(*Booking)) Booking {
		b := meeting(120, 30)
		edit(&b)
		return b
	}
	for _, test := range []struct {
		name string
		b    Booking
		want error
	}{
		{"the same time", meeting(0, 30), ErrConflict},
		{"the last minute", meeting(29, 30), ErrConflict},
		{"around it", meeting(-10, 60), ErrConflict},
		{"an unknown room", change(func(b *Booking) { b.Room = "ash" }), ErrNotFound},
		{"no title", change(func(b *Booking) { b.Title = "  " }), ErrInvalid},
		{"no owner", change(func(b *Booking) { b.Owner = "" }), ErrInvalid},
		{"no length", change(func(b *Booking) { b.End = b.Start }), ErrInvalid},
		{"backwards", change(func(b *Booking) { b.End = b.Start.Add(-time.Hour) }), ErrInvalid},
		{"a whole day", change(func(b *Booking) { b.End = b.Start.AddDate(0, 0, 1) }), ErrInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := c.Book(test.b); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
	if _, err := c.Book(meeting(30, 30)); err != nil {
		t.Errorf("the next half hour is free: %v", err)
	}
}

func TestSeriesIsAllOrNothing(t *testing.T) {
	c := newCalendar(t)
	blocker := meeting(3*24*60, 30)
	if _, err := c.Book(blocker); err != nil {
		t.Fatal(err)
	}
	daily := recur.Rule{Every: recur.Daily, Count: 5}
	if _, err := c.BookSeries(meeting(0, 30), daily); !errors.Is(err, ErrConflict) {
		t.Fatalf("got %v, want a conflict on the fourth day", err)
	}
	if _, err := c.Book(meeting(0, 30)); err != nil {
		t.Errorf("the refused series left something behind: %v", err)
	}
	made, err := c.BookSeries(meeting(60, 30), daily)
	if err != nil || len(made) != 5 {
		t.Fatalf("got %d bookings, %v", len(made), err)
	}
	for _, b := range made {
		if b.Series != made[0].Series || b.Series == "" {
			t.Errorf("booking %s has series %q", b.ID, b.Series)
		}
	}
	if _, err := c.BookSeries(meeting(90, 30), recur.Rule{Every: recur.Daily}); !errors.Is(err, ErrInvalid) {
		t.Errorf("an endless series: %v", err)
	}
}

func TestCancelFreesTheRoom(t *testing.T) {
	c := newCalendar(t)
	b, err := c.Book(meeting(0, 30))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Cancel(b.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Cancel(b.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("cancelled twice: %v", err)
	}
	if _, err := c.Book(meeting(0, 30)); err != nil {
		t.Error(err)
	}
}

// TestNoDoubleBookingUnderLoad lets many clients fight for one room, and then looks for overlaps one by one.
func TestNoDoubleBookingUnderLoad(t *testing.T) {
	c := newCalendar(t)
	var clients sync.WaitGroup
	for client := range 32 {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(uint64(client), 1))
			for range 400 {
				b, err := c.Book(meeting(random.IntN(30_000), 5+random.IntN(90)))
				if err == nil && random.IntN(4) == 0 {
					if _, err := c.Cancel(b.ID); err != nil {
						t.Error(err)
					}
				}
				if err != nil && !errors.Is(err, ErrConflict) {
					t.Error(err)
				}
			}
		})
	}
	clients.Wait()
	var kept []Booking
	for _, b := range c.bookings {
		kept = append(kept, b)
	}
	for i, a := range kept {
		for _, b := range kept[:i] {
			if a.Span().Overlaps(b.Span()) {
				t.Fatalf("%s and %s overlap: %v, %v", a.ID, b.ID, a.Span(), b.Span())
			}
		}
	}
	t.Log(fmt.Sprintf("%d bookings kept", len(kept)))
}
