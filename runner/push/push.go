package push

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Target is where an image goes.
type Target struct {
	Repository         string // "registry.example.com/team/api"
	Tags               []string
	Username, Password string // empty: nobody in particular
}

// Error tells that a registry did not take an image.
type Error struct {
	Repository string
	Passing    bool // it may take it later: nothing was wrong with what was asked
	Err        error
}

func (e *Error) Error() string {
	hint := "see that the repository exists and that the credentials of this registry may push to it"
	if e.Passing {
		hint = "see that the registry answers, and retry the build: what it has is not sent again"
	}
	return fmt.Sprintf("pushing to %s: %v; %s", e.Repository, e.Err, hint)
}

func (e *Error) Unwrap() error { return e.Err }

// Client pushes images.
type Client struct {
	base  http.RoundTripper
	pause time.Duration // before the second try; it doubles
}

// tries is how often a push is tried while what is in the way may pass: about a minute in all.
const tries = 6

// New makes a client that reaches registries by a transport, which knows the authorities to trust and the proxy.
func New(base http.RoundTripper) *Client {
	return &Client{base: heard{base, silence}, pause: time.Second}
}

// sealed refuses to speak in clear with any machine but this one: the client of registries would, with addresses of
// private networks. A registry that is elsewhere can name this machine, in a redirect or as where tokens are had, and is not
// followed there: what answers trusts who speaks from here.
type sealed struct {
	http.RoundTripper
	here bool // the registry is on this machine
}

func (s sealed) RoundTrip(r *http.Request) (*http.Response, error) {
	host := r.URL.Hostname()
	if ip := net.ParseIP(host); !s.here && (loopback(host) || ip != nil && (ip.IsUnspecified() || ip.IsLinkLocalUnicast())) {
		return nil, fmt.Errorf("the registry sends on to %s, which is this machine or its link, and not where the registry is: it is not asked", host)
	}
	if r.URL.Scheme != "https" && !loopback(host) {
		return nil, fmt.Errorf("%s would be asked without TLS: let the registry speak TLS; name the authority of its certificate with ca-bundle where it is your own", host)
	}
	return s.RoundTripper.RoundTrip(r)
}

// toward is how the registry of a target is reached.
func (c *Client) toward(to Target) sealed {
	registry, _, _ := strings.Cut(to.Repository, "/")
	return sealed{c.base, loopback((&url.URL{Host: registry}).Hostname())}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// quoted is an error in which a password does not stand that a registry repeats.
type quoted struct {
	error
	password string
}

func (q quoted) Error() string {
	if q.password == "" {
		return q.error.Error()
	}
	return strings.ReplaceAll(q.error.Error(), q.password, "***")
}

func (q quoted) Unwrap() error { return q.error }

// Push sends what the registry does not have, and sets the tags that do not point to the image. told is called for each
// try that did not succeed.
func (c *Client) Push(ctx context.Context, i *Image, to Target, told func(format string, args ...any)) error {
	pause := c.pause
	for n := 1; ; n++ {
		err := c.once(ctx, i, to)
		if err == nil {
			return nil
		}
		err = quoted{err, to.Password}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case !passing(err) || n == tries:
			return &Error{Repository: to.Repository, Passing: passing(err), Err: err}
		}
		told("Pushing to %s did not succeed (%v), trying again in %s", to.Repository, err, pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause *= 2
	}
}

func (c *Client) once(ctx context.Context, i *Image, to Target) error {
	repo, err := name.NewRepository(to.Repository)
	if err != nil {
		return err
	}
	image, err := i.pushable()
	if err != nil {
		return err
	}
	opts := c.options(ctx, to)
	for _, tag := range to.Tags {
		ref := repo.Tag(tag)
		if has, err := remote.Head(ref, opts...); err == nil && has.Digest.String() == i.Digest {
			continue
		}
		if err := remote.Write(ref, image, opts...); err != nil {
			return err
		}
	}
	return nil
}

// options are how a registry is asked.
func (c *Client) options(ctx context.Context, to Target) []remote.Option {
	auth := authn.Anonymous
	if to.Username != "" || to.Password != "" {
		auth = &authn.Basic{Username: to.Username, Password: to.Password}
	}
	return []remote.Option{
		remote.WithContext(ctx), remote.WithAuth(auth), remote.WithTransport(c.toward(to)), remote.WithJobs(2),
		remote.WithUserAgent("runner"), remote.WithRetryBackoff(remote.Backoff{Steps: 1}), // trying again is ours
	}
}

// passing tells whether the same push may succeed later.
func passing(err error) bool {
	var said *transport.Error
	if errors.As(err, &said) {
		return said.StatusCode >= 500 || said.StatusCode == http.StatusTooManyRequests || said.StatusCode == http.StatusRequestTimeout
	}
	var cert *tls.CertificateVerificationError
	var dns *net.DNSError
	switch {
	case errors.As(err, &cert):
		return false
	case errors.As(err, &dns):
		return !dns.IsNotFound
	}
	var netErr net.Error
	return errors.As(err, &netErr) || errors.Is(err, net.ErrClosed)
}
