package main

import (
	"io"
	"net"
	"sync"
)

// cableState is how a cable is.
type cableState int

const (
	whole cableState = iota
	cut              // connections break, and none is made
	hung             // connections are made and stand, and nothing comes through
)

// cable is a listener that passes everything on to another, and that can be cut.
type cable struct {
	ln      net.Listener
	network string
	to      string

	mu    sync.Mutex
	state cableState
	eased chan struct{} // closed when the cable is whole, or cut, after it was hung
	conns map[net.Conn]bool
}

func newCable(network, address, toNetwork, to string) (*cable, error) {
	ln, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	c := &cable{ln: ln, network: toNetwork, to: to, conns: make(map[net.Conn]bool)}
	go c.accept()
	return c, nil
}

func (c *cable) address() string { return c.ln.Addr().String() }

func (c *cable) accept() {
	for {
		conn, err := c.ln.Accept()
		if err != nil {
			return
		}
		go c.carry(conn)
	}
}

// carry joins one connection with one to the other side.
func (c *cable) carry(conn net.Conn) {
	defer conn.Close()
	if !c.enter(conn) {
		return
	}
	defer c.leave(conn)
	if !c.wait() {
		return
	}
	far, err := net.Dial(c.network, c.to)
	if err != nil {
		return
	}
	defer far.Close()
	if !c.enter(far) {
		return
	}
	defer c.leave(far)
	var both sync.WaitGroup
	both.Go(func() { c.copy(far, conn) })
	both.Go(func() { c.copy(conn, far) })
	both.Wait()
}

// copy carries one direction, and closes its end as an end, not as a break: a client that has said all still listens.
func (c *cable) copy(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if !c.wait() {
			to.Close()
			return
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				from.Close()
				return
			}
		}
		if err != nil {
			if half, ok := to.(interface{ CloseWrite() error }); ok && err == io.EOF {
				_ = half.CloseWrite()
			} else {
				to.Close()
			}
			return
		}
	}
}

// wait returns when something can come through, or false when the cable is cut.
func (c *cable) wait() bool {
	for {
		c.mu.Lock()
		state, eased := c.state, c.eased
		c.mu.Unlock()
		if state != hung {
			return state == whole
		}
		<-eased
	}
}

func (c *cable) enter(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == cut {
		return false
	}
	c.conns[conn] = true
	return true
}

func (c *cable) leave(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, conn)
}

// set cuts the cable, hangs it, or makes it whole.
func (c *cable) set(state cableState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.state
	c.state = state
	switch {
	case state == hung && was != hung:
		c.eased = make(chan struct{})
	case state != hung && was == hung:
		close(c.eased)
	}
	if state == cut {
		for conn := range c.conns {
			conn.Close()
		}
	}
}

func (c *cable) close() {
	c.set(cut)
	c.ln.Close()
}
