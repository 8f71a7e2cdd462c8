package main

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
)

// witness hears from the jobs themselves, beside everything that the daemon stores: each says, as the first thing that it
// does, which build it is of, in which container it runs, and a token that no other run has.
type witness struct {
	port int
	srv  *http.Server

	mu    sync.Mutex
	heard map[string][]testimony // by build
	boxes map[string]string      // build by container, of which a job knows the first twelve digits
	addrs map[netip.Addr]bool    // that jobs had
}

// testimony is one run of a job's commands.
type testimony struct{ token, box string }

func newWitness() (*witness, error) {
	ln, err := net.Listen("tcp4", "0.0.0.0:0") // jobs reach us by their network's gateway
	if err != nil {
		return nil, err
	}
	wit := &witness{port: ln.Addr().(*net.TCPAddr).Port, heard: make(map[string][]testimony), boxes: make(map[string]string), addrs: make(map[netip.Addr]bool)}
	wit.srv = &http.Server{Handler: http.HandlerFunc(wit.serve)}
	go func() { _ = wit.srv.Serve(ln) }()
	return wit, nil
}

func (wit *witness) serve(rw http.ResponseWriter, req *http.Request) {
	q := req.URL.Query()
	build := q.Get("project") + "#" + q.Get("number")
	wit.mu.Lock()
	defer wit.mu.Unlock()
	wit.heard[build] = append(wit.heard[build], testimony{q.Get("token"), q.Get("box")})
	wit.boxes[q.Get("box")] = build
	if at, err := netip.ParseAddrPort(req.RemoteAddr); err == nil {
		wit.addrs[at.Addr().Unmap()] = true
	}
	fmt.Fprintln(rw, "heard")
}

// of is what was heard of a build.
func (wit *witness) of(build string) []testimony {
	wit.mu.Lock()
	defer wit.mu.Unlock()
	return slices.Clone(wit.heard[build])
}

// ranIn tells which build a container's job said it was of.
func (wit *witness) ranIn(box string) (build string, known bool) {
	wit.mu.Lock()
	defer wit.mu.Unlock()
	build, known = wit.boxes[box]
	return build, known
}

// interfaces are the names of the host's ends of cables that bear the addresses of jobs that were heard.
func (wit *witness) interfaces() (names []string) {
	wit.mu.Lock()
	defer wit.mu.Unlock()
	for addr := range wit.addrs {
		if nic, err := net.InterfaceByName(fmt.Sprintf("vethrun%x", addr.AsSlice())); err == nil {
			names = append(names, nic.Name)
		}
	}
	return names
}

func (wit *witness) close() { _ = wit.srv.Close() }
