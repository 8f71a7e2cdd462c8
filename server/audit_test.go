package server

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
)

func TestWhatIsChangedIsRecordedWithItsResult(t *testing.T) {
	d, _ := gated(t)
	made, secret, err := d.access.Create("bot", access.Grant{Scope: access.Submit, Projects: []string{"api"}}, time.Time{}, "test")
	if err != nil {
		t.Fatal(err)
	}
	d.ask(asked{method: "POST", path: "/api/v1/builds/api/1/stop"}, secret)
	d.ask(asked{method: "POST", path: "/api/v1/builds/api/7/stop"}, testToken)
	d.ask(asked{method: "GET", path: "/api/v1/builds/api/1"}, secret)
	d.ask(example("POST /api/v1/triggers", "api", ""), secret) // beyond its scope
	if err := d.client().RemoveToken(t.Context(), made.Name); err != nil {
		t.Fatal(err)
	}
	page, err := d.client().Audit(t.Context(), client.AuditOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range page.Items {
		if e.Address != "127.0.0.1" || e.At.IsZero() {
			t.Errorf("%+v", e)
		}
		got = append(got, fmt.Sprintf("%s %s %s %s %d", e.Who, e.Action, e.Object, e.Project, e.Result))
	}
	want := []string{"admin remove-token bot  204", "admin stop-build api#7 api 404", "bot stop-build api#1 api 200"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("the audit log has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, o := range []client.AuditOptions{{Who: "bot"}, {Action: "remove-token"}, {ListOptions: client.ListOptions{Limit: 1}}} {
		if page, err := d.client().Audit(t.Context(), o); err != nil || len(page.Items) != 1 {
			t.Errorf("%+v: %+v, %v", o, page, err)
		}
	}
	if page, err := d.client().Audit(t.Context(), client.AuditOptions{Since: time.Now().Add(time.Hour)}); err != nil || len(page.Items) != 0 {
		t.Errorf("of the future: %+v, %v", page, err)
	}
}

func TestWhatCannotBeRecordedIsNotDone(t *testing.T) {
	d, _ := gated(t)
	d.access.Close()
	if code, body := d.ask(example("PUT /api/v1/daemon/drain", "", ""), testToken); code != http.StatusInternalServerError {
		t.Errorf("%d %s", code, body)
	}
	d.state.put(running())
	if code, _ := d.ask(asked{method: "POST", path: "/api/v1/builds/api/1/stop"}, testToken); code != http.StatusInternalServerError {
		t.Errorf("%d", code)
	}
	if b, err := d.state.Build("api#1"); err != nil || b.Status.Ended() {
		t.Errorf("the build was stopped all the same: %v %v", b.Status, err)
	}
}

func TestBadSignaturesAreSlowedDownAndGoodOnesNever(t *testing.T) {
	unreadable := project("unreadable", apiURL)
	unreadable.WebhookSecret = "env:RUNNER_TEST_NO_SUCH_VARIABLE"
	d := newDaemon(t, hooked(t, "api", apiURL, "one"), unreadable)
	body := hookBody(t, "push")
	for i := range hookBurst + 5 {
		code, _, _ := d.deliver(delivery("push", fmt.Sprintf("bad-%d", i), "wrong", body), body)
		if want := map[bool]int{true: http.StatusUnauthorized, false: http.StatusTooManyRequests}[i < hookBurst]; code != want {
			t.Fatalf("delivery %d: %d, want %d", i, code, want)
		}
	}
	for _, text := range []string{"webhook refused", "cannot be read, so its webhooks are refused"} {
		if lines := strings.Count(d.log.String(), text); lines != hookBurst {
			t.Errorf("%d lines in the log say %q for %d refusals", lines, text, hookBurst+5)
		}
	}
	if code, _, text := d.deliver(delivery("push", "good", "one", body), body); code != http.StatusAccepted {
		t.Errorf("a good one: %d %s", code, text)
	}
}

func TestEveryAnswerHasItsHeaders(t *testing.T) {
	d, trigger := gated(t)
	d.handler.Secure = true
	for _, pattern := range d.handler.mux.patterns {
		for _, token := range []string{testToken, "wrong"} {
			a := example(pattern, "api", trigger)
			resp, _ := d.do(a.method, a.path, bear(token), []byte(a.body))
			h := resp.Header
			policy := h.Get("Content-Security-Policy")
			kept := "no-store"
			if pattern == "GET "+badgePath {
				kept = "no-cache" // other sites show it
			}
			if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") ||
				h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") == "" || h.Get("Cache-Control") != kept || h.Get("X-Robots-Tag") != noRobots ||
				h.Get("Cross-Origin-Opener-Policy") == "" || h.Get("Cross-Origin-Resource-Policy") == "" || h.Get("Strict-Transport-Security") == "" {
				t.Errorf("%s: %v", pattern, h)
			}
		}
	}
}

// TestABodyThatNeverComesIsNotWaitedFor: not where no token is there, nor where nobody reads a body.
func TestABodyThatNeverComesIsNotWaitedFor(t *testing.T) {
	d, trigger := gated(t)
	d.handler.patience = 100 * time.Millisecond
	var all sync.WaitGroup
	for _, pattern := range d.handler.mux.patterns {
		for _, auth := range []string{"", "Authorization: Bearer " + testToken + "\r\n"} {
			a := example(pattern, "api", trigger)
			if a.body != "" && auth != "" || strings.HasPrefix(a.path, "/hooks") || pattern == "POST /login" || strings.Contains(a.path, "/submit") && auth != "" {
				continue // these have longer limits of their own
			}
			all.Go(func() {
				if err := d.withhold(a, auth); err != nil {
					t.Errorf("%s (token: %v): %v", pattern, auth != "", err)
				}
			})
		}
	}
	all.Wait()
}

// withhold sends a request without the body that it promises, and waits until the connection is closed.
func (d *daemon) withhold(a asked, auth string) error {
	conn, err := net.Dial("tcp", d.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: 10\r\n\r\n", a.method, a.path, auth)
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	for err == nil {
		resp.Body.Close()
		_, err = r.ReadByte()
	}
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return errors.New("the connection stays open")
	}
	return nil
}

func TestFailedHandshakesFillNoLog(t *testing.T) {
	var out lockedBuffer
	s := NewHTTPServer(http.NotFoundHandler(), slog.New(slog.NewTextHandler(&out, nil)))
	s.ErrorLog.Printf("http: TLS handshake error from 192.0.2.1:1: EOF")
	if out.String() != "" {
		t.Errorf("the log has %s", out.String())
	}
	s.ErrorLog.Printf("http: Accept error: too many open files")
	if !strings.Contains(out.String(), "level=WARN") || !strings.Contains(out.String(), "too many open files") {
		t.Errorf("the log has %q", out.String())
	}
}
