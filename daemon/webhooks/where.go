package webhooks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/forge"
)

// place is a project's repository at its forge.
type place struct {
	forge, api, repository string
	detected               bool // the settings do not name it
}

func (p place) host() string {
	if u, err := url.Parse(p.api); err == nil {
		return u.Host
	}
	return p.api
}

// placeOf finds out where a project's repository is. The error is a *trouble.
func (k *Keeper) placeOf(ctx context.Context, p *config.Project) (place, error) {
	at := place{forge: p.Forge, api: p.ForgeURL}
	if _, err := forge.RepositoryOf(at.forge, at.api, p.URL); err != nil {
		return at, &trouble{NoForge, err.Error(), "correct the repository's URL, if it is at a forge. Without webhooks, pushes are found by looking: runner project set NAME --poll 1m"}
	}
	switch {
	case at.forge == "":
		found, err := forge.Detect(ctx, p.URL, k.Client)
		if errors.Is(err, forge.ErrUnknownForge) {
			return at, &trouble{NoForge, err.Error(), "if it is one, say which: --forge gitea, or forge: in runner.yml. Without webhooks, pushes are found by looking: runner project set NAME --poll 1m"}
		}
		if err != nil {
			return at, &trouble{Failed, err.Error(), "look whether the host runs, and at network and proxy: it is tried again. If its API is elsewhere, name it: --forge gitea --forge-url https://…"}
		}
		at.forge, at.api, at.detected = found.Forge, found.API, true
	case at.api == "":
		api, err := forge.APIOf(at.forge, p.URL)
		if err != nil {
			return at, &trouble{NoForge, err.Error(), "name its API: --forge-url https://…"}
		}
		at.api = api
	}
	repository, err := forge.RepositoryOf(at.forge, at.api, p.URL)
	if err != nil {
		return at, &trouble{NoForge, err.Error(), "correct the repository's URL"}
	}
	at.repository = repository
	return at, nil
}

// dial prepares to ask the forge, with what a token refers to now.
func (k *Keeper) dial(at place, username string, token config.Secret) (*forge.API, error) {
	value, err := token.Resolve()
	if err != nil {
		return nil, &trouble{ByHand, fmt.Sprintf("the token for %s: %v", at.host(), err), "put the token there"}
	}
	api, err := forge.Dial(at.forge, at.api, forge.Credentials{Username: username, Token: string(value)}, k.Client)
	if err != nil {
		return nil, &trouble{Failed, err.Error(), "correct forge-url"}
	}
	return api, nil
}

// unreachable tells why the forge cannot reach this daemon, as far as that can be seen from here.
func unreachable(own, api string) *trouble {
	u, err := url.Parse(own)
	if err != nil || u.Hostname() == "" {
		return &trouble{Unreachable, "the daemon does not know how it is reached", "set url in runner.yml"}
	}
	there, err := url.Parse(api)
	if err != nil || !onlyHere(u.Hostname()) || onlyHere(there.Hostname()) {
		return nil
	}
	return &trouble{
		Unreachable, fmt.Sprintf("%s cannot reach %s, an address of this machine alone", there.Host, own),
		"set url in runner.yml to an address that the forge reaches; or let pushes be found by looking: runner project set NAME --poll 1m",
	}
}

// onlyHere tells whether a host is this machine itself.
func onlyHere(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && (address.IsLoopback() || address.IsUnspecified() || net.IP(address.AsSlice()).IsLinkLocalUnicast())
}

// trouble is why a webhook is not registered, and what to do.
type trouble struct{ state, problem, hint string }

func (t *trouble) Error() string { return t.problem }

// troubleOf makes something to act on of an error.
func troubleOf(err error, at place) *trouble {
	var t *trouble
	if errors.As(err, &t) {
		return t
	}
	if errors.Is(err, errVault) {
		return &trouble{Failed, err.Error(), "docs/secrets.md says where the key of the secret store is looked for; or name a secret of your own as webhook-secret"}
	}
	var said *forge.APIError
	if !errors.As(err, &said) || !said.Permanent() {
		return &trouble{Failed, err.Error(), "it is tried again; runner project test-hook NAME tries at once"}
	}
	return &trouble{ByHand, err.Error(), "the token needs " + permission(at.forge) + "; or enter the webhook by hand"}
}

// permission is what a token needs for webhooks, in the forge's words.
func permission(forgeName string) string {
	switch forgeName {
	case forge.NameGitHub:
		return "the repository permission Webhooks: read and write (a classic token: admin:repo_hook)"
	case forge.NameGitLab:
		return "the scope api, and the role Maintainer"
	case forge.NameGitea, forge.NameForgejo:
		return "the scope write:repository, of somebody who administers the repository"
	case forge.NameBitbucket:
		return "the scopes webhook and repository, of somebody who administers the repository"
	}
	return "the rights of somebody who administers the repository"
}
