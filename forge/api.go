package forge

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/drone/go-scm/scm"
	"github.com/drone/go-scm/scm/driver/bitbucket"
	"github.com/drone/go-scm/scm/driver/gitea"
	"github.com/drone/go-scm/scm/driver/github"
	"github.com/drone/go-scm/scm/driver/gitlab"
	"github.com/drone/go-scm/scm/driver/gogs"
	"github.com/drone/go-scm/scm/driver/stash"
)

// The names of the forges, as in the paths of webhooks and in a project's setting forge.
const (
	NameGitHub          = "github"
	NameGitLab          = "gitlab"
	NameGitea           = "gitea"
	NameForgejo         = "forgejo"
	NameGogs            = "gogs"
	NameBitbucket       = "bitbucket"
	NameBitbucketServer = "bitbucket-server"
)

// Names are the forges that Dial knows.
func Names() []string {
	return []string{NameGitHub, NameGitLab, NameGitea, NameForgejo, NameGogs, NameBitbucket, NameBitbucketServer}
}

const (
	// apiTimeout bounds one request to an API, from the dial to the answer's last byte.
	apiTimeout = 20 * time.Second
	// maxAnswer bounds an API's answer in bytes; a page of a hundred webhooks has about as many kilobytes.
	maxAnswer = 4 << 20
	// maxRedirects is enough for a repository that was renamed.
	maxRedirects = 3
)

// drivers make go-scm's client for each forge. Forgejo speaks Gitea's API.
var drivers = map[string]func(uri string) (*scm.Client, error){
	NameGitHub: github.New, NameGitLab: gitlab.New, NameGitea: gitea.New, NameForgejo: gitea.New,
	NameGogs: gogs.New, NameBitbucket: bitbucket.New, NameBitbucketServer: stash.New,
}

// Credentials log in at a forge's API. The user name is needed by Bitbucket Cloud alone, for app passwords.
type Credentials struct{ Username, Token string }

// API is the API of one forge, for its tokens alone: they are sent to no other host, whatever that host answers. Answers
// are bounded in size and time. It is safe for use by several goroutines.
type API struct {
	Forge string // one of Names
	Base  string // where it is, without a slash at the end: https://api.github.com, https://git.example.com
	scm   *scm.Client
	token string // stands in no error, whatever a forge, or what is in its place, answers
}

// Dial returns the API of a forge at an address, as APIOf gives it, and asks nothing yet. The HTTP client lends its
// transport; nil means http.DefaultTransport.
func Dial(forge, apiURL string, login Credentials, lent *http.Client) (*API, error) {
	driver := drivers[forge]
	if driver == nil {
		return nil, fmt.Errorf("%q is no forge; expected one of %s", clip(forge), strings.Join(Names(), ", "))
	}
	base, err := url.Parse(strings.TrimRight(apiURL, "/"))
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("%q is no address of an API; expected https://host, with a path where the forge has one", clip(withoutUser(apiURL)))
	}
	c, err := driver(base.String())
	if err != nil {
		return nil, fmt.Errorf("the API of %s: %w", forge, err)
	}
	var transport http.RoundTripper = http.DefaultTransport
	if lent != nil && lent.Transport != nil {
		transport = lent.Transport
	}
	name, value := authorization(forge, login)
	c.Client = &http.Client{
		Timeout: apiTimeout, CheckRedirect: stayAt(base),
		Transport: &apiTransport{base: transport, at: base, name: name, value: value},
	}
	return &API{Forge: forge, Base: base.String(), scm: c, token: login.Token}, nil
}

// authorization is the header that a forge wants a token in.
func authorization(forge string, login Credentials) (name, value string) {
	switch {
	case login.Token == "":
		return "", ""
	case forge == NameGitLab:
		return "Private-Token", login.Token
	case forge == NameGitea, forge == NameForgejo, forge == NameGogs:
		return "Authorization", "token " + login.Token
	case forge == NameBitbucket && login.Username != "" && login.Username != "x-token-auth":
		return "Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(login.Username+":"+login.Token))
	}
	return "Authorization", "Bearer " + login.Token
}

