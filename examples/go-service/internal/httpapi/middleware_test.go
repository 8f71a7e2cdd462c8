package httpapi

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestRateLimit(t *testing.T) {
	s := start(t, 3)
	for range 3 {
		s.do("GET", "/healthz", "", 200, nil)
	}
	resp := s.do("GET", "/healthz", "", 429, nil)
	if resp.Header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q", resp.Header.Get("Retry-After"))
	}
}

func TestPanicBecomesAnAnswerAndALogLine(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	h := requestID(logged(log, recovered(log, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("no such luck") }))))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/x", nil))
	if rec.Code != http.StatusInternalServerError || !strings.Contains(rec.Body.String(), rec.Header().Get(idHeader)) {
		t.Errorf("status %d: %s", rec.Code, rec.Body)
	}
	if !strings.Contains(out.String(), "no such luck") || !strings.Contains(out.String(), "status=500") {
		t.Errorf("the log says %s", out.String())
	}
}

func TestRequestID(t *testing.T) {
	h := requestID(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for sent, kept := range map[string]bool{"": false, "abc-1": true, strings.Repeat("x", 65): false} {
		req := httptest.NewRequest("GET", "/", nil)
		req.Header.Set(idHeader, sent)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		if got := rec.Header().Get(idHeader); (got == sent) != kept || got == "" {
			t.Errorf("sent %q, got %q", sent, got)
		}
	}
}
