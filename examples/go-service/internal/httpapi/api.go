// Package httpapi is the service's HTTP face: JSON in, JSON or problem+json out.
package httpapi

import (
	"log/slog"
	"net/http"
	"time"

	"example.com/rooms/internal/booking"
	"example.com/rooms/internal/cursor"
	"example.com/rooms/internal/interval"
	"example.com/rooms/internal/ratelimit"
	"example.com/rooms/internal/recur"
)

// Store is what the API needs of the calendar behind it.
type Store interface {
	AddRoom(booking.Room) error
	Rooms(seats int) []booking.Room
	Book(booking.Booking) (booking.Booking, error)
	BookSeries(booking.Booking, recur.Rule) ([]booking.Booking, error)
	Get(id string) (booking.Booking, error)
	Cancel(id string) (booking.Booking, error)
	Between(room string, span interval.Span) ([]booking.Booking, error)
	Suggest(seats int, span interval.Span, length time.Duration) (booking.Suggestion, error)
}

// API answers requests.
type API struct {
	store  Store
	signer cursor.Signer
}

// New returns the whole handler, middleware included.
func New(store Store, signer cursor.Signer, limiter *ratelimit.Limiter, log *slog.Logger) http.Handler {
	a := &API{store, signer}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /rooms", a.listRooms)
	mux.HandleFunc("PUT /rooms/{room}", a.putRoom)
	mux.HandleFunc("GET /rooms/{room}/bookings", a.listBookings)
	mux.HandleFunc("GET /rooms/{room}/calendar.ics", a.calendar)
	mux.HandleFunc("POST /rooms/{room}/bookings", a.book)
	mux.HandleFunc("GET /bookings/{id}", a.getBooking)
	mux.HandleFunc("DELETE /bookings/{id}", a.cancel)
	mux.HandleFunc("GET /suggestion", a.suggest)
	return requestID(logged(log, recovered(log, limited(limiter, mux))))
}
