package config

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// scpLike is git's short form of an ssh address, git@host:owner/name.git.
var scpLike = regexp.MustCompile(`^(?:[A-Za-z0-9._-]+@)?([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):([^/:].*|/[^/].*)$`)

// errFileURL is kept apart so that the configuration can say which setting allows it.
var errFileURL = errors.New("file:// repositories are not allowed")

// CheckURL tells whether a repository's address has a form that Runner can fetch: https, http, ssh, git's short
// git@host:path, or file:// where allowFile says so. Passwords in it are refused.
func CheckURL(address string, allowFile bool) error {
	if address == "" {
		return errors.New("a repository's address is missing")
	}
	if strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return errors.New("an address has no blanks or control characters")
	}
	if !strings.Contains(address, "://") {
		if scpLike.MatchString(address) && !strings.HasPrefix(address, "-") {
			return nil
		}
		return fmt.Errorf("%q is no address of a repository", address)
	}
	u, err := url.Parse(address)
	if err != nil {
		return errors.New("the address cannot be read as a URL") // url.Parse repeats it, password and all
	}
	if _, has := u.User.Password(); has {
		return errors.New("a password may not stand in the address")
	}
	switch u.Scheme {
	case "https", "http", "ssh":
		if u.Hostname() == "" || strings.HasPrefix(u.Hostname(), "-") {
			return fmt.Errorf("%q names no host", address)
		}
		if strings.Trim(u.Path, "/") == "" {
			return fmt.Errorf("%q names no repository, only a host", address)
		}
		return nil
	case "file":
		if !allowFile {
			return errFileURL
		}
		if (u.Host != "" && u.Host != "localhost") || !path.IsAbs(u.Path) {
			return fmt.Errorf("%q must name an absolute path, file:///path", address)
		}
		return nil
	}
	return fmt.Errorf("scheme %q is not supported", u.Scheme)
}
