//go:build linux

package agent

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/runner-ci/runner/runner/agent/mask"
	"github.com/runner-ci/runner/runner/wire"
)

// output reads the one pipe that all commands print to, for as long as the job lives, and makes log frames of it.
//
// What comes after a pause becomes a frame at once. While output keeps coming, small writes are gathered for
// gatherFor, so that a program which prints a line at a time does not cost a frame a line.
type output struct {
	read  *os.File
	raw   syscall.RawConn
	write int // the end that shells inherit; blocking, as programs expect
	emit  func([]byte)
	mask  *mask.Stream

	mu      sync.Mutex
	waiting chan struct{} // a settle that is under way
	ended   chan struct{}

	buf    [wire.MaxLogData]byte
	n      int
	masked []byte
	last   time.Time // when the last frame was made
}

const gatherFor = 3 * time.Millisecond

// pipeSize is asked for so that a command seldom waits for the agent to be scheduled. The kernel may give less.
const pipeSize = 256 << 10

func newOutput(stream *mask.Stream, emit func([]byte)) (*output, error) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("making the pipe for output: %w", err)
	}
	_, _, _ = syscall.Syscall(syscall.SYS_FCNTL, uintptr(fds[0]), syscall.F_SETPIPE_SZ, pipeSize)
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		return nil, fmt.Errorf("making the pipe for output: %w", err)
	}
	o := &output{read: os.NewFile(uintptr(fds[0]), "output"), write: fds[1], mask: stream, emit: emit, ended: make(chan struct{})}
	raw, err := o.read.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("making the pipe for output: %w", err)
	}
	o.raw = raw
	go o.run()
	return o, nil
}

func (o *output) run() {
	defer close(o.ended)
	for {
		if settled := o.prepare(); settled != nil {
			o.settleNow()
			close(settled)
			continue
		}
		err := o.fill()
		switch {
		case o.n == len(o.buf) || o.n > 0 && time.Since(o.last) >= gatherFor:
			o.flush()
		case err == nil || errors.Is(err, os.ErrDeadlineExceeded):
		default:
			return // closed
		}
	}
}

// prepare sets how long the next read may wait, or returns the settle that is asked for.
func (o *output) prepare() (settled chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if settled, o.waiting = o.waiting, nil; settled != nil {
		return settled
	}
	var deadline time.Time
	if o.n > 0 {
		deadline = o.last.Add(gatherFor)
	}
	_ = o.read.SetReadDeadline(deadline)
	return nil
}

// fill waits until there is something, and reads it as far as it fits.
func (o *output) fill() error {
	return o.raw.Read(func(fd uintptr) bool {
		got := false
		for o.n < len(o.buf) {
			room := len(o.buf) - o.n
			k, err := syscall.Read(int(fd), o.buf[o.n:])
			if err == syscall.EINTR {
				continue
			}
			if err != nil || k <= 0 {
				break
			}
			o.n += k
			got = true
			if k < room {
				break // the pipe is empty now
			}
		}
		return got || o.n == len(o.buf)
	})
}

// flush makes frames of what was read.
func (o *output) flush() {
	o.masked = o.mask.Append(o.masked[:0], o.buf[:o.n])
	o.n = 0
	if len(o.masked) > 0 {
		o.emit(o.masked)
	}
	o.last = time.Now()
}

// settle returns when everything that was written to the pipe before the call is in the log. Programs that go on
// printing in the background do not keep it.
func (o *output) settle() {
	settled := make(chan struct{})
	o.mu.Lock()
	o.waiting = settled
	_ = o.read.SetReadDeadline(time.Unix(1, 0))
	o.mu.Unlock()
	select {
	case <-settled:
	case <-o.ended:
	}
}

func (o *output) settleNow() {
	_ = o.raw.Control(func(fd uintptr) {
		for left := pending(fd); left > 0; {
			k, err := syscall.Read(int(fd), o.buf[o.n:min(len(o.buf), o.n+left)])
			if err == syscall.EINTR {
				continue
			}
			if err != nil || k <= 0 {
				break
			}
			o.n += k
			left -= k
			if o.n == len(o.buf) {
				o.flush()
			}
		}
	})
	o.flush()
	// A secret whose first half was printed by a command that is over is none: show what was held back.
	if o.masked = o.mask.Flush(o.masked[:0]); len(o.masked) > 0 {
		o.emit(o.masked)
	}
	o.last = time.Time{} // what comes next comes after a pause
}

// pending returns how many bytes lie in a pipe.
func pending(fd uintptr) int {
	var n int32
	const fionread = 0x541b
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, fionread, uintptr(unsafe.Pointer(&n))); errno != 0 {
		return 0
	}
	return int(n)
}

// close ends the reading.
func (o *output) close() {
	o.read.Close()
	syscall.Close(o.write)
	<-o.ended
}
