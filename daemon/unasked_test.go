package daemon

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestAServerAnswersWhoIsConnectedBeforeItEnds: the request comes after the server was told to take no more connections.
func TestAServerAnswersWhoIsConnectedBeforeItEnds(t *testing.T) {
	t.Parallel()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	ln := &listener{TCPListener: tcp.(*net.TCPListener)}
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "heard") })}
	early := watchUnasked(web)
	served := make(chan error, 1)
	go func() { served <- web.Serve(ln) }()
	conn, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for early.none() {
		time.Sleep(time.Millisecond)
	}
	ln.end()
	<-served
	ended := make(chan error, 1)
	go func() { early.wait(time.Minute); ended <- shutdown(web, time.Minute) }()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(conn); err != nil || len(answer) == 0 {
		t.Errorf("%q, %v", answer, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !early.none() {
		t.Error("a connection that was asked for something counts still")
	}
	(&unasked{conns: map[net.Conn]bool{conn: true}}).wait(time.Millisecond) // for one that is never asked for anything
}
