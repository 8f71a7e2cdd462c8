package server

import (
	"net/http"
	"time"
)

// bodyPatience is how long the body of a request may take to come that no handler reads. Handlers that read one have
// limits of their own, and those that stream an answer have none here.
const bodyPatience = time.Minute

// strictPolicy is for answers that no browser is meant to show: nothing in them is run, loaded or framed.
const strictPolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// sandboxPolicy is for what jobs wrote: were a browser to show it in spite of all, it would be of no origin.
const sandboxPolicy = "sandbox; " + strictPolicy

// hsts is for half a year, which is long enough and can still be waited for.
const hsts = "max-age=15552000"

// setHeaders sets what every answer has.
func (a *api) setHeaders(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", strictPolicy)
	h.Set("X-Frame-Options", "DENY") // what browsers know that do not know frame-ancestors
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if a.Secure {
		h.Set("Strict-Transport-Security", hsts)
	}
}
