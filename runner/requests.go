package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner/wire"
)

// Bounds on what one attempt may ask, besides its tests. An agent asks for its runtimes and for its cache; a job that
// writes frames of its own could go on without end.
const (
	maxRequests = 64
	maxRestores = 8
)

// requests answers what the agent asks on one connection, one thing at a time, beside the session's loop: a cache of
// gigabytes must not keep the log waiting. What is not answered when the connection ends is asked again on the next.
type requests struct {
	s      *session
	p      *pump
	ctx    context.Context
	cancel context.CancelFunc
	taken  map[uint64]bool // by id, on this connection
	test   uint64          // id of the newest about tests, of which there are many
	busy   chan struct{}   // closed when the newest is answered; nil when there was none
}

func (s *session) newRequests(ctx context.Context, p *pump) *requests {
	ctx, cancel := context.WithCancel(ctx)
	return &requests{s: s, p: p, ctx: ctx, cancel: cancel, taken: make(map[uint64]bool)}
}

// close ends what is being answered, and waits for that: the next connection may be asked the same.
func (r *requests) close() {
	r.cancel()
	if r.busy != nil {
		<-r.busy
	}
}

// take begins to answer a request, unless it is being answered already.
func (r *requests) take(q wire.Request) error {
	if r.taken[q.ID] || (q.Tests != nil && q.ID == r.test) {
		return nil
	}
	if counted, most := r.s.count(q); counted > most+1 {
		return nil
	} else if counted > most {
		return r.p.send(wire.Answer{ID: q.ID, Error: fmt.Sprintf("this job has asked the daemon %d times, which is more than any agent does; nothing more is answered", most)})
	}
	if q.Tests != nil {
		r.test = q.ID
	} else {
		r.taken[q.ID] = true
	}
	if r.working() {
		return r.p.send(wire.Answer{ID: q.ID, Error: "the daemon answers one request at a time, and is at work on another one of this job"})
	}
	done := make(chan struct{})
	r.busy = done
	go func() {
		a := r.s.answer(r.ctx, q)
		close(done) // before the agent can know, and ask the next thing
		if r.ctx.Err() != nil {
			return
		}
		failpoint.Pass("5/request-answered")
		if err := r.p.send(a); err != nil {
			r.s.log.Warn("an answer could not be sent", "error", err)
		}
	}()
	return nil
}

// count counts what a job asks, each thing once however often it is asked again, and tells how often it may. What tests
// ask is counted apart: that is a question or two a batch.
func (s *session) count(q wire.Request) (counted, most int) {
	if q.Tests != nil {
		s.tests.requests++
		return s.tests.requests, maxTestRequests
	}
	if len(s.asked) <= maxRequests {
		s.asked[q.ID] = true
		return len(s.asked), maxRequests
	}
	return len(s.asked) + 1, maxRequests
}

func (r *requests) working() bool {
	if r.busy == nil {
		return false
	}
	select {
	case <-r.busy:
		return false
	default:
		return true
	}
}

// answer does what a request asks for. Its errors are sentences for the job's log.
func (s *session) answer(ctx context.Context, q wire.Request) wire.Answer {
	a := wire.Answer{ID: q.ID}
	var err error
	switch {
	case q.Cache != nil && q.Runtimes == nil && q.Tests == nil:
		a.Cache, err = s.restore(ctx, *q.Cache)
	case q.Runtimes != nil && q.Cache == nil && q.Tests == nil:
		a.Runtimes, err = s.runtimes(ctx, *q.Runtimes)
	case q.Tests != nil && q.Cache == nil && q.Runtimes == nil:
		a.Tests, err = s.testsFor(ctx, *q.Tests)
	default:
		err = fmt.Errorf("the request asks for nothing that this daemon knows; use releases of agent and daemon that belong together")
	}
	if err != nil {
		return wire.Answer{ID: q.ID, Error: brief(err.Error(), wire.MaxText)}
	}
	return a
}

// runtimes selects from the image's own table of runtimes.
func (s *session) runtimes(ctx context.Context, q wire.RuntimesRequest) (*wire.RuntimesAnswer, error) {
	if q.File == nil {
		table, err := s.tableOfImage(ctx)
		if errors.Is(err, fs.ErrNotExist) {
			return &wire.RuntimesAnswer{NoTable: true}, nil
		}
		if err != nil {
			return nil, err
		}
		q.File = table
	}
	if len(q.File) > wire.MaxRuntimesFile {
		return nil, fmt.Errorf("%s of the image has more than %d bytes, so it is not read; choose runtimes by the image instead", wire.RuntimesFile, wire.MaxRuntimesFile)
	}
	if s.runner.Runtimes == nil {
		return nil, fmt.Errorf("this daemon does not read %s of images; choose runtimes by the image instead", wire.RuntimesFile)
	}
	selected, err := s.runner.Runtimes(q.File, q.Want)
	if err != nil {
		return nil, err
	}
	a := wire.RuntimesAnswer{Selected: selected}
	if f, err := wire.Encode(0, wire.Answer{Runtimes: &a}); err != nil || len(f.Body) > wire.MaxLine/2 {
		return nil, fmt.Errorf("the commands that %s of the image has for the selected runtimes are too long (%d bytes)", wire.RuntimesFile, len(f.Body))
	}
	return &a, nil
}

// imageReader is an executor that can look into images. Where an image is no thing of its own, there is nothing that a
// sandbox does not see.
type imageReader interface {
	// ImageFile reads one regular file of at most limit bytes. Its error wraps fs.ErrNotExist where there is none.
	ImageFile(ctx context.Context, img Image, path string, limit int64) ([]byte, error)
}

// tableOfImage reads the table where our own mounts hide it from the job.
func (s *session) tableOfImage(ctx context.Context) ([]byte, error) {
	ex, ok := s.ex.(imageReader)
	if !ok {
		return nil, fs.ErrNotExist
	}
	return ex.ImageFile(ctx, s.attempt.Image, wire.RuntimesFile, wire.MaxRuntimesFile)
}
