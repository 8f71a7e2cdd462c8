package push

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestASilentRegistryIsNotWaitedForForever: it may be silent before it answers, within an answer, or while it is sent something.
func TestASilentRegistryIsNotWaitedForForever(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v2/half":
			w.WriteHeader(http.StatusOK)
			_, _ = io.WriteString(w, "half")
			w.(http.Flusher).Flush()
		case "/v2/slow":
			for range 10 {
				_, _ = io.WriteString(w, "x")
				w.(http.Flusher).Flush()
				time.Sleep(50 * time.Millisecond)
			}
			return
		}
		<-over
	}))
	t.Cleanup(func() { close(over); server.Close() })
	ask := func(method, path string, wait time.Duration, body io.Reader) error {
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, body)
		if err != nil {
			t.Fatal(err)
		}
		res, err := heard{http.DefaultTransport, wait}.RoundTrip(r)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		_, err = io.Copy(io.Discard, res.Body)
		return err
	}
	for name, err := range map[string]error{
		"no answer":      ask(http.MethodGet, "/v2/none", 200*time.Millisecond, nil),
		"half an answer": ask(http.MethodGet, "/v2/half", 200*time.Millisecond, nil),
		"nothing taken":  ask(http.MethodPut, "/v2/none", 200*time.Millisecond, io.LimitReader(endless{}, 1<<30)),
	} {
		var silent *silentError
		if !errors.As(err, &silent) || !passing(err) || !strings.Contains(err.Error(), "said nothing for 200ms") {
			t.Errorf("%s: %v, want a passing error that tells of the silence", name, err)
		}
	}
	if err := ask(http.MethodGet, "/v2/slow", 20*time.Second, nil); err != nil {
		t.Errorf("one that goes on is ended: %v", err)
	}
}

// endless is what a large layer is.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