// stayAt refuses redirects that leave a host, or that would turn what is sent into a question.
func stayAt(base *url.URL) func(*http.Request, []*http.Request) error {
	return func(r *http.Request, via []*http.Request) error {
		switch {
		case r.URL.Scheme != base.Scheme || r.URL.Host != base.Host:
			return fmt.Errorf("the API at %s sends on to %s://%s, and no token goes there; if that is the forge, set forge-url to it", base.Host, r.URL.Scheme, r.URL.Host)
		case r.Method != via[0].Method:
			return fmt.Errorf("the API at %s sends a %s on in a way that loses what was sent; look for the repository under its new name", base.Host, via[0].Method)
		case len(via) > maxRedirects:
			return fmt.Errorf("the API at %s sends on in a circle", base.Host)
		}
		return nil
	}
}

// apiTransport adds the token, for one host, and bounds answers.
type apiTransport struct {
	base        http.RoundTripper
	at          *url.URL
	name, value string
}

// RoundTrip sends one request.
func (t *apiTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != t.at.Scheme || r.URL.Host != t.at.Host {
		return nil, fmt.Errorf("a request for %s was about to go to %s", t.at.Host, r.URL.Host)
	}
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", "runner")
	if t.name != "" {
		r.Header.Set(t.name, t.value)
	}
	resp, err := t.base.RoundTrip(r)
	if err == nil {
		resp.Body = &boundedBody{resp.Body, maxAnswer}
	}
	return resp, err
}

// boundedBody is an error to read beyond its bound.
type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// APIError is an answer of an API that is none of success.
type APIError struct {
	Forge, Host string
	Doing       string        // what was asked for: "listing webhooks"
	Status      int           // of HTTP
	RetryAfter  time.Duration // how long the forge asks us to wait; 0: it does not say
	Message     string        // the forge's own words, on one line
}

// Error says what was asked and what the forge answered.
func (e *APIError) Error() string {
	text := fmt.Sprintf("%s at %s: status %d %s", e.Doing, e.Host, e.Status, http.StatusText(e.Status))
	if e.Message != "" && !strings.EqualFold(e.Message, http.StatusText(e.Status)) {
		text += ": " + e.Message
	}
	return text
}

// Permanent tells whether to ask again would give the same answer until somebody changes something.
func (e *APIError) Permanent() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return e.Status >= 400 && e.Status < 500 && e.RetryAfter == 0
}

// failed turns what go-scm returned into an *APIError where the forge answered.
func (a *API) failed(doing string, resp *scm.Response, err error) error {
	host := hostOf(a.Base)
	switch {
	case err == nil:
		return nil
	case resp == nil || resp.Status < 300:
		return fmt.Errorf("%s at %s: %w", doing, host, without(a.token, withoutURL(err)))
	}
	return &APIError{Forge: a.Forge, Host: host, Doing: doing, Status: resp.Status, RetryAfter: retryAfter(resp.Header, time.Now()), Message: clip(without(a.token, err).Error())}
}

// without is an error in which a secret does not stand. One that has it says nothing else that a program asks it for.
func without(secret string, err error) error {
	if err == nil || secret == "" || !strings.Contains(err.Error(), secret) {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), secret, "***"))
}

// withoutURL drops the address from an error of net/http: it stands in the sentence already.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// maxRetryAfter bounds how long a forge can make us wait.
const maxRetryAfter = 6 * time.Hour

// retryAfter is how long an answer asks to wait: Retry-After in seconds or as a date, or the end of a used-up rate.
func retryAfter(h http.Header, now time.Time) time.Duration {
	var d time.Duration
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		d = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		d = at.Sub(now)
	} else if h.Get("X-RateLimit-Remaining") == "0" {
		if at, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			d = time.Unix(at, 0).Sub(now)
		}
	}
	return max(0, min(d, maxRetryAfter))
}

// ask sends one request of our own, where go-scm has none for it or a worse one: its body and answer are JSON, nil for
// none. The path is taken from the API's base.
func (a *API) ask(ctx context.Context, doing, method, path string, in, out any) error {
	resp, err := a.exchange(ctx, method, path, in, out)
	return a.failed(doing, resp, err)
}
