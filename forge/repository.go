package forge

import (
	"net/url"
	"strings"
)

// defaultPorts are left out of a key, since "https://host" and "https://host:443" are one place.
var defaultPorts = map[string]string{"http": "80", "https": "443", "ssh": "22", "git": "9418"}

// RepositoryKey returns what all addresses of one repository have in common, so that a project that is cloned over
// SSH is found by a webhook that names it by HTTPS. It drops the scheme, the user, the scheme's default port and a
// ".git" at the end, and folds case: host names have none, and on GitHub the rest has none either. (Were two
// repositories to differ in nothing but case, a webhook would still need the secret of each.) It returns "" for what
// is no address of a repository.
func RepositoryKey(address string) string {
	address = strings.TrimSpace(address)
	scheme, rest, isURL := strings.Cut(address, "://")
	if !isURL {
		return scpKey(address)
	}
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	scheme = strings.ToLower(scheme)
	if scheme == "file" {
		return pathKey("file://", strings.TrimPrefix(rest, u.Host))
	}
	host := strings.TrimSuffix(u.Hostname(), ".")
	if host == "" {
		return ""
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port := u.Port(); port != "" && port != defaultPorts[scheme] {
		host += ":" + port
	}
	return pathKey(host, u.Path)
}

// scpKey is RepositoryKey for git's short form, git@host:owner/name.git.
func scpKey(address string) string {
	if _, after, found := strings.Cut(address, "@"); found {
		address = after
	}
	host, path, found := strings.Cut(address, ":")
	if strings.HasPrefix(address, "[") { // an IPv6 address has colons of its own
		host, path, found = strings.Cut(address, "]:")
		host += "]"
	}
	if !found || host == "" || strings.ContainsAny(host, "/\\ ") {
		return ""
	}
	return pathKey(host, path)
}

// pathKey joins host and path; a key without a path is none.
func pathKey(host, path string) string {
	path = strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	path = strings.TrimRight(path, "/")
	if path == "" {
		return ""
	}
	return strings.ToLower(host + "/" + path)
}

// Keys returns the keys of all addresses of the repository, without repeats.
func (r Repository) Keys() []string {
	var keys []string
	seen := map[string]bool{"": true}
	for _, address := range r.URLs {
		if key := RepositoryKey(address); !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	return keys
}
