//go:build linux

package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// requests is what the agent asks the daemon for. It asks one thing at a time, and who wants to ask meanwhile waits for
// his turn. The question is no frame of the record: it goes to whoever is attached, and stands in the welcome of each
// daemon that attaches while it is open, so that a daemon which was killed in the middle of its answer is asked again
// by the same number.
type requests struct {
	transport *transport
	turn      chan struct{} // of capacity 1, full while a request is open

	mu       sync.Mutex
	newest   uint64
	open     *wire.Request
	answered chan wire.Answer
}

func newRequests(t *transport) *requests {
	return &requests{transport: t, turn: make(chan struct{}, 1)}
}

// errUnanswered is what a request comes to that nobody answers in the time of patience.
var errUnanswered = errors.New("no daemon answered")

// requestPatience is how long the agent waits for an answer. A daemon that is restarted takes seconds.
var requestPatience = 2 * time.Minute

// ask waits for the answer to a request. It fails with the cause of ctx when that ends first, and with
// errUnanswered after the time of patience, which begins anew while moving tells of another size: what was asked for
// is on its way then. moving may be nil.
func (q *requests) ask(ctx context.Context, req wire.Request, moving func() int64) (wire.Answer, error) {
	last, size := time.Now(), int64(0)
	return q.await(ctx, req, func() error {
		if moving != nil {
			if now := moving(); now != size {
				size, last = now, time.Now()
			}
		}
		if time.Since(last) >= requestPatience {
			return errUnanswered
		}
		return nil
	})
}

// insist waits for the answer to a request until ctx ends. Once the time of patience is over, it calls late and waits on.
func (q *requests) insist(ctx context.Context, req wire.Request, late func()) (wire.Answer, error) {
	begun, told := time.Now(), false
	return q.await(ctx, req, func() error {
		if !told && time.Since(begun) >= requestPatience {
			told = true
			late()
		}
		return nil
	})
}

// await waits for its turn, then for the answer. Now and then it asks tick whether to wait on.
func (q *requests) await(ctx context.Context, req wire.Request, tick func() error) (wire.Answer, error) {
	ticker := time.NewTicker(max(requestPatience/8, time.Millisecond))
	defer ticker.Stop()
	turn := q.turn
	var answered <-chan wire.Answer
	for {
		select {
		case turn <- struct{}{}:
			turn, answered = nil, q.begin(req)
			defer q.end()
		case answer := <-answered:
			return answer, nil
		case <-ctx.Done():
			return wire.Answer{}, context.Cause(ctx)
		case <-ticker.C:
			if err := tick(); err != nil {
				return wire.Answer{}, err
			}
		}
	}
}

// begin opens a request. The lock is held until it was passed on, so that a daemon which attaches meanwhile is told
// of it either way.
func (q *requests) begin(req wire.Request) <-chan wire.Answer {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.newest++
	req.ID = q.newest
	q.open, q.answered = &req, make(chan wire.Answer, 1)
	q.transport.pass(line(req))
	return q.answered
}

// end closes the request and gives the turn to the next.
func (q *requests) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open, q.answered = nil, nil
	<-q.turn
}

// hear takes an answer. One that comes late, or again, is nobody's.
func (q *requests) hear(answer wire.Answer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open == nil || q.open.ID != answer.ID {
		return
	}
	select {
	case q.answered <- answer:
	default:
	}
}

// welcome calls greet with the open request, nil when there is none. None is begun until it returns.
func (q *requests) welcome(greet func(open *wire.Request)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	greet(q.open)
}
