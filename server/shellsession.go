package server

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

const (
	// shellIdle is how long a shell may be without input and output.
	shellIdle = 30 * time.Minute
	// shellTotal is how long it may be open at all: a working day.
	shellTotal = 8 * time.Hour
	// shellLook is how often is looked whether one is idle; the other end is then asked whether it is there, so that a proxy in
	// between sees that the connection is used.
	shellLook = 20 * time.Second
	// shellMessage bounds a message of the other end's.
	shellMessage = 64 << 10
	// shellPong is how long its answer is waited for. Where it does not come, the other end may be busy, or stopped by a key: a
	// connection that is dead the kernel finds out.
	shellPong = 10 * time.Second
	// shellGrace is how long the last words of a shell that was ended may take.
	shellGrace = 10 * time.Second
)

// noDeadline takes a connection's deadlines away.
var noDeadline time.Time

// shellSession is one open shell.
type shellSession struct {
	conn  *websocket.Conn
	open  *scheduler.OpenedShell
	tty   bool
	used  atomic.Int64 // when something was said last, in Unix nanoseconds
	busy  atomic.Int32 // something is being passed on
	end   context.CancelCauseFunc
	ended context.Context
}

func newShellSession(conn *websocket.Conn, open *scheduler.OpenedShell, tty bool) *shellSession {
	conn.SetReadLimit(shellMessage)
	s := &shellSession{conn: conn, open: open, tty: tty}
	s.touch()
	return s
}

func (s *shellSession) touch() { s.used.Store(time.Now().UnixNano()) }

// run passes on what is said until the program ends, or has to.
func (s *shellSession) run(ctx context.Context, place scheduler.ShellPlace) {
	s.ended, s.end = context.WithCancelCause(ctx)
	defer s.end(nil)
	defer s.conn.CloseNow()
	// The connection outlives what ends the program: its last words, and ours, are still to be sent.
	talk, hush := context.WithCancel(context.WithoutCancel(ctx))
	defer hush()
	began := client.ShellBegan{Job: place.Job, At: place.At, Image: place.Image, Until: place.Until, Withheld: place.Withheld}
	if s.say(talk, client.ShellBeganMessage, began) != nil {
		return
	}
	defer context.AfterFunc(s.ended, s.open.Leave)()
	go s.hear(talk)
	go s.watch(talk)
	err := s.open.Copy(shellOutput{s, talk, client.ShellOutput}, shellOutput{s, talk, client.ShellErrors})
	over := client.ShellEnded{Reason: s.reason()}
	if over.Reason == "" && err == nil {
		over.Exit, err = s.open.Exit(talk)
	}
	if over.Reason == "" && err != nil {
		over.Reason = "the connection to the container broke off: " + err.Error()
	}
	if s.say(talk, client.ShellEndedMessage, over) == nil {
		_ = s.conn.Close(websocket.StatusNormalClosure, "")
	}
}

// reason is why the program was ended; "" if it ended by itself.
func (s *shellSession) reason() string {
	if s.ended.Err() == nil {
		return ""
	}
	if why := context.Cause(s.ended); why != nil && why != context.Canceled {
		return why.Error()
	}
	return "the daemon leaves, or who opened the shell may not have it any more"
}

// hear passes on what the other end says. When it goes, so does the program.
func (s *shellSession) hear(ctx context.Context) {
	for {
		_, text, err := s.conn.Read(ctx)
		if err != nil {
			s.end(fmt.Errorf("the other end has gone"))
			return
		}
		if len(text) == 0 {
			continue
		}
		s.touch()
		switch text[0] {
		case client.ShellInput:
			s.busy.Add(1)
			_, _ = s.open.Write(text[1:]) // what has ended takes nothing, and Copy sees to it
			s.busy.Add(-1)
		case client.ShellInputEnd:
			_ = s.open.CloseInput()
		case client.ShellResize:
			var size client.ShellSize
			if json.Unmarshal(text[1:], &size) == nil && s.tty && size.Cols > 0 && size.Rows > 0 && size.Cols <= 2000 && size.Rows <= 2000 {
				_ = s.open.Resize(ctx, size.Cols, size.Rows)
			}
		}
	}
}

// watch ends a program that nobody uses, that is open for too long, or that takes too much.
func (s *shellSession) watch(ctx context.Context) {
	look := time.NewTicker(shellLook)
	defer look.Stop()
	total := time.NewTimer(shellTotal)
	defer total.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.ended.Done():
			select {
			case <-ctx.Done():
			case <-time.After(shellGrace):
				_ = s.conn.CloseNow() // nobody takes its last words
			}
			return
		case why := <-s.open.Over:
			s.end(fmt.Errorf("%s", why))
		case <-total.C:
			s.end(fmt.Errorf("it was open for %s", shellTotal))
		case <-look.C:
			if time.Since(time.Unix(0, s.used.Load())) > shellIdle {
				s.end(fmt.Errorf("nothing was said for %s", shellIdle))
				continue
			}
			if s.busy.Load() > 0 {
				continue
			}
			asking, cancel := context.WithTimeout(ctx, shellPong)
			if err := s.conn.Ping(asking); err != nil && asking.Err() == nil {
				s.end(fmt.Errorf("the other end has gone"))
			}
			cancel()
		}
	}
}

// say sends a message of JSON.
func (s *shellSession) say(ctx context.Context, kind byte, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return s.send(ctx, kind, text)
}

func (s *shellSession) send(ctx context.Context, kind byte, text []byte) error {
	s.busy.Add(1)
	defer s.busy.Add(-1)
	short, cancel := context.WithTimeout(ctx, shellIdle) // people stop their terminal, and read
	defer cancel()
	return s.conn.Write(short, websocket.MessageBinary, append([]byte{kind}, text...))
}

// shellOutput is one of the program's outputs.
type shellOutput struct {
	s    *shellSession
	ctx  context.Context
	kind byte
}

func (o shellOutput) Write(p []byte) (int, error) {
	o.s.touch()
	if err := o.s.send(o.ctx, o.kind, p); err != nil {
		return 0, err
	}
	return len(p), nil
}
