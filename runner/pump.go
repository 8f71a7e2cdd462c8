package runner

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner/wire"
)

// pump turns one attached connection into a channel of frames, and our requests into lines.
type pump struct {
	conn   io.ReadWriteCloser
	frames chan wire.Frame
	free   chan json.RawMessage // bodies that are no longer needed
	out    chan wire.Body
	quit   chan struct{}

	welcomed bool // by the agent, on this connection; used by the session alone

	mu   sync.Mutex
	fail error // the first thing that went wrong
}

const (
	// pumpDepth lets the reader run ahead while one flush is on its way to disk: by 4 MiB of full log frames, by twice
	// that where a job writes lines of its own.
	pumpDepth = 64
	// pumpFree is how many bodies are kept to be filled again: a flood needs a few.
	pumpFree = 8
	// pumpOut is how many of our lines may wait for an agent to read them. There are few, and an agent always reads:
	// one that does not was stopped by its job.
	pumpOut = 16
)

func startPump(conn io.ReadWriteCloser) *pump {
	p := &pump{
		conn: conn, frames: make(chan wire.Frame, pumpDepth), free: make(chan json.RawMessage, pumpFree), out: make(chan wire.Body, pumpOut), quit: make(chan struct{}),
	}
	go p.read()
	go p.write()
	return p
}

func (p *pump) read() {
	defer close(p.frames)
	rd := wire.NewAgentReader(p.conn)
	for {
		select {
		case body := <-p.free:
			rd.Lend(body)
		default:
		}
		f, err := rd.Read()
		if err != nil {
			p.failed(fmt.Errorf("reading from the agent: %w", err))
			return
		}
		select {
		case p.frames <- f:
		case <-p.quit:
			return
		}
	}
}

// taken says that nothing of a frame is needed any more.
func (p *pump) taken(f wire.Frame) {
	if f.Kind != wire.KindLog {
		return // there are few others, and some live on
	}
	select {
	case p.free <- f.Body:
	default:
	}
}

// write has a goroutine of its own, so that nothing that a job does to its agent keeps the session from its work.
func (p *pump) write() {
	w := wire.NewWriter(p.conn)
	// A newline ends whatever half a line a dead predecessor left in the pipe.
	err := w.Begin()
	for seq := uint64(1); err == nil; seq++ {
		select {
		case body := <-p.out:
			if err = w.Send(seq, body); err != nil {
				err = fmt.Errorf("sending %s to the agent: %w", body.Kind(), err)
			}
			if body.Kind() == wire.KindJob {
				failpoint.Pass("4/job-sent")
			}
		case <-p.quit:
			return
		}
	}
	p.failed(err)
	p.conn.Close() // which ends the reading too
}

func (p *pump) failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail == nil {
		p.fail = err
	}
}

func (p *pump) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fail
}

func (p *pump) close() {
	close(p.quit)
	p.conn.Close()
}

func (p *pump) hello(epoch, last uint64) error {
	return p.send(wire.Hello{Protocol: wire.Protocol, Epoch: epoch, LastFrame: last})
}

func (p *pump) stop(r StopRequest) error {
	return p.send(wire.Stop{Status: r.Status, Reason: r.Reason, GraceMillis: r.grace().Milliseconds()})
}

// send has something written after all that was sent before, unless the connection breaks: then the frames end.
func (p *pump) send(body wire.Body) error {
	select {
	case p.out <- body:
		return nil
	default:
		return fmt.Errorf("sending %s to the agent: it does not read what was sent before", body.Kind())
	}
}
