//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// Attach opens the FIFOs of a running agent. An agent that has ended cannot be attached to: its record is in the
// spool.
func (e *Executor) Attach(_ context.Context, id string) (io.ReadWriteCloser, error) {
	st, err := e.load(id)
	if err != nil {
		return nil, err
	}
	fd, err := unix.PidfdOpen(max(st.PID, 1), unix.PIDFD_NONBLOCK)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return nil, fmt.Errorf("attaching to sandbox %s: watching its agent: %w", id, err)
	}
	if err != nil || !e.alive(st) {
		if err == nil {
			unix.Close(fd)
		}
		return nil, fmt.Errorf("attaching to sandbox %s: its agent has ended", id)
	}
	c := &conn{agent: os.NewFile(uintptr(fd), "agent")}
	dir := e.SandboxDir(id)
	// Reading begins before hello is written: the agent opens its end when it answers. Until then our own
	// writing end keeps the FIFO from looking closed; it goes when the agent does.
	open := func(name string, flags int) (f *os.File) {
		if err == nil {
			f, err = openFIFO(filepath.Join(dir, name), flags)
		}
		return f
	}
	c.out = open(outFIFO, os.O_RDONLY)
	c.keep = open(outFIFO, os.O_WRONLY)
	c.in = open(inFIFO, os.O_RDWR)
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("attaching to sandbox %s: %w", id, err)
	}
	go c.watch()
	return c, nil
}

// openFIFO opens a FIFO, and nothing else that may have taken its place.
func openFIFO(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().Type() != os.ModeNamedPipe {
		err = fmt.Errorf("%s is no longer a FIFO: something in the job replaced it", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// conn is one attach.
type conn struct {
	agent         *os.File // a pidfd
	in, out, keep *os.File
	once          sync.Once
}

func (c *conn) Read(p []byte) (int, error) { return c.out.Read(p) }

func (c *conn) Write(p []byte) (int, error) { return c.in.Write(p) }

// Close detaches. The agent goes on.
func (c *conn) Close() error {
	c.once.Do(func() {
		for _, f := range []*os.File{c.in, c.out, c.keep, c.agent} {
			if f != nil {
				f.Close()
			}
		}
	})
	return nil
}

// watch lets reading come to its end when the agent has ended.
func (c *conn) watch() {
	raw, err := c.agent.SyscallConn()
	if err == nil {
		_ = raw.Read(func(fd uintptr) bool {
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, err := unix.Poll(fds, 0)
			return err != nil && !errors.Is(err, unix.EINTR) || n > 0
		})
	}
	c.keep.Close()
}
