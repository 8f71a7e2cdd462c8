package client

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// Error is what the daemon answered when it could not do what was asked: an RFC 9457 problem. Status is the HTTP
// status, Detail says what happened and Hint what to do about it; either may be empty.
type Error struct {
	Status int            `json:"status"`
	Title  string         `json:"title"`
	Detail string         `json:"detail"`
	Hint   string         `json:"hint"`
	Errors []FieldProblem `json:"errors"` // what is wrong with which part of the request
}

// FieldProblem is what is wrong with one part of a request.
type FieldProblem struct {
	Location string `json:"location"` // "body.url", "query.limit"
	Message  string `json:"message"`
}

// Error says what happened, without the hint.
func (e *Error) Error() string {
	text := e.Detail
	if text == "" {
		text = e.Title
	}
	if text == "" {
		text = fmt.Sprintf("the daemon answered %d", e.Status)
	}
	for _, f := range e.Errors {
		switch {
		case f.Location == "":
			text += "; " + f.Message
		default:
			text += "; " + f.Location + ": " + f.Message
		}
	}
	return text
}

// UnreachableError tells that the daemon did not answer, or that what answered is no daemon. Hint says what to do.
type UnreachableError struct {
	URL  string
	Hint string
	Err  error

	connected bool // a connection stood, so the request may have arrived
}

// Error names the URL and the cause.
func (e *UnreachableError) Error() string { return fmt.Sprintf("no daemon at %s: %v", e.URL, e.Err) }

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

const (
	hintURL     = "give the daemon's address with --url or RUNNER_URL, like http://127.0.0.1:8080"
	hintRefused = "start it with `runner serve`, or give its address with --url or RUNNER_URL"
	hintTrust   = "have this machine trust the authority that signed the certificate, or name its PEM file in the variable SSL_CERT_FILE"
	hintOther   = "check the address (--url, RUNNER_URL) and that nothing between here and there stops the connection"
)

// unreachable wraps a failure of transport with the hint that fits it.
func unreachable(base string, connected bool, err error) *UnreachableError {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err // less the method and the URL, which the message names already
	}
	hint := hintOther
	var dns *net.DNSError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &authority):
		hint = hintTrust
	case errors.Is(err, syscall.ECONNREFUSED):
		hint = hintRefused
	case errors.As(err, &dns), strings.Contains(err.Error(), "unsupported protocol scheme"):
		hint = hintURL
	}
	return &UnreachableError{URL: base, Hint: hint, Err: err, connected: connected}
}

// readProblem turns an answer that is not 2xx into an *Error. Anything that is not problem+json (a proxy's page,
// say) is named for what it is.
func readProblem(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	problem := &Error{}
	isJSON := strings.Contains(resp.Header.Get("Content-Type"), "json")
	if !isJSON || json.Unmarshal(text, problem) != nil {
		problem = &Error{
			Detail: fmt.Sprintf("%s answered %s, which is no answer of a Runner daemon", resp.Request.URL.Host, resp.Status),
			Hint:   hintOther,
		}
	}
	problem.Status = resp.StatusCode // what was really sent, whatever the body claims
	if problem.Title == "" {
		problem.Title = http.StatusText(resp.StatusCode)
	}
	return problem
}

// transient tells whether the same call may succeed later: the daemon is away, restarting, or a proxy before it
// says so.
func transient(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var gone *UnreachableError
	if errors.As(err, &gone) {
		return true
	}
	var problem *Error
	if errors.As(err, &problem) {
		switch problem.Status {
		case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusTooManyRequests:
			return true
		}
	}
	return false
}
