package runner

import (
	"fmt"
	"io"
	"sync"

	"github.com/runner-ci/runner/runner/wire"
)

// pump turns one attached connection into a channel of frames, and our requests into lines.
type pump struct {
	conn   io.ReadWriteCloser
	out    *wire.Writer
	frames chan wire.Frame
	quit   chan struct{}

	welcomed bool // by the agent, on this connection; used by the session alone

	mu   sync.Mutex
	fail error
	seq  uint64
}

// pumpDepth lets the reader run ahead while one flush is on its way to disk: by 4 MiB of full log frames, by twice
// that where a job writes lines of its own.
const pumpDepth = 64

func startPump(conn io.ReadWriteCloser) *pump {
	p := &pump{conn: conn, out: wire.NewWriter(conn), frames: make(chan wire.Frame, pumpDepth), quit: make(chan struct{})}
	go p.read()
	return p
}

func (p *pump) read() {
	defer close(p.frames)
	rd := wire.NewAgentReader(p.conn)
	for {
		f, err := rd.Read()
		if err != nil {
			p.mu.Lock()
			p.fail = err
			p.mu.Unlock()
			return
		}
		select {
		case p.frames <- f:
		case <-p.quit:
			return
		}
	}
}

func (p *pump) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Errorf("reading from the agent: %w", p.fail)
}

func (p *pump) close() {
	close(p.quit)
	p.conn.Close()
}

// hello begins with a newline, which ends whatever half a line a dead predecessor left in the pipe.
func (p *pump) hello(epoch, last uint64) error {
	if err := p.out.Begin(); err != nil {
		return fmt.Errorf("greeting the agent: %w", err)
	}
	return p.send(wire.Hello{Protocol: wire.Protocol, Epoch: epoch, LastFrame: last})
}

func (p *pump) stop(r StopRequest) error {
	return p.send(wire.Stop{Status: r.Status, Reason: r.Reason, GraceMillis: stopGrace.Milliseconds()})
}

func (p *pump) send(body wire.Body) error {
	p.seq++
	if err := p.out.Send(p.seq, body); err != nil {
		return fmt.Errorf("sending %s to the agent: %w", body.Kind(), err)
	}
	return nil
}
