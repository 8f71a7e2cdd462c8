package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// client is the daemon's side of one attach.
type client struct {
	t     *testing.T
	conn  io.ReadWriteCloser
	r     *wire.Reader
	w     *wire.Writer
	seq   uint64
	guard *time.Timer
}

// dial attaches and says hello, without waiting for the answer.
func (b *box) dial(epoch, last uint64) *client {
	b.t.Helper()
	conn, err := b.ex.Attach(context.WithoutCancel(b.t.Context()), b.spec.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	c := b.client(conn)
	if err := c.hello(epoch, last); err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *box) client(conn io.ReadWriteCloser) *client {
	c := &client{t: b.t, conn: conn, r: wire.NewReader(conn), w: wire.NewWriter(conn)}
	c.guard = time.AfterFunc(patience, func() { conn.Close() })
	return c
}

func (c *client) hello(epoch, last uint64) error {
	if err := c.w.Begin(); err != nil {
		return err
	}
	c.seq++
	return c.w.Send(c.seq, wire.Hello{Protocol: wire.Protocol, Epoch: epoch, LastFrame: last})
}

// attach dials and reads on to the welcome of this epoch: what came before it was meant for a predecessor.
func (b *box) attach(epoch, last uint64) *client {
	b.t.Helper()
	c := b.dial(epoch, last)
	if err := c.awaitWelcome(epoch); err != nil {
		b.t.Fatalf("attaching: %v", err)
	}
	return c
}

// tryAttach attaches to an agent that may have ended; then it returns nil.
func (b *box) tryAttach(epoch, last uint64) *client {
	b.t.Helper()
	conn, err := b.ex.Attach(context.WithoutCancel(b.t.Context()), b.spec.ID)
	if err == nil {
		c := b.client(conn)
		if err = c.hello(epoch, last); err == nil {
			err = c.awaitWelcome(epoch)
		}
		if err == nil {
			return c
		}
		c.close()
	}
	b.t.Logf("not attached: %v", err)
	return nil
}

func (c *client) awaitWelcome(epoch uint64) error {
	for {
		f, err := c.r.Read()
		if err != nil {
			return err
		}
		if f.Kind == wire.KindRefused {
			return fmt.Errorf("epoch %d was refused: %s", epoch, f.Body)
		}
		var w wire.Welcome
		if f.Kind == wire.KindWelcome && wire.Decode(f, &w) == nil && w.Epoch == epoch {
			return nil
		}
	}
}

func (c *client) send(body wire.Body) {
	c.t.Helper()
	c.seq++
	if err := c.w.Send(c.seq, body); err != nil {
		c.t.Fatalf("sending %s: %v", body.Kind(), err)
	}
}

func (c *client) read() wire.Frame {
	c.t.Helper()
	f, err := c.r.Read()
	if err != nil {
		c.t.Fatalf("reading from the agent: %v", err)
	}
	return f
}

// close detaches, as abruptly as a daemon that is killed.
func (c *client) close() {
	c.guard.Stop()
	if err := c.conn.Close(); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		c.t.Logf("detaching: %v", err)
	}
}

// record is what frames told, in order.
type record struct {
	t        *testing.T
	frames   []wire.Frame
	last     uint64
	gaps     int
	log      bytes.Buffer
	phases   []string // "BUILD FAILED"
	commands []wire.CommandEnded
	began    int
	arts     *wire.Artifacts
	done     *wire.Done
}

// followToEnd takes every frame up to done.
func (rec *record) followToEnd(c *client) {
	rec.t.Helper()
	for rec.done == nil {
		rec.take(c.read())
	}
}

// some takes up to n frames, and tells whether there may be more to come from this connection or another.
func (rec *record) some(c *client, n int) bool {
	rec.t.Helper()
	for range n {
		f, err := c.r.Read()
		if err != nil {
			rec.t.Logf("the connection ended: %v", err)
			return false
		}
		if rec.take(f); rec.done != nil {
			return false
		}
	}
	return true
}

// rest completes the record with what a longer one has after it.
func (rec *record) rest(whole *record) {
	rec.t.Helper()
	for _, f := range whole.frames {
		if f.Seq > rec.last {
			rec.take(f)
		}
	}
}

// take adds one frame. Frames come in order and exactly once; what is missing is counted.
func (rec *record) take(f wire.Frame) {
	rec.t.Helper()
	if f.Seq == 0 {
		return
	}
	if f.Seq <= rec.last {
		rec.t.Fatalf("frame %d came again, after frame %d", f.Seq, rec.last)
	}
	rec.gaps += int(f.Seq - rec.last - 1)
	rec.last = f.Seq
	rec.frames = append(rec.frames, f)
	switch f.Kind {
	case wire.KindLog:
		var l wire.Log
		rec.decode(wire.Decode(f, &l))
		if len(l.Data) > wire.MaxLogData {
			rec.t.Errorf("a log frame holds %d bytes", len(l.Data))
		}
		rec.log.Write(l.Data)
	case wire.KindPhaseEnded:
		var p wire.PhaseEnded
		rec.decode(wire.Decode(f, &p))
		rec.phases = append(rec.phases, p.Phase+" "+string(p.Status))
	case wire.KindCommandBegan:
		rec.began++
	case wire.KindCommandEnded:
		var e wire.CommandEnded
		rec.decode(wire.Decode(f, &e))
		rec.commands = append(rec.commands, e)
	case wire.KindArtifacts:
		rec.arts = new(wire.Artifacts)
		rec.decode(wire.Decode(f, rec.arts))
	case wire.KindDone:
		rec.done = new(wire.Done)
		rec.decode(wire.Decode(f, rec.done))
	}
}

func (rec *record) decode(err error) {
	rec.t.Helper()
	if err != nil {
		rec.t.Fatal(err)
	}
}

// wantStatus checks the result, and shows the log when it is another.
func (rec *record) wantStatus(want wire.Status) {
	rec.t.Helper()
	if rec.done == nil {
		rec.t.Fatalf("no done frame; the log is:\n%s", &rec.log)
	}
	if rec.done.Status != want {
		rec.t.Fatalf("ended %+v, want %s; the log is:\n%s", *rec.done, want, &rec.log)
	}
}

// wantLog checks that the log holds each text.
func (rec *record) wantLog(texts ...string) {
	rec.t.Helper()
	for _, text := range texts {
		if !bytes.Contains(rec.log.Bytes(), []byte(text)) {
			rec.t.Errorf("the log lacks %q:\n%s", text, &rec.log)
		}
	}
}

// wantNotInLog checks that the log holds none of the texts.
func (rec *record) wantNotInLog(texts ...string) {
	rec.t.Helper()
	for _, text := range texts {
		if bytes.Contains(rec.log.Bytes(), []byte(text)) {
			rec.t.Errorf("the log holds %q:\n%s", text, &rec.log)
		}
	}
}
