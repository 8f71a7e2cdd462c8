package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"os"
)

// speak is how the daemon is reached on this machine. Where it speaks TLS, it has to show a certificate for the host of
// its url: one that an authority answers for, which may be one of ca-bundle, or the very one of the configuration.
func (p *patient) speak() (base string, c *http.Client) {
	if !p.cfg.TLS.On() {
		return "http://" + p.reachable(), &http.Client{Timeout: checkTime}
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	for _, path := range []string{p.cfg.CABundle, p.cfg.TLS.Certificate} {
		if pem, err := os.ReadFile(path); err == nil {
			pool.AppendCertsFromPEM(pem)
		}
	}
	trust := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	if u, err := url.Parse(p.cfg.URL); err == nil {
		trust.ServerName = u.Hostname()
	}
	return "https://" + p.reachable(), &http.Client{Timeout: checkTime, Transport: &http.Transport{TLSClientConfig: trust, DisableKeepAlives: true}}
}
