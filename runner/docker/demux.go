package docker

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"sync"
)

// Streams of the engine's multiplexed format, the first byte of each eight-byte header. The last four bytes are the
// length of what follows, big endian.
const (
	streamStdin  = 0
	streamStdout = 1
	streamStderr = 2
	streamSystem = 3 // an error of the engine's own
)

// demuxer reads standard output out of a multiplexed stream, and keeps the end of standard error aside. It needs no
// goroutine and holds no more than its buffer, whatever lengths the headers claim.
type demuxer struct {
	r      *bufio.Reader
	errs   *tail
	left   int64 // bytes of the current frame
	stdout bool  // whether they are of standard output
}

func newDemuxer(r io.Reader, errs *tail) *demuxer {
	return &demuxer{r: bufio.NewReaderSize(r, 64<<10), errs: errs}
}

// Read returns bytes of standard output. A stream that ends within a frame gives io.ErrUnexpectedEOF.
func (d *demuxer) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		for d.left == 0 {
			if err := d.next(); err != nil {
				return 0, err
			}
		}
		if d.stdout {
			n, err := d.r.Read(p[:min(int64(len(p)), d.left)])
			d.left -= int64(n)
			if n > 0 || err != nil {
				return n, inside(err)
			}
			continue
		}
		n, err := io.CopyN(d.errs, d.r, d.left)
		d.left -= n
		if err != nil {
			return 0, inside(err)
		}
	}
}

// listen takes in standard error until something else comes, which is left to Read, or an error. After one that the
// stream recovers from, a deadline's, Read goes on where it stopped.
func (d *demuxer) listen() error {
	for {
		if d.left == 0 {
			h, err := d.r.Peek(1)
			if err != nil {
				return err
			}
			if h[0] != streamStderr {
				return nil
			}
			if _, err := d.r.Peek(headerBytes); err != nil {
				return err
			}
			if err := d.next(); err != nil {
				return err
			}
		}
		n, err := io.CopyN(d.errs, d.r, d.left)
		d.left -= n
		if err != nil {
			return err
		}
	}
}

// headerBytes is the length of a header.
const headerBytes = 8

// next reads a header.
func (d *demuxer) next() error {
	var h [headerBytes]byte
	if _, err := io.ReadFull(d.r, h[:]); err != nil {
		return err
	}
	d.left = int64(binary.BigEndian.Uint32(h[4:]))
	switch h[0] {
	case streamStdin, streamStdout:
		d.stdout = true
	case streamStderr:
		d.stdout = false
	case streamSystem:
		text, _ := io.ReadAll(io.LimitReader(d.r, min(d.left, tailBytes)))
		return fmt.Errorf("the engine ended the stream: %s", text)
	default:
		return fmt.Errorf("the engine's stream is damaged: a header of kind %d", h[0])
	}
	return nil
}

// inside is an error that came in the middle of a frame.
func inside(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// tailBytes is how much of an agent's standard error is kept.
const tailBytes = 4 << 10

// tail keeps the last bytes written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	keep := p[max(0, len(p)-tailBytes):]
	if over := len(t.buf) + len(keep) - tailBytes; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	t.buf = append(t.buf, keep...)
	return len(p), nil
}

// String returns what was kept as one printable text: a job can write there too.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	clean := strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(t.buf), "?"))
	return strings.TrimSpace(clean)
}
