package source

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// Remote is a repository somewhere, with what is needed to get at it.
type Remote struct {
	// URL is http(s)://, ssh://, user@host:path, or file:// with an absolute path. Credentials in it are refused.
	URL string

	Username string // for http(s), default "git"; for ssh, default "git" or the one in the URL
	Token    string // for http(s): a token or a password

	SSHKey     []byte // PEM, without a passphrase
	KnownHosts []byte // lines of a known_hosts file; without one for the host, nothing is sent

	AllowFile bool   // whether file:// is allowed
	CABundle  string // path of a PEM file trusted besides the system's certificates
	ProxyURL  string // http://, https:// or socks5://; empty: as the environment says
}

// location is a URL taken apart and put into the one form by which its mirror is found.
type location struct {
	scheme string // http, https, ssh, file
	host   string // with a port that is not the default, lower case; empty for file
	path   string // from the first slash
	user   string
	scp    bool // written as host:path, so the path is relative to the home directory
}

var scpLike = regexp.MustCompile(`^(?:([A-Za-z0-9_.-]+)@)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9_.-]+):([^:].*|)$`)

const urlHint = "write https://host/path, ssh://git@host/path, git@host:path, or file:///path"

// locate parses a URL of a repository. Error messages never repeat a password.
func locate(raw string) (location, error) {
	if strings.ContainsAny(raw, "\x00\r\n") || raw == "" {
		return location{}, fail(KindBadURL, urlHint, "the repository's URL is empty or holds control characters")
	}
	if !strings.Contains(raw, "://") {
		if strings.HasPrefix(raw, "/") {
			return location{scheme: "file", path: path.Clean(raw)}, nil
		}
		m := scpLike.FindStringSubmatch(raw)
		if m == nil || strings.Trim(m[3], "/") == "" {
			return location{}, fail(KindBadURL, urlHint, "%q is not the URL of a repository", redact(raw))
		}
		return location{scheme: "ssh", user: m[1], host: strings.ToLower(m[2]), path: "/" + strings.Trim(m[3], "/"),
			scp: !strings.HasPrefix(m[3], "/")}, nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return location{}, fail(KindBadURL, urlHint, "%q is not a URL", redact(raw))
	}
	return locateURL(u, raw)
}

func locateURL(u *url.URL, raw string) (location, error) {
	l := location{scheme: strings.ToLower(u.Scheme), host: strings.ToLower(u.Host), path: u.Path, user: u.User.Username()}
	if _, has := u.User.Password(); has || l.scheme != "ssh" && l.user != "" {
		return l, fail(KindBadURL, "give them as username and token", "the URL %s holds credentials", redact(raw))
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return l, fail(KindBadURL, urlHint, "the URL %s has a query or a fragment", redact(raw))
	}
	switch l.scheme {
	case "http", "https", "ssh":
		l.path = strings.TrimRight(l.path, "/")
		if u.Hostname() == "" || l.path == "" {
			return l, fail(KindBadURL, urlHint, "the URL %s lacks a host or a path", redact(raw))
		}
		if port := map[string]string{"http": "80", "https": "443", "ssh": "22"}[l.scheme]; u.Port() == port {
			l.host = strings.TrimSuffix(l.host, ":"+port)
		}
	case "file":
		if l.host != "" && l.host != "localhost" || !strings.HasPrefix(l.path, "/") {
			return l, fail(KindBadURL, urlHint, "the URL %s does not name an absolute path on this machine", redact(raw))
		}
		l.host, l.path = "", path.Clean(l.path)
	default:
		return l, fail(KindBadURL, urlHint, "the scheme of %s is not supported", redact(raw))
	}
	return l, nil
}

// String returns the URL in its one form, without user and credentials.
func (l location) String() string {
	path := (&url.URL{Path: l.path}).EscapedPath()
	switch {
	case l.scheme == "file":
		return "file://" + path
	case l.scp:
		return "ssh://" + l.host + "/~" + path
	}
	return l.scheme + "://" + l.host + path
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// key names the mirror: readable first, unique by the hash.
func (l location) key() string {
	sum := sha256.Sum256([]byte(l.String()))
	base := path.Base(strings.TrimRight(strings.TrimSuffix(l.path, ".git"), "/"))
	name := strings.Trim(notInNames.ReplaceAllString(base, "-"), ".-")
	return name[:min(len(name), 40)] + "-" + hex.EncodeToString(sum[:8])
}

// sameHost tells whether credentials for l may be sent to m.
func (l location) sameHost(m location) bool {
	return l.scheme == m.scheme && l.host == m.host
}

// hostname is the host without its port and brackets.
func (l location) hostname() string {
	if h, _, err := net.SplitHostPort(l.host); err == nil {
		return h
	}
	return strings.Trim(l.host, "[]")
}

var userinfo = regexp.MustCompile(`//[^/]*@`)

// redact removes credentials from a text that may hold a URL.
func redact(s string) string {
	return userinfo.ReplaceAllString(s, "//")
}
