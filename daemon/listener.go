package daemon

import (
	"net"
	"sync/atomic"
	"time"
)

// listener can be told to take no more connections before the server is told to end: a server that is told at once closes
// a connection which it took in that moment, and its request gets no answer.
type listener struct {
	*net.TCPListener
	over atomic.Bool
}

// Accept returns the next connection; net.ErrClosed once there is to be no other.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.TCPListener.Accept()
	if err != nil && l.over.Load() {
		return nil, net.ErrClosed
	}
	return c, err
}

// end has Accept return. What has not been accepted stays with the kernel, for whoever has the socket next.
func (l *listener) end() {
	l.over.Store(true)
	_ = l.SetDeadline(time.Unix(1, 0))
}
