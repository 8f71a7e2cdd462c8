package server

import (
	"net/http"
	"net/netip"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/server/web"
)

// routePages adds the pages that people look at. They are no operations of the API, ask it for all that they show, and are
// let through to find out there what their visitor may see.
func (a *api) routePages() {
	a.site = web.New(web.Options{Client: a.insideClient(), Base: a.Base, Origin: a.Origin, Version: a.Version, Logger: a.Logger})
	for _, route := range append(a.site.Pages(), a.site.Assets()...) {
		a.pages[route.Pattern] = true
		a.mux.ServeMux.HandleFunc(route.Pattern, route.Handle)
	}
}

// visitor finds out who looks at a page: maybe nobody, who sees what is public.
func (a *api) visitor(w http.ResponseWriter, r *http.Request, address netip.Addr) (*identity, *Problem) {
	who, tried := a.identify(r)
	if who == nil && tried && r.Header.Get("Authorization") != "" {
		if a.Access != nil {
			a.Access.Refused(access.Event{Action: "authenticate", Address: callNetwork(address), Result: http.StatusUnauthorized})
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="runner"`)
		return nil, unauthorized()
	}
	if who == nil {
		who = a.anybody()
	}
	if who == nil {
		who = &identity{nobody: true}
	}
	who.address = address.String()
	if who.session && a.origins.Check(r) != nil {
		return nil, crossOrigin()
	}
	return who, nil
}
