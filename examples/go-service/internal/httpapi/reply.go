package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"example.com/rooms/internal/booking"
	"example.com/rooms/internal/cursor"
)

// problem is an error as RFC 9457 writes it.
type problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail,omitempty"`
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone when this fails
}

// fail turns an error of the domain into the status that clients act on.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, booking.ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, booking.ErrConflict):
		status = http.StatusConflict
	case errors.Is(err, booking.ErrInvalid), errors.Is(err, cursor.ErrCursor), errors.Is(err, errRequest):
		status = http.StatusBadRequest
	}
	refuse(w, status, err.Error())
}

func refuse(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem{status, http.StatusText(status), detail})
}

var errRequest = errors.New("bad request")

const maxBody = 64 << 10

// decode reads the request's body, all of it, and nothing that it does not know.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	in.DisallowUnknownFields()
	if err := in.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	if _, err := in.Token(); err != io.EOF {
		return fmt.Errorf("%w: something follows the JSON value", errRequest)
	}
	return nil
}

// number reads a whole number from the query, or the fallback when it is not there.
func number(r *http.Request, name string, fallback, most int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("%w: %s=%q, want a number from 0 to %d", errRequest, name, text, most)
	}
	return n, nil
}

// instant reads a time from the query.
func instant(r *http.Request, name string, fallback time.Time) (time.Time, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return fallback, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %s=%q, want a time such as 2026-03-02T09:00:00Z", errRequest, name, text)
	}
	return at, nil
}
