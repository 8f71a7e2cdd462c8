package notify

import (
	"bufio"
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/internal/leak"
	"github.com/runner-ci/runner/notify/message"
	"github.com/runner-ci/runner/outbox"
)

func TestMain(m *testing.M) { leak.Main(m) }

var red = message.Message{
	ID: "1.api.142.team", Event: "failure", Name: "team", Project: "api", Build: "api#142", Status: "FAILED", Branch: "<!channel>", Ref: "refs/heads/x",
	Summary: "@all look & see", Title: "<https://evil.example|click>", URL: "https://ci.example.com/projects/api/builds/142", Ended: time.Unix(1_800_000_000, 0),
}

// receiver is a program that takes what it is sent.
func receiver(t *testing.T, status int) (address string, got func() (http.Header, []byte)) {
	t.Helper()
	type request struct {
		header http.Header
		body   []byte
	}
	all := make(chan request, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		all <- request{r.Header, body}
		w.Header().Set("Retry-After", "7")
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/secret-path", func() (http.Header, []byte) { r := <-all; return r.header, r.body }
}

func sender(t *testing.T) *Sender {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &Sender{Transport: transport}
}

func TestAWebhookIsSigned(t *testing.T) {
	address, got := receiver(t, http.StatusNoContent)
	if err := sender(t).Webhook(t.Context(), address, []byte("key"), red); err != nil {
		t.Fatal(err)
	}
	h, body := got()
	at, err := strconv.ParseInt(h.Get("Webhook-Timestamp"), 10, 64)
	if err != nil || time.Since(time.Unix(at, 0)).Abs() > time.Minute || h.Get("Webhook-Id") != red.ID {
		t.Errorf("headers %v, %v", h, err)
	}
	if want := Sign([]byte("key"), red.ID, time.Unix(at, 0), body); !hmac.Equal([]byte(want), []byte(h.Get("Webhook-Signature"))) {
		t.Errorf("the signature is %q, want %q", h.Get("Webhook-Signature"), want)
	}
	var m message.Message
	if err := json.Unmarshal(body, &m); err != nil || m.Build != "api#142" || m.Title != red.Title {
		t.Errorf("the body is %s, %v", body, err)
	}
}

// TestSignIsThatOfTheSpecification has the example that the libraries of the Standard Webhooks specification are tested with.
func TestSignIsThatOfTheSpecification(t *testing.T) {
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := Sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAnswersAreJudged(t *testing.T) {
	for status, refused := range map[int]bool{500: false, 429: false, 503: false, 404: true, 401: true, 302: true} {
		address, _ := receiver(t, status)
		err := sender(t).Webhook(t.Context(), address, []byte("key"), red)
		var final *outbox.Refused
		var later *outbox.Later
		if err == nil || errors.As(err, &final) != refused || !refused && (!errors.As(err, &later) || later.After != 7*time.Second) || strings.Contains(err.Error(), "secret-path") {
			t.Errorf("%d: %v", status, err)
		}
	}
	err := sender(t).Slack(t.Context(), "http://127.0.0.1:1/secret-path", "", red)
	if err == nil || strings.Contains(err.Error(), "secret-path") || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestACommitWakesNobodyInAChat(t *testing.T) {
	address, got := receiver(t, http.StatusOK)
	if err := sender(t).Slack(t.Context(), address, "", red); err != nil {
		t.Fatal(err)
	}
	_, body := got()
	var m slackMessage
	if err := json.Unmarshal(body, &m); err != nil || len(m.Attachments) != 1 {
		t.Fatalf("%s, %v", body, err)
	}
	all := m.Text + m.Attachments[0].Text + m.Attachments[0].Fallback
	for _, bad := range []string{"<!channel>", "@all", "<https://evil"} {
		if strings.Contains(all, bad) {
			t.Errorf("%q stands in %q", bad, all)
		}
	}
	if !strings.HasPrefix(m.Text, "<https://ci.example.com/projects/api/builds/142|api#142> failed") || m.Attachments[0].Color != colors["failure"] {
		t.Errorf("it says %+v", m)
	}
}

// post office is a mail server that takes one connection, and refuses recipients called nobody.
func postOffice(t *testing.T) (port int, letters func() []string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan []string, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		done <- talk(conn)
	}()
	t.Cleanup(func() { ln.Close() })
	return ln.Addr().(*net.TCPAddr).Port, func() []string { return <-done }
}

func talk(conn net.Conn) (letters []string) {
	r := bufio.NewReader(conn)
	say := func(s string) { fmt.Fprint(conn, s+"\r\n") }
	say("220 post office")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return letters
		}
		switch verb, rest, _ := strings.Cut(strings.TrimSpace(line), " "); strings.ToUpper(verb) {
		case "EHLO":
			say("250 post office")
		case "RCPT":
			if strings.Contains(rest, "nobody") {
				say("550 5.1.1 nobody of that name")
				continue
			}
			say("250 ok")
		case "DATA":
			say("354 go on")
			var text strings.Builder
			for {
				line, err := r.ReadString('\n')
				if err != nil || line == ".\r\n" {
					break
				}
				text.WriteString(line)
			}
			letters = append(letters, text.String())
			say("250 ok")
		case "QUIT":
			say("221 bye")
			return letters
		default:
			say("250 ok")
		}
	}
}

