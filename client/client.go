package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
)

// Client speaks to one daemon. It is safe for use by several goroutines. Every method returns an *Error when the
// daemon answered with a problem, and an *UnreachableError when it did not answer at all.
type Client struct {
	base  string
	token string
	http  *http.Client
	agent string
}

// Option changes how a Client works.
type Option func(*Client)

// WithHTTPClient makes the Client use h, for example one that trusts a private certificate authority. It must have
// no Timeout of its own: watching a build and following a log take as long as the build does.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithUserAgent sets the User-Agent header, which the daemon writes to its request log.
func WithUserAgent(agent string) Option { return func(c *Client) { c.agent = agent } }

// New returns a client for the daemon at baseURL, like "http://127.0.0.1:8080". It does not connect; a malformed URL
// is reported by the first call.
func New(baseURL, token string, opts ...Option) *Client {
	c := &Client{base: strings.TrimRight(strings.TrimSpace(baseURL), "/"), token: token, http: &http.Client{}, agent: "runner-client"}
	for _, opt := range opts {
		opt(c)
	}
	return c
}

// SplitBuildID takes a build's id apart: "api#142" is build 142 of project "api".
func SplitBuildID(id string) (project string, number int, err error) {
	project, digits, found := strings.Cut(id, "#")
	number, convErr := strconv.Atoi(digits)
	if !found || project == "" || convErr != nil || number < 1 {
		return "", 0, fmt.Errorf("%q is not the id of a build: expected PROJECT#NUMBER, like api#142", id)
	}
	return project, number, nil
}

// maxJSON bounds the bytes of one JSON answer, so that a wrong URL cannot fill the memory.
const maxJSON = 64 << 20

// request is one call before it is sent.
type request struct {
	method string
	path   string // escaped, from the root
	query  url.Values
	header http.Header
	body   io.Reader
	length int64 // of body; -1: unknown. Only read where body is set
}

// send sends one request and returns the answer where its status is 2xx; the caller closes its body.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, r.body)
	if err != nil {
		return nil, &UnreachableError{URL: c.base, Hint: hintURL, Err: err}
	}
	if r.body != nil {
		req.ContentLength = r.length
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", c.agent)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	var connected atomic.Bool // set by a goroutine of the transport's
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	resp, err := c.http.Do(req.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, unreachable(c.base, connected.Load(), err)
	}
	if upgraded := resp.StatusCode == http.StatusSwitchingProtocols && r.header.Get("Upgrade") != ""; !upgraded && (resp.StatusCode < 200 || resp.StatusCode > 299) {
		defer resp.Body.Close()
		return nil, readProblem(resp)
	}
	return resp, nil
}

// call sends in as JSON (nothing when nil) and reads the answer into out (nothing when nil).
func (c *Client) call(ctx context.Context, r request, in, out any) error {
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encoding the request for %s: %w", r.path, err)
		}
		r.body, r.length = bytes.NewReader(text), int64(len(text))
		r.header = withHeader(r.header, "Content-Type", "application/json")
	}
	r.header = withHeader(r.header, "Accept", "application/json, application/problem+json")
	resp, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxJSON)).Decode(out); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return unreachable(c.base, true, fmt.Errorf("the answer broke off: %w", io.ErrUnexpectedEOF))
		}
		return unreachable(c.base, false, fmt.Errorf("what answered is not a Runner daemon's JSON: %w", err))
	}
	return nil
}

// get is call for a GET without a body.
func (c *Client) get(ctx context.Context, path string, query url.Values, out any) error {
	return c.call(ctx, request{method: http.MethodGet, path: path, query: query}, nil, out)
}

func withHeader(h http.Header, name, value string) http.Header {
	if h == nil {
		h = http.Header{}
	}
	h.Set(name, value)
	return h
}

// buildPath returns the path of a build's resource: rest is "" or "/log", "/stop", ….
func buildPath(id, rest string) (string, error) {
	project, number, err := SplitBuildID(id)
	if err != nil {
		return "", err
	}
	return "/api/v1/builds/" + url.PathEscape(project) + "/" + strconv.Itoa(number) + rest, nil
}
