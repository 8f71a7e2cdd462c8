package source

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"

	"github.com/runner-ci/runner/source/pack"
)

// connection is one conversation with a remote.
type connection interface {
	// advertise returns what the remote has to offer.
	advertise(ctx context.Context) (*advert, error)
	// fetch returns a packfile with all that wants need beyond haves.
	fetch(ctx context.Context, wants, haves []pack.ID) (io.ReadCloser, error)
	// has tells whether the remote may be told that we have an object.
	has(id pack.ID) bool
	close()
}

// advert is a remote's refs.
type advert struct {
	refs refs
	// peeled are the commits behind annotated tags, where the remote tells them at once.
	peeled refs
	head   string // the default branch, or empty
	any    bool   // it also gives out commits that no ref names
}

// connect prepares a conversation. Nothing is sent yet over http.
func connect(r *Remote, l location, guarded bool) (connection, error) {
	switch l.scheme {
	case "file":
		if !r.AllowFile {
			return nil, fail(KindFileRefused, "set allow-file-urls in the daemon's configuration, or serve it over https or ssh",
				"%s is a directory of the daemon's machine, and those are not allowed", l)
		}
		return openLocal(l.path)
	case "ssh":
		return connectSSH(r, l, guarded)
	}
	return connectHTTP(r, l, guarded)
}

// Timeouts of the steps before a remote begins to send. What follows is bounded by stallAfter and by the child's
// own limit.
const (
	dialTimeout = 30 * time.Second
	// headTimeout is long, because some servers prepare the whole pack before they answer.
	headTimeout = 5 * time.Minute
	// stallAfter ends a transfer in which nothing came for that long. Servers that still count objects say so every
	// few seconds.
	stallAfter = 2 * time.Minute
)

// wire is a conversation over http or ssh.
type wire struct {
	session transport.UploadPackSession
	caps    *capability.List
}

func connectHTTP(r *Remote, l location, guarded bool) (connection, error) {
	client, err := httpClient(r, guarded)
	if err != nil {
		return nil, err
	}
	ep := &transport.Endpoint{
		Protocol: l.scheme, Host: l.hostname(), Port: portOf(l.host, 0), Path: (&url.URL{Path: l.path}).EscapedPath(),
	}
	if strings.Contains(ep.Host, ":") {
		ep.Host = "[" + ep.Host + "]" // as go-git writes an IPv6 address
	}
	var auth transport.AuthMethod
	if r.Token != "" {
		user := r.Username
		if user == "" {
			user = "git"
		}
		auth = &githttp.BasicAuth{Username: user, Password: r.Token}
	}
	s, err := githttp.NewClient(client).NewUploadPackSession(ep, auth)
	if err != nil {
		return nil, err
	}
	return &wire{session: s}, nil
}

func httpClient(r *Remote, guarded bool) (*http.Client, error) {
	t := &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: dialer(guarded).DialContext, TLSHandshakeTimeout: dialTimeout,
		ResponseHeaderTimeout: headTimeout, ForceAttemptHTTP2: true, DisableKeepAlives: false,
		IdleConnTimeout: dialTimeout,
	}
	if r.ProxyURL != "" {
		u, err := url.Parse(r.ProxyURL)
		if err != nil {
			return nil, fail(KindBadURL, "correct the proxy in the configuration", "the proxy's URL is malformed")
		}
		t.Proxy = http.ProxyURL(u)
	}
	if r.CABundle != "" {
		pool, err := certificates(r.CABundle)
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: t}, nil
}

func certificates(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fail(KindTLS, "correct ca-bundle in the configuration", "the CA bundle cannot be read: %v", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fail(KindTLS, "correct ca-bundle in the configuration", "the CA bundle %s holds no certificate in PEM form", path)
	}
	return pool, nil
}

// dialer keeps URLs that come out of a repository away from this machine and from addresses that clouds answer
// secrets at.
func dialer(guarded bool) *net.Dialer {
	d := &net.Dialer{Timeout: dialTimeout}
	if guarded {
		d.Control = func(_, address string, _ syscall.RawConn) error { return guard(address) }
	}
	return d
}

func guard(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	ip := net.ParseIP(host)
	if ip == nil || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast() || ip.IsUnspecified() {
		return fail(KindSubmodule, "use a URL that other machines can reach",
			"a submodule's URL leads to %s, an address of the daemon's own machine", host)
	}
	return nil
}

// noUserConfig keeps ~/.ssh/config of whoever runs the daemon out of this.
var noUserConfig = sync.OnceFunc(func() { gitssh.DefaultSSHConfig = nil })

