package httpapi

import (
	"fmt"
	"net/http"
	"time"

	"example.com/rooms/internal/booking"
	"example.com/rooms/internal/ical"
	"example.com/rooms/internal/interval"
)

// The end and the beginning of time, as far as listings go.
var (
	dawn = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	dusk = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

const maxPage = 500

func (a *API) listRooms(w http.ResponseWriter, r *http.Request) {
	seats, err := number(r, "seats", 0, 100_000)
	if err != nil {
		fail(w, err)
		return
	}
	rooms := a.store.Rooms(seats)
	if rooms == nil {
		rooms = []booking.Room{}
	}
	reply(w, http.StatusOK, rooms)
}

func (a *API) putRoom(w http.ResponseWriter, r *http.Request) {
	var room booking.Room
	if err := decode(w, r, &room); err != nil {
		fail(w, err)
		return
	}
	room.ID = r.PathValue("room")
	if err := a.store.AddRoom(room); err != nil {
		fail(w, err)
		return
	}
	reply(w, http.StatusOK, room)
}

// page is one page of bookings. Next is empty on the last one.
type page struct {
	Bookings []booking.Booking `json:"bookings"`
	Next     string            `json:"next,omitempty"`
}

func (a *API) listBookings(w http.ResponseWriter, r *http.Request) {
	room := r.PathValue("room")
	limit, err := number(r, "limit", 50, maxPage)
	from, to := dawn, dusk
	if err == nil {
		from, err = instant(r, "from", dawn)
	}
	if err == nil {
		to, err = instant(r, "to", dusk)
	}
	if c := r.URL.Query().Get("cursor"); err == nil && c != "" {
		from, err = a.signer.Decode(room, c)
	}
	var found []booking.Booking
	if err == nil {
		found, err = a.store.Between(room, interval.Span{Start: from, End: to})
	}
	result := page{Bookings: []booking.Booking{}}
	if err == nil && limit > 0 && len(found) > limit {
		result.Next, err = a.signer.Encode(room, found[limit].Start)
		found = found[:limit]
	}
	if err != nil {
		fail(w, err)
		return
	}
	result.Bookings = append(result.Bookings, found...)
	reply(w, http.StatusOK, result)
}

func (a *API) calendar(w http.ResponseWriter, r *http.Request) {
	room := r.PathValue("room")
	found, err := a.store.Between(room, interval.Span{Start: dawn, End: dusk})
	if err != nil {
		fail(w, err)
		return
	}
	var events []ical.Event
	for _, b := range found {
		events = append(events, ical.Event{UID: b.ID + "@rooms", Summary: b.Title, Description: "booked by " + b.Owner, Location: room, Start: b.Start, End: b.End})
	}
	w.Header().Set("Content-Type", "text/calendar; charset=utf-8")
	_ = ical.Write(w, "-//rooms//EN", events) // the client is gone when this fails
}

func (a *API) suggest(w http.ResponseWriter, r *http.Request) {
	seats, err := number(r, "seats", 1, 100_000)
	minutes := 0
	if err == nil {
		minutes, err = number(r, "minutes", 30, int(booking.MaxLength.Minutes()))
	}
	from := time.Time{}
	if err == nil {
		from, err = instant(r, "from", time.Now().Truncate(time.Minute))
	}
	to := from
	if err == nil {
		to, err = instant(r, "to", from.AddDate(0, 0, 7))
	}
	if err == nil && minutes == 0 {
		err = fmt.Errorf("%w: minutes=0, want at least one", errRequest)
	}
	if err != nil {
		fail(w, err)
		return
	}
	found, err := a.store.Suggest(seats, interval.Span{Start: from, End: to}, time.Duration(minutes)*time.Minute)
	if err != nil {
		fail(w, err)
		return
	}
	reply(w, http.StatusOK, found)
}