func TestEachPersonGetsAnEmailOfTheirOwn(t *testing.T) {
	port, letters := postOffice(t)
	office := Mail{Host: "127.0.0.1", Port: port, From: "Runner <ci@example.com>", TLS: "off"}
	if err := sender(t).Email(t.Context(), office, []string{"ada@example.com", "Bob <bob@example.com>"}, "", "", red); err != nil {
		t.Fatal(err)
	}
	all := letters()
	if len(all) != 2 {
		t.Fatalf("%d letters came", len(all))
	}
	ids := map[string]bool{}
	for i, to := range []string{"<ada@example.com>", "<bob@example.com>"} {
		msg, err := mail.ReadMessage(strings.NewReader(all[i]))
		if err != nil {
			t.Fatal(err)
		}
		h := msg.Header
		if !strings.Contains(h.Get("To"), to) || strings.Contains(h.Get("To"), ",") || h.Get("Auto-Submitted") != "auto-generated" || h.Get("References") == "" {
			t.Errorf("letter %d has %v", i, h)
		}
		body, _ := io.ReadAll(msg.Body)
		if !strings.Contains(string(body), "https://ci.example.com/projects/api/builds/142") {
			t.Errorf("it says %s", body)
		}
		ids[h.Get("Message-ID")] = true
	}
	if len(ids) != 2 {
		t.Errorf("the ids are %v", ids)
	}
}

func TestWhoHasNoMailboxIsNotAskedForever(t *testing.T) {
	port, _ := postOffice(t)
	office := Mail{Host: "127.0.0.1", Port: port, From: "ci@example.com", TLS: "off"}
	var final *outbox.Refused
	if err := sender(t).Email(t.Context(), office, []string{"nobody@example.com"}, "", "", red); !errors.As(err, &final) || !strings.Contains(err.Error(), "nobody of that name") {
		t.Errorf("got %v", err)
	}
	// A server that offers no encryption where it is wanted gets nothing.
	port, letters := postOffice(t)
	office.Port, office.TLS = port, ""
	if err := sender(t).Email(t.Context(), office, []string{"ada@example.com"}, "", "", red); err == nil {
		t.Error("an email went out in clear")
	}
	if all := letters(); len(all) > 0 {
		t.Errorf("in clear: %v", all)
	}
}

// TestAMailServerThatStallsIsLeftWhenTheTimeIsOver: the time of a step does not end it before this test would be over.
func TestAMailServerThatStallsIsLeftWhenTheTimeIsOver(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx, over := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			left <- err
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(sendTimeout / 2))
		_, err = conn.Write([]byte("220 post office\r\n"))
		r := bufio.NewReader(conn)
		if err == nil {
			_, err = r.ReadString('\n') // EHLO, which gets no answer
		}
		over()
		if err == nil {
			_, err = r.ReadByte()
		}
		left <- err
	}()
	office := Mail{Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port, From: "ci@example.com", TLS: "off"}
	if err := sender(t).Email(ctx, office, []string{"ada@example.com"}, "", "", red); err == nil {
		t.Error("an email was sent to a server that says nothing")
	}
	if err := <-left; !errors.Is(err, io.EOF) {
		t.Errorf("the server saw %v, want that the connection was closed", err)
	}
}
