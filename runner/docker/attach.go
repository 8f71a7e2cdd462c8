package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
)

// attachTimeout bounds the engine's answer to an attach.
const attachTimeout = 30 * time.Second

// conn is one attach. What the agent writes to its standard error goes to the sandbox's tail.
type conn struct {
	types.HijackedResponse
	*demuxer
	closing sync.Once
	ended   chan struct{} // closed when nobody listens for last words any more; nil where nobody did
	over    error         // why the listening ended, set before ended is closed
}

// Write sends bytes to the agent's standard input.
func (c *conn) Write(p []byte) (int, error) { return c.Conn.Write(p) }

// Read receives bytes of its standard output.
func (c *conn) Read(p []byte) (int, error) { return c.demuxer.Read(p) }

// Close ends the connection. The agent keeps running, its standard input stays open.
func (c *conn) Close() error {
	c.closing.Do(c.HijackedResponse.Close)
	return nil
}

// everything are the streams of an agent.
var everything = container.AttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true}

// Attach connects to the agent of a running sandbox. The first to do so after Create gets the connection that was made
// before the start, which costs no call to the engine and ends with the container.
func (e *Engine) Attach(ctx context.Context, id string) (io.ReadWriteCloser, error) {
	if c := e.boots.take(id); c != nil {
		return c, nil
	}
	c, err := e.hijack(ctx, id, everything)
	if err != nil {
		return nil, err
	}
	// Looking only now: a container that ends after this look ends the stream, one that ended before might not.
	in, err := e.inspect(ctx, id)
	if err == nil && !in.State.Running {
		err = fmt.Errorf("sandbox %s does not run, it is %s", id, in.State.Status)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// hijack attaches to a container's streams, giving up on an engine that takes the call and does not answer it: the
// client itself would wait for ever.
func (e *Engine) hijack(ctx context.Context, id string, opts container.AttachOptions) (*conn, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	short, cancel := context.WithTimeout(ctx, attachTimeout)
	defer cancel()
	if err := e.negotiate(short); err != nil {
		return nil, e.fail(ctx, "attaching to sandbox "+id, err)
	}
	resp, err := answered(short, func() (types.HijackedResponse, error) { return e.api.ContainerAttach(short, containerName(id), opts) })
	if err != nil && short.Err() == nil {
		if _, err := e.inspect(ctx, id); err != nil {
			return nil, err // the client tells no more than a status
		}
	}
	if err != nil {
		return nil, e.fail(ctx, "attaching to sandbox "+id, err)
	}
	return &conn{HijackedResponse: resp, demuxer: newDemuxer(resp.Reader, e.boots.tail(id))}, nil
}

// bootLog keeps the connections to agents that were made before their start until somebody attaches, and listens there,
// so that the last words of one that dies at once are not lost. It keeps the last words of all.
type bootLog struct {
	mu    sync.Mutex
	tails map[string]*tail
	conns map[string]*conn
}

// tail returns the place for a sandbox's last words.
func (b *bootLog) tail(id string) *tail {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tails == nil {
		b.tails = map[string]*tail{}
	}
	if b.tails[id] == nil {
		b.tails[id] = &tail{}
	}
	return b.tails[id]
}

// said returns a sandbox's last words, if any.
func (b *bootLog) said(id string) string {
	b.mu.Lock()
	t := b.tails[id]
	b.mu.Unlock()
	if t == nil {
		return ""
	}
	return t.String()
}

// listen connects and starts listening. Failing to is no reason to fail: the start that follows tells what is wrong.
func (b *bootLog) listen(ctx context.Context, e *Engine, id string) {
	c, err := e.hijack(ctx, id, everything)
	if err != nil {
		e.log.Debug("listening to a new agent", "sandbox", id, "error", err)
		return
	}
	b.release(id)
	b.mu.Lock()
	if b.conns == nil {
		b.conns = map[string]*conn{}
	}
	c.ended = make(chan struct{})
	b.conns[id] = c
	b.mu.Unlock()
	e.jobs.Go(func() {
		defer close(c.ended)
		c.over = c.listen()
	})
}

// take hands the connection to an agent over, if there is one that still stands.
func (b *bootLog) take(id string) *conn {
	b.mu.Lock()
	c := b.conns[id]
	delete(b.conns, id)
	b.mu.Unlock()
	if c == nil {
		return nil
	}
	err := c.Conn.SetReadDeadline(time.Unix(1, 0)) // which ends the listening, and loses nothing
	<-c.ended
	if err == nil && (c.over == nil || errors.Is(c.over, os.ErrDeadlineExceeded)) && c.Conn.SetReadDeadline(time.Time{}) == nil {
		return c
	}
	_ = c.Close()
	return nil
}

// settleTime is how long the last words of an agent may be on their way after the engine has told of its end.
const settleTime = time.Second

// settle waits until what an ended agent said before anybody attached has come through.
func (b *bootLog) settle(id string) {
	b.mu.Lock()
	c := b.conns[id]
	b.mu.Unlock()
	if c == nil {
		return
	}
	select {
	case <-c.ended:
	case <-time.After(settleTime):
	}
}

// release stops listening, and hangs up.
func (b *bootLog) release(id string) {
	b.mu.Lock()
	c := b.conns[id]
	delete(b.conns, id)
	b.mu.Unlock()
	if c != nil {
		_ = c.Close()
	}
}

// forget drops all that is kept of a sandbox.
func (b *bootLog) forget(id string) {
	b.release(id)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.tails, id)
}

func (b *bootLog) closeAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, c := range b.conns {
		_ = c.Close()
		delete(b.conns, id)
	}
}