func connectSSH(r *Remote, l location, guarded bool) (connection, error) {
	noUserConfig()
	auth, err := sshAuth(r, l)
	if err != nil {
		return nil, err
	}
	if guarded {
		if err := guardName(l.hostname()); err != nil {
			return nil, err
		}
	}
	path := l.path
	if l.scp {
		path = strings.TrimPrefix(path, "/")
	}
	ep := &transport.Endpoint{Protocol: "ssh", User: auth.user, Host: l.hostname(), Port: portOf(l.host, gitssh.DefaultPort), Path: path}
	ep.Proxy.URL = r.ProxyURL
	s, err := gitssh.NewClient(nil).NewUploadPackSession(ep, auth)
	if err != nil {
		return nil, err
	}
	return &wire{session: s}, nil
}

func guardName(host string) error {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if err := guard(net.JoinHostPort(a, "22")); err != nil {
			return err
		}
	}
	return nil
}

func (w *wire) has(pack.ID) bool { return true }

func (w *wire) close() { _ = w.session.Close() }

func (w *wire) advertise(ctx context.Context) (*advert, error) {
	adv, err := w.session.AdvertisedReferencesContext(ctx)
	if errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return &advert{refs: refs{}}, nil
	}
	if err != nil {
		return nil, err
	}
	w.caps = adv.Capabilities
	a := &advert{refs: make(refs, len(adv.References)), any: adv.Capabilities.Supports(capability.AllowReachableSHA1InWant) ||
		adv.Capabilities.Supports("allow-any-sha1-in-want") || adv.Capabilities.Supports(capability.AllowTipSHA1InWant)}
	if adv.Capabilities.Supports("object-format") && !slices.Contains(adv.Capabilities.Get("object-format"), "sha1") {
		return nil, fail(KindNotGit, "", "the repository names its objects by SHA-256, which is not supported yet")
	}
	for name, id := range adv.References {
		if validRef(name) && !strings.HasPrefix(name, refsOurs) {
			a.refs[name] = id
		}
	}
	a.peeled = refs(adv.Peeled)
	for _, s := range adv.Capabilities.Get(capability.SymRef) {
		if target, ok := strings.CutPrefix(s, "HEAD:"); ok && validRef(target) {
			a.head = target
		}
	}
	if a.head == "" && adv.Head != nil {
		a.head = guessHead(a.refs, *adv.Head)
	}
	return a, nil
}

// guessHead finds the default branch of a server that only tells its commit.
func guessHead(all refs, id pack.ID) string {
	for _, name := range []string{"refs/heads/main", "refs/heads/master"} {
		if all[name] == id {
			return name
		}
	}
	found := ""
	for name, v := range all {
		if v == id && strings.HasPrefix(name, "refs/heads/") && (found == "" || name < found) {
			found = name
		}
	}
	return found
}

func (w *wire) fetch(ctx context.Context, wants, haves []pack.ID) (io.ReadCloser, error) {
	req := packp.NewUploadPackRequestFromCapabilities(w.caps)
	req.Wants, req.Haves = wants, haves
	ctx, cancel := context.WithCancelCause(ctx)
	stall := time.AfterFunc(headTimeout, func() {
		cancel(fail(KindUnreachable, "try again; if it stays, look at the server and the network", "the remote stopped sending"))
	})
	res, err := w.session.UploadPack(ctx, req)
	if err != nil {
		stall.Stop()
		cancel(nil)
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			return nil, cause
		}
		return nil, err
	}
	var r io.Reader = &watched{ctx: ctx, r: res, stall: stall}
	switch {
	case req.Capabilities.Supports(capability.Sideband64k):
		r = sideband.NewDemuxer(sideband.Sideband64k, r)
	case req.Capabilities.Supports(capability.Sideband):
		r = sideband.NewDemuxer(sideband.Sideband, r)
	}
	return &packStream{Reader: r, close: func() {
		stall.Stop()
		cancel(nil)
		_ = res.Close()
	}}, nil
}

// watched ends a transfer that stalls, and says so instead of what the connection then says.
type watched struct {
	ctx   context.Context
	r     io.Reader
	stall *time.Timer
}

func (w *watched) Read(p []byte) (int, error) {
	w.stall.Reset(stallAfter)
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		if cause := context.Cause(w.ctx); cause != nil {
			err = cause
		} else {
			err = fmt.Errorf("receiving the pack: %w", err)
		}
	}
	return n, err
}

type packStream struct {
	io.Reader
	close func()
}

func (p *packStream) Close() error {
	p.close()
	return nil
}
