package statuses

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/forge"
	"github.com/runner-ci/runner/outbox"
	"github.com/runner-ci/runner/scheduler"
)

// foundFor is how long it is remembered which forge a repository is at, or that it is at none.
const foundFor = time.Hour

// place is a repository at its forge.
type place struct {
	api        *forge.API
	repository string // as that API calls it
}

// finder finds out where repositories are, and remembers that for a while.
type finder struct {
	client *http.Client
	mu     sync.Mutex
	found  map[string]found // by the repository's URL
}

type found struct {
	forge.Found
	at time.Time
}

// of returns where a project's forge is told of builds, nil where it is at no forge. The project's settings go first, then the
// forge that sent the webhook, then what the host says of itself.
func (f *finder) of(ctx context.Context, p *config.Project, delivery string) (*place, error) {
	at, err := f.forge(ctx, p, delivery)
	if errors.Is(err, forge.ErrUnknownForge) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	repository, err := forge.RepositoryOf(at.Forge, at.API, p.URL)
	if err != nil {
		return nil, outbox.Refuse("project %s: %v; look at its url and forge-url", p.Name, err)
	}
	token, err := p.APIToken().Resolve()
	if err != nil {
		return nil, outbox.Refuse("project %s: %v; put the token there, or set status: {per: off}", p.Name, err)
	}
	api, err := forge.Dial(at.Forge, at.API, forge.Credentials{Username: p.Username, Token: string(token)}, f.client)
	if err != nil {
		return nil, outbox.Refuse("project %s: %v; look at its forge-url", p.Name, err)
	}
	return &place{api, repository}, nil
}

func (f *finder) forge(ctx context.Context, p *config.Project, delivery string) (forge.Found, error) {
	name := p.Forge
	if sent, _, ok := strings.Cut(delivery, "/"); ok && name == "" && slices.Contains(forge.Names(), sent) {
		name = sent
	}
	if name != "" {
		if p.ForgeURL != "" {
			return forge.Found{Forge: name, API: p.ForgeURL}, nil
		}
		api, err := forge.APIOf(name, p.URL)
		if err != nil {
			err = outbox.Refuse("project %s: %v; set forge-url", p.Name, err)
		}
		return forge.Found{Forge: name, API: api}, err
	}
	f.mu.Lock()
	known, ok := f.found[p.URL]
	f.mu.Unlock()
	if !ok || time.Since(known.at) > foundFor {
		at, err := forge.Detect(ctx, p.URL, f.client)
		if err != nil && !errors.Is(err, forge.ErrUnknownForge) {
			return at, err
		}
		known = found{at, time.Now()}
		f.mu.Lock()
		f.found[p.URL] = known
		f.mu.Unlock()
	}
	if known.Forge == "" {
		return known.Found, forge.ErrUnknownForge
	}
	return known.Found, nil
}

// refOf is the branch or tag that GitLab is to keep a status under: of a merge request the branch that it comes from, since
// GitLab shows a status there; that of a fork's is not in this repository.
func refOf(ref string, t *scheduler.Trigger) string {
	if t.PullRequest > 0 && !t.Fork && t.HeadRef != "" {
		ref = t.HeadRef
	}
	for _, prefix := range []string{"refs/heads/", "refs/tags/"} {
		if short, ok := strings.CutPrefix(ref, prefix); ok {
			return short
		}
	}
	return ref
}
