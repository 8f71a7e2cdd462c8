package httpapi

import (
	"fmt"
	"net/http"
	"time"

	"example.com/rooms/internal/booking"
	"example.com/rooms/internal/recur"
)

// request is the body of a booking.
type request struct {
	Title  string    `json:"title"`
	Owner  string    `json:"owner"`
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	Repeat string    `json:"repeat,omitempty"` // an RRULE; empty books once
}

func (a *API) book(w http.ResponseWriter, r *http.Request) {
	var in request
	if err := decode(w, r, &in); err != nil {
		fail(w, err)
		return
	}
	b := booking.Booking{Room: r.PathValue("room"), Title: in.Title, Owner: in.Owner, Start: in.Start, End: in.End}
	if in.Repeat == "" {
		made, err := a.store.Book(b)
		if err != nil {
			fail(w, err)
			return
		}
		w.Header().Set("Location", "/bookings/"+made.ID)
		reply(w, http.StatusCreated, made)
		return
	}
	rule, err := recur.Parse(in.Repeat)
	if err != nil {
		fail(w, fmt.Errorf("%w: %w", booking.ErrInvalid, err))
		return
	}
	made, err := a.store.BookSeries(b, rule)
	if err != nil {
		fail(w, err)
		return
	}
	reply(w, http.StatusCreated, made)
}

func (a *API) getBooking(w http.ResponseWriter, r *http.Request) {
	b, err := a.store.Get(r.PathValue("id"))
	if err != nil {
		fail(w, err)
		return
	}
	reply(w, http.StatusOK, b)
}

func (a *API) cancel(w http.ResponseWriter, r *http.Request) {
	if _, err := a.store.Cancel(r.PathValue("id")); err != nil {
		fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
