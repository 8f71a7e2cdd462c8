package web

import (
	"net/url"
	"slices"
	"strings"

	"github.com/runner-ci/runner/client"
)

// commitLink is where the forge of a project shows a commit, "" where that cannot be told.
func commitLink(p *client.Project, commit string) string {
	if p == nil || commit == "" {
		return ""
	}
	base := repositoryPage(p.URL)
	if base == "" {
		return ""
	}
	host := p.Forge
	if u, err := url.Parse(base); err == nil && host == "" {
		host, _, _ = strings.Cut(u.Hostname(), ".")
	}
	switch host {
	case "gitlab":
		return base + "/-/commit/" + commit
	case "bitbucket":
		return base + "/commits/" + commit
	case "github", "gitea", "forgejo", "gogs", "codeberg":
		return base + "/commit/" + commit
	}
	return ""
}

// repositoryPage is the page of a repository, from the address that it is cloned from.
func repositoryPage(remote string) string {
	if at, path, ok := strings.Cut(strings.TrimPrefix(remote, "git@"), ":"); ok && strings.HasPrefix(remote, "git@") {
		return "https://" + at + "/" + strings.TrimSuffix(path, ".git")
	}
	u, err := url.Parse(remote)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	switch u.Scheme {
	case "ssh":
		u.Scheme, u.Host = "https", u.Hostname()
	case "http", "https":
	default:
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return strings.TrimSuffix(strings.TrimSuffix(u.String(), "/"), ".git")
}

// kindText says what made a build.
func kindText(b client.Build) string {
	switch b.Kind {
	case "push":
		return "push to"
	case "tag":
		return "tag"
	case "release":
		return "release"
	case "pull_request":
		return ""
	case "submit":
		return "submitted from a laptop"
	case "manual":
		return "started by hand on"
	case "retry":
		return "retry on"
	case "schedule":
		return "scheduled on"
	case "registry":
		return "image pushed, on"
	}
	return "built"
}

// speedUp is how many times faster shards were than one would have been; 0 where there were none.
func speedUp(t *client.BuildTests) float64 {
	if t == nil || t.Shards < 2 || t.Seconds <= 0 || t.SerialSeconds < 1.1*t.Seconds {
		return 0
	}
	return t.SerialSeconds / t.Seconds
}

// imageFact is an image that jobs run on.
type imageFact struct{ Name, Digest string }

// mostImages is how many images are named.
const mostImages = 4

// images are those that the jobs of a build run on, each once.
func images(jobs []client.Job) (out []imageFact) {
	for i := range jobs {
		fact := imageFact{jobs[i].Image, jobs[i].ImageDigest}
		if fact.Name != "" && !slices.Contains(out, fact) && len(out) < mostImages {
			out = append(out, fact)
		}
	}
	return out
}

// proofs are the builds whose results a build took because the tree is the same, each once.
func proofs(jobs []client.Job) (out []client.Proof) {
	seen := map[string]bool{}
	for i := range jobs {
		if p := jobs[i].Proof; p != nil && !seen[p.Build] {
			seen[p.Build] = true
			out = append(out, *p)
		}
	}
	return out
}
