package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// stream writes an answer block by block. Each write may take writeTimeout, so that a client which stalls is cut off
// and holds nothing; each is flushed, so that what is written is seen.
type stream struct {
	w    http.ResponseWriter
	ctrl *http.ResponseController
	head bool // the header is all that was asked for
}

// errHeadOnly ends a stream of which only the header was asked for.
var errHeadOnly = errors.New("only the header was asked for")

// newStream takes over an answer from huma.
func newStream(ctx huma.Context) *stream {
	_, w := humago.Unwrap(ctx)
	s := &stream{w: w, ctrl: http.NewResponseController(w), head: ctx.Method() == http.MethodHead}
	// A deadline for reading the request would, when it passes, end the context in the middle of the answer.
	_ = s.ctrl.SetReadDeadline(time.Time{})
	return s
}

// start sends the header.
func (s *stream) start(status int) error {
	_ = s.ctrl.SetWriteDeadline(time.Now().Add(writeTimeout))
	s.w.WriteHeader(status)
	if err := s.ctrl.Flush(); err != nil || !s.head {
		return err
	}
	return errHeadOnly
}

// Write writes and flushes one block.
func (s *stream) Write(p []byte) (int, error) {
	_ = s.ctrl.SetWriteDeadline(time.Now().Add(writeTimeout))
	n, err := s.w.Write(p)
	if err == nil {
		err = s.ctrl.Flush()
	}
	return n, err
}

// streamBlock is how many bytes of a stream are in memory at a time.
const streamBlock = 64 << 10

// copyBlocks copies r to w and counts. Unlike io.Copy it never hands the work to a ReaderFrom, which would take
// away the deadline of each block.
func copyBlocks(w io.Writer, r io.Reader) (n int64, err error) {
	buf := make([]byte, streamBlock)
	for {
		got, readErr := r.Read(buf)
		if got > 0 {
			wrote, err := w.Write(buf[:got])
			n += int64(wrote)
			if err != nil {
				return n, err
			}
		}
		if readErr == io.EOF {
			return n, nil
		}
		if readErr != nil {
			return n, readErr
		}
	}
}

// breakOff ends an answer of which a part is out already, so that the client sees that the rest is missing.
func breakOff() { panic(http.ErrAbortHandler) }

// streamed describes an answer that is not JSON, for the OpenAPI document.
func streamed(kinds ...string) map[string]*huma.Response {
	content := map[string]*huma.MediaType{}
	for _, kind := range kinds {
		content[kind] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	}
	return map[string]*huma.Response{"200": {Description: "OK", Content: content}}
}

// wait sleeps until something changed, d has passed or ctx ended; it tells whether to go on.
func wait(ctx context.Context, changed <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-changed:
	case <-timer.C:
	}
	return ctx.Err() == nil
}
