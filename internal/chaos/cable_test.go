package main

import (
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// TestACable carries bytes, holds them back while it hangs, and breaks connections that stand when it is cut.
func TestACable(t *testing.T) {
	far, err := net.Listen("unix", filepath.Join(t.TempDir(), "far"))
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	go func() {
		for {
			conn, err := far.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); conn.Close() }()
		}
	}()
	c, err := newCable("unix", filepath.Join(t.TempDir(), "near"), "unix", far.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	conn := dialled(t, c)
	if got, err := echoed(conn, 10*time.Second); got != "x" || err != nil {
		t.Fatalf("a whole cable brought back %q (%v)", got, err)
	}
	c.set(hung)
	if got, err := echoed(conn, 50*time.Millisecond); err == nil {
		t.Errorf("one that hangs brought back %q", got)
	}
	c.set(whole)
	if got, err := read(conn, 10*time.Second); got != "x" || err != nil {
		t.Errorf("one that is whole again brought back %q (%v), want what was held", got, err)
	}
	c.set(cut)
	if got, err := read(conn, 10*time.Second); err == nil {
		t.Errorf("one that was cut brought back %q", got)
	}
	if got, err := echoed(dialled(t, c), 10*time.Second); err == nil {
		t.Errorf("a connection to one that is cut brought back %q", got)
	}
	c.set(whole)
	if got, err := echoed(dialled(t, c), 10*time.Second); got != "x" || err != nil {
		t.Errorf("a new connection to one that is mended brought back %q (%v)", got, err)
	}
}

func dialled(t *testing.T, c *cable) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", c.address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func echoed(conn net.Conn, patience time.Duration) (string, error) {
	if _, err := conn.Write([]byte("x")); err != nil {
		return "", err
	}
	return read(conn, patience)
}

func read(conn net.Conn, patience time.Duration) (string, error) {
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 8)
	n, err := conn.Read(buf)
	return string(buf[:n]), err
}
