package server

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// addressOf is where a request comes from: the other end of its connection or, where that is a proxy which is trusted, the
// nearest address before it that is none. What anybody else writes into X-Forwarded-For is not looked at.
func (a *api) addressOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	address := peer.Addr().Unmap().WithZone("")
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !a.isProxy(address) {
			break
		}
		next, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		address = next.Unmap().WithZone("")
	}
	return address
}

func (a *api) isProxy(address netip.Addr) bool {
	return slices.ContainsFunc(a.Proxies, func(p netip.Prefix) bool { return p.Contains(address) })
}
