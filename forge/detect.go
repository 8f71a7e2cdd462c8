package forge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	// guessTimeout bounds one question of Detect; a forge answers its version from memory.
	guessTimeout = 5 * time.Second
	// maxGuess bounds what is read of an answer, in bytes.
	maxGuess = 64 << 10
)

// Found is a forge, and where its API is.
type Found struct{ Forge, API string }

// ErrUnknownForge is what Detect returns for a host that answers like no forge.
var ErrUnknownForge = errors.New("the host answers like no forge that Runner knows")

// guess is a question that only one forge answers so.
type guess struct {
	forge, path string
	api         string // added to where the forge is
	fits        func(status int, header http.Header, body []byte) bool
}

// guesses go from the particular to the general: Forgejo answers as Gitea does, and Gitea mostly as Gogs.
var guesses = []guess{
	{NameForgejo, "/api/forgejo/v1/version", "", func(status int, _ http.Header, body []byte) bool {
		return status == http.StatusOK && hasText(body, "version")
	}},
	{NameGitea, "/api/v1/version", "", func(status int, _ http.Header, body []byte) bool {
		// The second is said by one that lets nobody in without a login.
		return status == http.StatusOK && hasText(body, "version") || strings.HasPrefix(textOf(body, "message"), "Only signed in user")
	}},
	{NameBitbucketServer, "/rest/api/1.0/application-properties", "", func(status int, _ http.Header, body []byte) bool {
		return status == http.StatusOK && strings.Contains(textOf(body, "displayName"), "Bitbucket")
	}},
	{NameGitHub, "/api/v3/meta", "/api/v3", func(_ int, h http.Header, body []byte) bool {
		return h.Get("X-GitHub-Enterprise-Version") != "" || hasText(body, "installed_version")
	}},
	{NameGitLab, "/api/v4/version", "", func(_ int, h http.Header, _ []byte) bool { return h.Get("X-Gitlab-Meta") != "" }},
	{NameGogs, "/api/v1/users/search?q=runner&limit=1", "", func(status int, _ http.Header, body []byte) bool {
		var answer struct {
			OK   bool              `json:"ok"`
			Data []json.RawMessage `json:"data"`
		}
		return status == http.StatusOK && json.Unmarshal(body, &answer) == nil && answer.OK
	}},
}

// Detect finds out which forge a repository is at: by its host's name, or by what that host answers. It sends no token, and
// looks at no other host. Its error wraps ErrUnknownForge where nothing fits; the HTTP client is used as by Dial.
func Detect(ctx context.Context, repositoryURL string, lent *http.Client) (Found, error) {
	p, err := placeOf(repositoryURL)
	if err != nil {
		return Found{}, err
	}
	if forge, api, ok := p.known(); ok {
		return Found{forge, api}, nil
	}
	roots := []string{p.root()}
	for _, prefix := range [][]string{p.path[:len(p.path)-2], p.before("scm"), p.path[:1]} {
		if root := p.root(prefix...); len(prefix) > 0 && len(p.path) > 2 && root != roots[len(roots)-1] {
			roots = append(roots, root)
		}
	}
	c := guessClient(p, lent)
	var trouble error
	for _, root := range roots {
		found, err := ask(ctx, c, root)
		if err == nil {
			return found, nil
		}
		if trouble == nil && !errors.Is(err, ErrUnknownForge) {
			trouble = err
		}
	}
	if trouble != nil {
		return Found{}, fmt.Errorf("finding out which forge %s is: %w", p.host, trouble)
	}
	return Found{}, fmt.Errorf("%s: %w", p.host, ErrUnknownForge)
}

// guessClient follows redirects within the repository's host alone.
func guessClient(p place, lent *http.Client) *http.Client {
	c := &http.Client{Timeout: guessTimeout, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if r.URL.Hostname() != (&url.URL{Host: p.host}).Hostname() || len(via) > maxRedirects {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	if lent != nil {
		c.Transport = lent.Transport
	}
	return c
}

// ask puts all questions to one root at once, and takes the first that fits, in their order.
func ask(ctx context.Context, c *http.Client, root string) (Found, error) {
	fits, errs := make([]string, len(guesses)), make([]error, len(guesses))
	var wg sync.WaitGroup
	for i, g := range guesses {
		wg.Go(func() { fits[i], errs[i] = g.ask(ctx, c, root) })
	}
	wg.Wait()
	for i, g := range guesses {
		if fits[i] != "" {
			return Found{g.forge, fits[i] + g.api}, nil
		}
	}
	for _, err := range errs {
		if err == nil {
			return Found{}, ErrUnknownForge
		}
	}
	return Found{}, errs[0]
}

// ask returns where the forge is if it is the one, which a redirect to https may have moved.
func (g guess) ask(ctx context.Context, c *http.Client, root string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, root+g.path, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return "", withoutURL(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxGuess))
	if err != nil {
		return "", err
	}
	if !g.fits(resp.StatusCode, resp.Header, body) {
		if resp.StatusCode >= http.StatusInternalServerError {
			return "", fmt.Errorf("%s answered %s", req.URL.Host, resp.Status) // it is down behind its proxy, and may be any
		}
		return "", nil
	}
	if at := resp.Request.URL; at.Scheme == "https" && strings.HasPrefix(root, "http://") {
		moved, err := url.Parse(root)
		if err != nil {
			return "", err
		}
		moved.Scheme, moved.Host = at.Scheme, at.Host
		return moved.String(), nil
	}
	return root, nil
}

func textOf(body []byte, field string) string {
	var fields map[string]json.RawMessage
	var text string
	if json.Unmarshal(body, &fields) != nil || json.Unmarshal(fields[field], &text) != nil {
		return ""
	}
	return text
}

func hasText(body []byte, field string) bool { return textOf(body, field) != "" }
