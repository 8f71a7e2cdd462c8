package store

import (
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"example.com/rooms/internal/booking"
	"example.com/rooms/internal/interval"
	"example.com/rooms/internal/recur"
)

var nine = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func reopen(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func all(t *testing.T, s *Store, room string) []booking.Booking {
	t.Helper()
	list, err := s.Between(room, interval.Span{Start: nine.AddDate(-1, 0, 0), End: nine.AddDate(2, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestEverythingComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	s := reopen(t, path)
	if err := s.AddRoom(booking.Room{ID: "oak", Name: "Oak", Seats: 6}); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 3))
	var ids []string
	for range 300 {
		start := nine.Add(time.Duration(random.IntN(200_000)) * time.Minute)
		b := booking.Booking{Room: "oak", Title: "review", Owner: "noor", Start: start, End: start.Add(45 * time.Minute)}
		if made, err := s.Book(b); err == nil {
			ids = append(ids, made.ID)
		}
	}
	for _, id := range ids[:len(ids)/3] {
		if _, err := s.Cancel(id); err != nil {
			t.Fatal(err)
		}
	}
	weekly := booking.Booking{Room: "oak", Title: "planning", Owner: "noor", Start: nine.AddDate(1, 0, 0), End: nine.AddDate(1, 0, 0).Add(time.Hour)}
	if _, err := s.BookSeries(weekly, recur.Rule{Every: recur.Weekly, Count: 10}); err != nil {
		t.Fatal(err)
	}
	want := all(t, s, "oak")
	s.Close()

	again := reopen(t, path)
	if got := all(t, again, "oak"); !reflect.DeepEqual(got, want) {
		t.Fatalf("%d bookings came back, want %d", len(got), len(want))
	}
	made, err := again.Book(booking.Booking{Room: "oak", Title: "new", Owner: "ada", Start: nine.AddDate(-1, 1, 0), End: nine.AddDate(-1, 1, 0).Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range want {
		if b.ID == made.ID {
			t.Fatalf("id %s was given twice", b.ID)
		}
	}
}

func TestNothingIsKeptWhenTheJournalFails(t *testing.T) {
	s := reopen(t, filepath.Join(t.TempDir(), "journal"))
	if err := s.AddRoom(booking.Room{ID: "oak", Seats: 2}); err != nil {
		t.Fatal(err)
	}
	s.journal.Close()
	b := booking.Booking{Room: "oak", Title: "lost", Owner: "noor", Start: nine, End: nine.Add(time.Hour)}
	if _, err := s.Book(b); err == nil {
		t.Fatal("booked although nothing could be written")
	}
	if left := all(t, s, "oak"); len(left) != 0 {
		t.Errorf("%v is left in memory", left)
	}
}
