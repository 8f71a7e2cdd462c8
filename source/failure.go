package source

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	"github.com/skeema/knownhosts"

	"github.com/runner-ci/runner/source/pack"
)

// explain turns what a library says of a remote into a sentence for people.
func explain(err error, l location) error {
	var fe *FetchError
	switch {
	case err == nil, errors.As(err, &fe), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return err // our own disk, not the remote
	}
	for _, f := range []func(error, location) error{explainTrust, explainAnswer, explainData, explainNetwork} {
		if said := f(err, l); said != nil {
			return said
		}
	}
	if said, ok := strings.CutPrefix(err.Error(), "unexpected error: "); ok {
		return fail(KindUnreachable, "look at the server: git fsck may tell more", "%s gave up: %s", l, firstLine(said))
	}
	return fail(KindUnreachable, "", "fetching from %s failed: %s", l, redact(firstLine(err.Error())))
}

// explainTrust is about certificates, host keys and credentials.
func explainTrust(err error, l location) error {
	var unknown x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	msg := err.Error()
	switch {
	case knownhosts.IsHostKeyChanged(err):
		return fail(KindHostKey, "if the server was really changed, put its new key into known-hosts of the project",
			"the SSH host key of %s is not the known one: this may be an attack", l.hostname())
	case knownhosts.IsHostUnknown(err):
		return fail(KindHostKey, "add the output of ssh-keyscan, checked by hand, to known-hosts of the project",
			"the SSH host key of %s is not among the known ones", l.hostname())
	case errors.As(err, &unknown), errors.As(err, &hostname), errors.As(err, &invalid), errors.As(err, &verify):
		return fail(KindTLS, "if it is yours, set ca-bundle to a PEM file with the certificate of its authority",
			"the certificate of %s is not trusted: %v", l.host, lastCause(err))
	case errors.As(err, &record), strings.Contains(msg, "server gave HTTP response to HTTPS client"):
		return fail(KindTLS, "use http:// if that is meant", "%s does not speak TLS", l.host)
	case strings.Contains(msg, "tls: "), strings.Contains(msg, "x509: "):
		return fail(KindTLS, "look at the server's TLS settings", "no TLS connection with %s: %v", l.host, lastCause(err))
	case strings.Contains(msg, "unable to authenticate"):
		return fail(KindAuth, "add the public half of the project's ssh-key to the repository as a deploy key",
			"%s does not accept the SSH key", l.hostname())
	}
	return nil
}

// explainAnswer is about a server that answers, but not what was hoped for.
func explainAnswer(err error, l location) error {
	var status *githttp.Err
	var line *pktline.ErrorLine
	var unexpected *packp.ErrUnexpectedData
	switch {
	case errors.Is(err, transport.ErrAuthenticationRequired):
		return fail(KindAuth, "set the project's token, or a valid one", "%s wants other credentials than it got", l)
	case errors.Is(err, transport.ErrAuthorizationFailed):
		return fail(KindAuth, "give the token, or its user, the right to read the repository", "%s refuses access to these credentials", l)
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return fail(KindNotFound, "correct the URL; some servers also say this when the token may not read the repository",
			"there is no repository at %s", l)
	case errors.As(err, &status) && status.StatusCode() >= 500:
		return fail(KindUnreachable, "try again later", "%s answers with HTTP status %d", l, status.StatusCode())
	case errors.As(err, &status):
		return fail(KindNotGit, "correct the URL", "%s answers with HTTP status %d", l, status.StatusCode())
	case strings.Contains(err.Error(), "redirect"):
		return fail(KindBadURL, "set the URL to where it leads", "%s redirects in a way that is not followed: %s", l, redact(lastCause(err).Error()))
	case strings.Contains(err.Error(), "not our ref"), strings.Contains(err.Error(), "unadvertised object"):
		return fail(KindUnknownCommit, "", "%s does not give out what was asked for", l)
	case errors.As(err, &line):
		return fail(KindNotFound, "", "%s says: %s", l, firstLine(line.Text))
	case errors.As(err, &unexpected), errors.Is(err, pktline.ErrInvalidPktLen), errors.Is(err, packp.ErrEmptyInput):
		return fail(KindNotGit, "correct the URL", "%s answers, but does not speak git", l)
	}
	return nil
}

// explainData is about a pack that came, but is not good.
func explainData(err error, l location) error {
	var corrupt *pack.CorruptError
	var limit *pack.LimitError
	switch {
	case errors.As(err, &corrupt):
		return fail(KindUnreachable, "try again; if it stays, run git fsck on the server", "what %s sent cannot be used: %v", l, corrupt)
	case errors.As(err, &limit):
		return fail(KindTooLarge, "", "what %s sent is too large: %v", l, limit)
	}
	return nil
}

// explainNetwork is about no answer at all.
func explainNetwork(err error, l location) error {
	var dns *net.DNSError
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return fail(KindUnreachable, "correct the URL or the name server", "the name %s is not known", dns.Name)
	case errors.As(err, &dns):
		return fail(KindUnreachable, "look at the name server", "the name %s could not be looked up: %v", dns.Name, dns.Err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fail(KindUnreachable, "look at the network, the firewall, the proxy", "%s did not answer in time", l.host)
	case errors.As(err, &op):
		return fail(KindUnreachable, "look whether it runs, and at network and proxy", "%s cannot be reached: %v", l.host, op.Err)
	}
	return nil
}

// lastCause is the innermost error, whose words are the plainest.
func lastCause(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s[:min(len(s), 300)]
}
