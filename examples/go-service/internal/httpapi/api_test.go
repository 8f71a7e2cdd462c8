package httpapi

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/rooms/internal/booking"
	"example.com/rooms/internal/cursor"
	"example.com/rooms/internal/ical"
	"example.com/rooms/internal/ratelimit"
	"example.com/rooms/internal/store"
)

// service is a whole service on a real listener, with a real journal.
type service struct {
	t   *testing.T
	url string
}

func start(t *testing.T, burst int) *service {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	server := httptest.NewServer(New(s, cursor.NewSigner([]byte("test")), ratelimit.New(1, burst, nil), log))
	t.Cleanup(server.Close)
	return &service{t, server.URL}
}

// do sends a request, checks the status and decodes the answer into the value, if there is one.
func (s *service) do(method, path, body string, status int, into any) *http.Response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode != status {
		s.t.Fatalf("%s %s: status %d, want %d: %s", method, path, resp.StatusCode, status, text)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			s.t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
	return resp
}

func slot(day, hour int) string {
	at := time.Date(2026, 3, day, hour, 0, 0, 0, time.UTC)
	return fmt.Sprintf(`{"title":"standup","owner":"mia","start":%q,"end":%q}`, at.Format(time.RFC3339), at.Add(time.Hour).Format(time.RFC3339))
}

func TestLifeOfABooking(t *testing.T) {
	s := start(t, 1000)
	s.do("PUT", "/rooms/oak", `{"name":"Oak","seats":6}`, 200, nil)
	var made booking.Booking
	resp := s.do("POST", "/rooms/oak/bookings", slot(2, 9), 201, &made)
	if resp.Header.Get("Location") != "/bookings/"+made.ID || made.ID == "" {
		t.Errorf("location %q for %+v", resp.Header.Get("Location"), made)
	}
	s.do("POST", "/rooms/oak/bookings", slot(2, 9), 409, nil)
	var got booking.Booking
	s.do("GET", "/bookings/"+made.ID, "", 200, &got)
	if got != made {
		t.Errorf("got %+v, made %+v", got, made)
	}
	s.do("DELETE", "/bookings/"+made.ID, "", 204, nil)
	s.do("DELETE", "/bookings/"+made.ID, "", 404, nil)
	s.do("POST", "/rooms/oak/bookings", slot(2, 9), 201, nil)
}

func TestBadRequests(t *testing.T) {
	s := start(t, 1000)
	s.do("PUT", "/rooms/oak", `{"name":"Oak","seats":6}`, 200, nil)
	for _, c := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"no JSON", "POST", "/rooms/oak/bookings", "hello", 400},
		{"an unknown field", "POST", "/rooms/oak/bookings", `{"titel":"x"}`, 400},
		{"two values", "PUT", "/rooms/elm", `{"seats":1}{}`, 400},
		{"a room for nobody", "PUT", "/rooms/elm", `{"seats":0}`, 400},
		{"a bad rule", "POST", "/rooms/oak/bookings", strings.Replace(slot(2, 9), "{", `{"repeat":"FREQ=HOURLY",`, 1), 400},
		{"a huge body", "POST", "/rooms/oak/bookings", `{"title":"` + strings.Repeat("x", maxBody) + `"}`, 400},
		{"an unknown room", "POST", "/rooms/ash/bookings", slot(2, 9), 404},
		{"an unknown booking", "GET", "/bookings/b99", "", 404},
		{"a made-up cursor", "GET", "/rooms/oak/bookings?cursor=AAAA", "", 400},
		{"a bad time", "GET", "/rooms/oak/bookings?from=monday", "", 400},
		{"a bad number", "GET", "/rooms?seats=many", "", 400},
		{"no such route", "GET", "/nothing", "", 404},
		{"a wrong method", "DELETE", "/rooms/oak/bookings", "", 405},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &service{t, s.url}
			s.do(c.method, c.path, c.body, c.status, nil)
		})
	}
}

func TestPagesCoverEverythingOnce(t *testing.T) {
	s := start(t, 10_000)
	s.do("PUT", "/rooms/oak", `{"name":"Oak","seats":6}`, 200, nil)
	for day := 1; day <= 20; day++ {
		for hour := 8; hour < 18; hour++ {
			s.do("POST", "/rooms/oak/bookings", slot(day, hour), 201, nil)
		}
	}
	seen := map[string]bool{}
	next := ""
	for pages := 1; ; pages++ {
		var p page
		s.do("GET", "/rooms/oak/bookings?limit=17&cursor="+next, "", 200, &p)
		for _, b := range p.Bookings {
			if seen[b.ID] {
				t.Fatalf("%s came twice", b.ID)
			}
			seen[b.ID] = true
		}
		if next = p.Next; next == "" {
			if want := (200 + 16) / 17; pages != want {
				t.Errorf("%d pages, want %d", pages, want)
			}
			break
		}
	}
	if len(seen) != 200 {
		t.Errorf("%d bookings seen, want 200", len(seen))
	}
}

func TestSeriesInTheCalendar(t *testing.T) {
	s := start(t, 1000)
	s.do("PUT", "/rooms/oak", `{"name":"Oak","seats":6}`, 200, nil)
	var series []booking.Booking
	s.do("POST", "/rooms/oak/bookings", strings.Replace(slot(2, 9), "{", `{"repeat":"FREQ=WEEKLY;COUNT=6",`, 1), 201, &series)
	if len(series) != 6 {
		t.Fatalf("%d bookings in the series", len(series))
	}
	resp, err := http.Get(s.url + "/rooms/oak/calendar.ics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	events, err := ical.Read(resp.Body)
	if err != nil || len(events) != 6 || !events[5].Start.Equal(series[5].Start) {
		t.Errorf("%d events, %v", len(events), err)
	}
}

func TestOneWinnerPerSlot(t *testing.T) {
	s := start(t, 10_000)
	s.do("PUT", "/rooms/oak", `{"name":"Oak","seats":6}`, 200, nil)
	for day := 1; day <= 10; day++ {
		var won atomic.Int32
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() {
				resp, err := http.Post(s.url+"/rooms/oak/bookings", "application/json", strings.NewReader(slot(day, 9)))
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
				if resp.StatusCode == http.StatusCreated {
					won.Add(1)
				}
			})
		}
		clients.Wait()
		if won.Load() != 1 {
			t.Fatalf("day %d: %d clients got the room", day, won.Load())
		}
	}
}

func TestSuggestion(t *testing.T) {
	s := start(t, 1000)
	s.do("PUT", "/rooms/oak", `{"seats":6}`, 200, nil)
	s.do("PUT", "/rooms/hall", `{"seats":60}`, 200, nil)
	s.do("POST", "/rooms/oak/bookings", slot(2, 9), 201, nil)
	var got booking.Suggestion
	s.do("GET", "/suggestion?seats=4&minutes=30&from=2026-03-02T09:00:00Z", "", 200, &got)
	if got.Room.ID != "hall" {
		t.Errorf("oak is taken at nine, but %+v is suggested", got)
	}
	s.do("GET", "/suggestion?seats=100&from=2026-03-02T09:00:00Z", "", 404, nil)
}
