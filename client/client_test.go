package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serve starts a server for the handler and returns a client of it.
func serve(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return New(s.URL, "secret-token", WithUserAgent("test/1"))
}

func TestSplitBuildID(t *testing.T) {
	if project, number, err := SplitBuildID("web-front_end#142"); project != "web-front_end" || number != 142 || err != nil {
		t.Errorf("%q, %d, %v", project, number, err)
	}
	for _, id := range []string{"", "api", "#1", "api#", "api#0", "api#-1", "api#1#2", "api#x", "api#99999999999999999999"} {
		if _, _, err := SplitBuildID(id); err == nil || !strings.Contains(err.Error(), "PROJECT#NUMBER") {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestRequestsBearTokenAndAgent(t *testing.T) {
	var got http.Header
	var path string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, path = r.Header, r.URL.String()
		io.WriteString(w, `{"items":[{"id":"api#1"}],"next":"n"}`)
	})
	page, err := c.Builds(t.Context(), ListOptions{Project: "a b", Status: "FAILED", Cursor: "c", Limit: 5})
	if err != nil || len(page.Items) != 1 || page.Next != "n" {
		t.Errorf("%+v, %v", page, err)
	}
	if got.Get("Authorization") != "Bearer secret-token" || got.Get("User-Agent") != "test/1" {
		t.Errorf("header %v", got)
	}
	if path != "/api/v1/builds?cursor=c&limit=5&project=a+b&status=FAILED" {
		t.Errorf("path %s", path)
	}
}

func TestProblemsBecomeErrors(t *testing.T) {
	for name, c := range map[string]struct {
		kind, body   string
		detail, hint string
	}{
		"problem":      {"application/problem+json", `{"title":"Conflict","status":200,"detail":"it runs","hint":"stop it","errors":[{"location":"body.a","message":"bad"}]}`, "it runs; body.a: bad", "stop it"},
		"proxy's page": {"text/html", "<html>", "which is no answer of a Runner daemon", hintOther},
		"broken JSON":  {"application/problem+json", "{", "which is no answer of a Runner daemon", hintOther},
		"empty JSON":   {"application/json", "{}", "Conflict", ""},
	} {
		client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", c.kind)
			w.WriteHeader(http.StatusConflict)
			io.WriteString(w, c.body)
		})
		_, err := client.Daemon(t.Context())
		var p *Error
		if !errors.As(err, &p) || p.Status != http.StatusConflict || !strings.Contains(err.Error(), c.detail) || p.Hint != c.hint {
			t.Errorf("%s: %v, %+v", name, err, p)
		}
	}
}

func TestWhatIsNoDaemonIsUnreachable(t *testing.T) {
	page := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") })
	short := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, `{"version":`)
	})
	for name, c := range map[string]*Client{
		"a web page": page, "half an answer": short, "no scheme": New("localhost:1", ""), "no host": New("http://", ""),
		"no URL": New("::", ""), "nothing": New("", ""),
	} {
		_, err := c.Daemon(t.Context())
		var gone *UnreachableError
		if !errors.As(err, &gone) || gone.Hint == "" || errors.Unwrap(err) == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnAnswerThatWasLostIsAskedForAgainWithTheSameKey(t *testing.T) {
	var keys []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		if len(keys) == 1 {
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, `{"id":"t1"}`)
	})
	tr, err := c.Start(t.Context(), Start{Project: "api"})
	if err != nil || tr.ID != "t1" || len(keys) != 2 || keys[0] != keys[1] || keys[0] == "" {
		t.Errorf("%+v, %v, keys %q", tr, err, keys)
	}
	if _, err := c.Retry(t.Context(), "api#1", true); err != nil || keys[2] == keys[0] {
		t.Errorf("another request has the same key: %q, %v", keys, err)
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	held := make(chan struct{})
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-held })
	defer close(held)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough of this")
	time.AfterFunc(10*time.Millisecond, func() { cancel(why) })
	if _, err := c.Daemon(ctx); !errors.Is(err, why) {
		t.Errorf("error %v, want the cause", err)
	}
}

// logServer plays a daemon whose connections break off in every way there is.
type logServer struct {
	log      string
	breaks   []int // bytes that the nth answer gives before it ends
	requests atomic.Int64
}

func (s *logServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := int(s.requests.Add(1)) - 1
	var offset int
	fmt.Sscan(r.URL.Query().Get("offset"), &offset)
	w.Header().Set(LogAttemptHeader, "1")
	w.Header().Set(LogAttemptsHeader, "1")
	if n >= len(s.breaks) {
		w.Header().Set(LogCompleteHeader, "true")
		io.WriteString(w, s.log[offset:])
		return
	}
	w.Header().Set(LogCompleteHeader, "false")
	io.WriteString(w, s.log[offset:min(offset+s.breaks[n], len(s.log))])
	w.(http.Flusher).Flush()
	if n%3 == 0 {
		panic(http.ErrAbortHandler) // a daemon that was killed; otherwise it went in good order
	}
}

func TestAFollowedLogIsWholeHoweverOftenItBreaksOff(t *testing.T) {
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	s := &logServer{log: text.String(), breaks: []int{1000, 1, 20000, 5, 0, 7000, 3}}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if s.requests.Load()%3 == 2 {
			s.requests.Add(1)
			w.WriteHeader(http.StatusBadGateway) // a proxy that has no daemon behind it right now
			return
		}
		s.ServeHTTP(w, r)
	})
	r, err := c.Log(t.Context(), "api#1", "", LogOptions{Follow: true, Offset: 5})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || string(got) != s.log[5:] {
		t.Errorf("%d bytes, %v; want %d", len(got), err, len(s.log)-5)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("a read after the end: %d, %v", n, err)
	}
}

func TestALogThatIsNotFollowedSaysWhenItBrokeOff(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(LogAttemptHeader, "1")
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "half")
	})
	r, err := c.Log(t.Context(), "api#1", "", LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if text, err := io.ReadAll(r); string(text) != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", text, err)
	}
}

func TestReadEvents(t *testing.T) {
	stream := ": hello\n\nid: 1\nevent: build\ndata: {\"a\":\ndata: 1}\n\nevent: other\ndata:x\n\nevent: empty\n\ndata: unnamed\n\nevent: build\ndata: cut off"
	var got []string
	if err := readEvents(strings.NewReader(stream), func(event, data string) error {
		got = append(got, event+"="+data)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"build={\"a\":\n1}", "other=x", "=unnamed"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzReadEvents(f *testing.F) {
	f.Add("event: build\ndata: {}\n\n")
	f.Add(":\n\n\ndata\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		events := 0
		if err := readEvents(strings.NewReader(stream), func(string, string) error { events++; return nil }); err != nil {
			t.Error(err)
		}
		if events > strings.Count(stream, "data") {
			t.Errorf("%d events of %q", events, stream)
		}
	})
}

func TestACertificateThatNobodyKnowsIsNamed(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	_, err := New(srv.URL, "").Daemon(t.Context())
	var gone *UnreachableError
	if !errors.As(err, &gone) || gone.Hint != hintTrust {
		t.Errorf("%v, %+v", err, gone)
	}
}
