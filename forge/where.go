package forge

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// place is where a repository is: scheme and host as for its API, and its path.
type place struct {
	scheme, host string   // http or https; host with a port that HTTP is spoken at
	path         []string // without .git
}

// placeOf takes an address of a repository apart. Of an SSH address, HTTPS at the same host is taken.
func placeOf(repositoryURL string) (place, error) {
	address := strings.TrimSpace(repositoryURL)
	bad := fmt.Errorf("%q is no address of a repository at a forge", clip(withoutUser(address)))
	if !strings.Contains(address, "://") {
		_, rest, at := strings.Cut(address, "@")
		if !at {
			rest = address
		}
		host, path, found := strings.Cut(rest, ":")
		if !found || host == "" || strings.HasPrefix(host, "[") {
			return place{}, bad
		}
		return placeAt("https", host, path, bad)
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return place{}, bad
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https":
		return placeAt(strings.ToLower(u.Scheme), u.Host, u.Path, bad)
	case "ssh":
		host := u.Hostname()
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return placeAt("https", host, u.Path, bad)
	}
	return place{}, bad
}

func placeAt(scheme, host, path string, bad error) (place, error) {
	p := place{scheme: scheme, host: strings.ToLower(host)}
	for part := range strings.SplitSeq(strings.TrimSuffix(strings.Trim(path, "/"), ".git"), "/") {
		if part == ".." || part == "." || part == "" {
			return place{}, bad
		}
		p.path = append(p.path, part)
	}
	if len(p.path) < 2 {
		return place{}, bad
	}
	return p, nil
}

func (p place) root(prefix ...string) string {
	return strings.TrimRight((&url.URL{Scheme: p.scheme, Host: p.host, Path: "/" + strings.Join(prefix, "/")}).String(), "/")
}

// wellKnown are the forges that everybody knows, by host, with their APIs where these are elsewhere.
var wellKnown = map[string]struct{ forge, api string }{
	"github.com":           {NameGitHub, "https://api.github.com"},
	"ssh.github.com":       {NameGitHub, "https://api.github.com"},
	"gitlab.com":           {NameGitLab, "https://gitlab.com"},
	"altssh.gitlab.com":    {NameGitLab, "https://gitlab.com"},
	"bitbucket.org":        {NameBitbucket, "https://api.bitbucket.org"},
	"altssh.bitbucket.org": {NameBitbucket, "https://api.bitbucket.org"},
	"codeberg.org":         {NameForgejo, "https://codeberg.org"},
	"gitea.com":            {NameGitea, "https://gitea.com"},
}

// githubClouds is the end of the hosts of GitHub Enterprise Cloud with data residency.
const githubClouds = ".ghe.com"

// known is the forge of a well-known host.
func (p place) known() (forge, api string, ok bool) {
	name := p.host
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	if k, ok := wellKnown[name]; ok {
		return k.forge, k.api, true
	}
	if strings.HasSuffix(name, githubClouds) {
		return NameGitHub, "https://api." + name, true
	}
	return "", "", false
}

// APIOf returns where the API of a repository's forge is, by that forge's own rules. A forge whose API is elsewhere needs
// to be told, by the project's setting forge-url.
func APIOf(forge, repositoryURL string) (string, error) {
	p, err := placeOf(repositoryURL)
	if err != nil {
		return "", err
	}
	if known, api, ok := p.known(); ok && known == forge {
		return api, nil
	}
	switch forge {
	case NameGitHub:
		return p.root("api", "v3"), nil
	case NameBitbucketServer:
		return p.root(p.before("scm")...), nil
	case NameGitea, NameForgejo, NameGogs: // owner and name are the last two, below whatever a proxy shows the forge at
		return p.root(p.path[:len(p.path)-2]...), nil
	case NameGitLab, NameBitbucket:
		return p.root(), nil
	}
	return "", fmt.Errorf("%q is no forge; expected one of %s", clip(forge), strings.Join(Names(), ", "))
}

// before is the path in front of a part that a forge puts before all repositories.
func (p place) before(part string) []string {
	for i, at := range p.path {
		if at == part && i+2 < len(p.path) {
			return p.path[:i]
		}
	}
	return nil
}

// RepositoryOf returns the repository's name as the API at this base calls it: owner/name, group/subgroup/name at GitLab,
// PROJECT/name at Bitbucket Server.
func RepositoryOf(forge, apiURL, repositoryURL string) (string, error) {
	p, err := placeOf(repositoryURL)
	if err != nil {
		return "", err
	}
	switch forge {
	case NameGitLab:
		path := strings.Join(p.path, "/")
		if base, err := url.Parse(apiURL); err == nil {
			path = strings.TrimPrefix(path, strings.Trim(base.Path, "/")+"/")
		}
		return path, nil
	}
	return strings.Join(p.path[len(p.path)-2:], "/"), nil
}

func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Host
	}
	return ""
}

// withoutUser drops what stands before the @ of a URL: it may be a password.
func withoutUser(address string) string {
	scheme, rest, found := strings.Cut(address, "://")
	if !found {
		return address
	}
	host, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndex(host, "@"); at >= 0 {
		host = host[at+1:]
	}
	return scheme + "://" + host + "/" + path
}
