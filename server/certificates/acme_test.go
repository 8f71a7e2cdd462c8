package certificates

import (
	"crypto/tls"
	"errors"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

// loopbackNames is a name server for which every name is this machine.
func loopbackNames(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{Listener: ln, Net: "tcp", Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if name := q.Question[0]; name.Qtype == dns.TypeA {
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: name.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.IPv4(127, 0, 0, 1)})
		}
		_ = w.WriteMsg(m)
	})}
	go s.ActivateAndServe()
	t.Cleanup(func() { s.Shutdown() })
	return ln.Addr().String()
}

// authority is a certificate authority in this process. It looks for hosts at two ports of this machine.
func authority(t *testing.T, plainPort, tlsPort int) *httptest.Server {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "5") // as a busy authority may
	quiet := log.New(t.Output(), "", 0)
	store := db.NewMemoryStore()
	profiles := map[string]ca.Profile{"default": {Description: "default"}}
	front := wfe.New(quiet, store, va.New(quiet, plainPort, tlsPort, false, loopbackNames(t), store),
		ca.New(quiet, store, "", "ecdsa", 0, 1, profiles), []string{"ca.example"}, false, false, 1, 1)
	handler := front.Handler()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Let's Encrypt says where the order is when it is finalized; this one does not, and the client counts on it.
		if id, ok := strings.CutPrefix(r.URL.Path, "/finalize-order/"); ok {
			w.Header().Set("Location", "https://"+r.Host+"/my-order/"+id)
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func portOf(ln net.Listener) int { return ln.Addr().(*net.TCPAddr).Port }

// TestCertificatesComeFromAnAuthority proves both ways in which the authority looks whether the host is ours.
func TestCertificatesComeFromAnAuthority(t *testing.T) {
	for _, way := range []string{"TLS-ALPN-01", "HTTP-01"} {
		t.Run(way, func(t *testing.T) {
			if way == "HTTP-01" && os.Getenv("RUNNER_SLOW") == "" {
				t.Skip("the client tries the other way first, and waits in between; set RUNNER_SLOW=1 to run it")
			}
			secure, err := net.Listen("tcp", "127.0.0.1:0")
			plain, plainErr := net.Listen("tcp", "127.0.0.1:0")
			if err := errors.Join(err, plainErr); err != nil {
				t.Fatal(err)
			}
			tlsPort := portOf(secure)
			if way == "HTTP-01" {
				tlsPort = 1 // where nobody answers
			}
			directory := authority(t, portOf(plain), tlsPort)
			cache := t.TempDir()
			from := Authority{Directory: directory.URL + wfe.DirectoryPath, Hosts: []string{"ci.example.com"}, Cache: cache, Client: directory.Client()}
			m := from.Manager()
			web := &http.Server{Handler: http.NotFoundHandler(), TLSConfig: ACMEConfig(m), ErrorLog: log.New(t.Output(), "", 0)}
			go web.ServeTLS(secure, "", "")
			to := &url.URL{Scheme: "https", Host: "ci.example.com"}
			challenges := m.HTTPHandler(Redirect(to))
			redirects := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Host, _, _ = net.SplitHostPort(r.Host) // an authority asks at port 80, and so names none
				challenges.ServeHTTP(w, r)
			})}
			if way == "HTTP-01" {
				go redirects.Serve(plain)
			} else {
				plain.Close()
			}
			t.Cleanup(func() { web.Close(); redirects.Close() })

			c, err := tls.Dial("tcp", secure.Addr().String(), &tls.Config{ServerName: "ci.example.com", InsecureSkipVerify: true})
			if err != nil {
				t.Fatal(err)
			}
			leaf := c.ConnectionState().PeerCertificates[0]
			c.Close()
			if leaf.VerifyHostname("ci.example.com") != nil || !strings.Contains(leaf.Issuer.CommonName, "Pebble") {
				t.Errorf("the certificate is %v of %v", leaf.DNSNames, leaf.Issuer)
			}
			if c, err := tls.Dial("tcp", secure.Addr().String(), &tls.Config{ServerName: "other.example.com", InsecureSkipVerify: true}); err == nil {
				c.Close()
				t.Error("there is a certificate for a host that is not listed")
			}
			directory.Close() // from now on the cache has to do
			cached, err := from.Manager().GetCertificate(&tls.ClientHelloInfo{ServerName: "ci.example.com", CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}})
			if err != nil || cached.Leaf.SerialNumber.Cmp(leaf.SerialNumber) != 0 {
				t.Errorf("after a restart: %v", err)
			}
		})
	}
}
