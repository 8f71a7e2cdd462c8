package certificates

import (
	"crypto/tls"
	"net/http"
	"net/url"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// Config is the listener's: TLS 1.2 with forward secrecy and authenticated encryption, or 1.3.
func Config(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		GetCertificate: get,
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		CipherSuites: []uint16{ // of 1.2; those of 1.3 are all good
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}
}

// Authority is a certificate authority that speaks ACME.
type Authority struct {
	Directory string   // its URL; empty: Let's Encrypt
	Hosts     []string // names to have certificates for; no others are asked for, whatever clients say
	Email     string   // whom it tells of trouble; may be empty
	Cache     string   // directory of account and certificates
	Client    *http.Client
}

// Manager gets certificates, and renews them a month ahead. Clients are answered over TLS-ALPN-01 by the listener itself,
// and over HTTP-01 where the manager's HTTPHandler has port 80.
func (a Authority) Manager() *autocert.Manager {
	return &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(a.Cache), HostPolicy: autocert.HostWhitelist(a.Hosts...), Email: a.Email,
		Client: &acme.Client{DirectoryURL: a.Directory, HTTPClient: a.Client, UserAgent: "runner"},
	}
}

// ACMEConfig is Config for a manager's certificates.
func ACMEConfig(m *autocert.Manager) *tls.Config {
	c := Config(m.GetCertificate)
	c.NextProtos = append(c.NextProtos, acme.ALPNProto)
	return c
}

// Redirect sends browsers from plain HTTP to the daemon's address. Anything else than looking is refused, not sent on: its
// token has crossed the network in clear, and whoever sent it should hear of that.
func Redirect(to *url.URL) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead || r.Header.Get("Authorization") != "" {
			http.Error(w, "this is plain HTTP; use "+to.String(), http.StatusBadRequest)
			return
		}
		// The host is ours, whatever the request says, so that nobody is led elsewhere.
		w.Header().Set("Location", to.Scheme+"://"+to.Host+r.URL.RequestURI())
		w.WriteHeader(http.StatusMovedPermanently)
	})
}
