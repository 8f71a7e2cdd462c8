package server

import (
	"container/list"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How often one address may fail before it has to wait: at first so many times, then once an interval.
const (
	loginBurst, loginEvery = 10, 6 * time.Second
	hookBurst, hookEvery   = 30, 2 * time.Second
)

// maxAddresses bounds how many addresses a limiter knows. The one that did nothing for the longest time is forgotten first.
const maxAddresses = 16_384

// limiter bounds how often something is done from an address.
type limiter struct {
	burst int
	every time.Duration

	mu    sync.Mutex
	known map[netip.Prefix]*list.Element
	order *list.List // of *allowance; the one used last is in front
}

type allowance struct {
	network netip.Prefix
	rate    *rate.Limiter
}

func newLimiter(burst int, every time.Duration) *limiter {
	return &limiter{burst: burst, every: every, known: map[netip.Prefix]*list.Element{}, order: list.New()}
}

// networkOf is what counts as one address: of IPv6 the /64 that one customer has at least.
func networkOf(address netip.Addr) netip.Prefix {
	bits := 32
	if address.Is6() {
		bits = 64
	}
	network, _ := address.Prefix(bits)
	return network
}

// callNetwork writes it for people: of IPv4 it is the address.
func callNetwork(address netip.Addr) string {
	if address.Is6() {
		return networkOf(address).String()
	}
	return address.String()
}

// take counts one more from an address. It tells how long that address has to wait; 0 where it need not.
func (l *limiter) take(address netip.Addr) (pause time.Duration) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	reservation := l.of(address).ReserveN(now, 1)
	if pause = reservation.DelayFrom(now); pause > 0 {
		reservation.CancelAt(now)
	}
	return pause
}

// spend is take, and tells how many more there are for now.
func (l *limiter) spend(address netip.Addr) (pause time.Duration, left int) {
	pause = l.take(address)
	l.mu.Lock()
	defer l.mu.Unlock()
	return pause, max(0, int(l.of(address).Tokens()))
}

// pause tells how long an address has to wait, and counts nothing.
func (l *limiter) pause(address netip.Addr) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.known[networkOf(address)]; !known {
		return 0
	}
	missing := 1 - l.of(address).Tokens()
	return max(0, time.Duration(missing*float64(l.every)))
}

func (l *limiter) of(address netip.Addr) *rate.Limiter {
	network := networkOf(address)
	if e := l.known[network]; e != nil {
		l.order.MoveToFront(e)
		return e.Value.(*allowance).rate
	}
	if l.order.Len() >= maxAddresses {
		last := l.order.Back()
		delete(l.known, last.Value.(*allowance).network)
		l.order.Remove(last)
	}
	one := &allowance{network, rate.NewLimiter(rate.Every(l.every), l.burst)}
	l.known[network] = l.order.PushFront(one)
	return one.rate
}

// tooOften tells an address to come back later.
func tooOften(w http.ResponseWriter, pause time.Duration) *Problem {
	seconds := int(math.Ceil(pause.Seconds()))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	return problem(http.StatusTooManyRequests, "this address failed too often", "come back in "+strconv.Itoa(seconds)+" s")
}
