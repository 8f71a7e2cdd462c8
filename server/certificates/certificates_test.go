package certificates

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// issue writes a certificate and its key to two files.
func issue(t *testing.T, dir string, serial int64, ends time.Time) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "ci.example.com"}, DNSNames: []string{"ci.example.com"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: ends,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	err = errors.Join(
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600),
		os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644),
	)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, key
}

// listen serves over TLS with the files.
func listen(t *testing.T, f *Files) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }),
		TLSConfig: Config(f.Certificate), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	go s.ServeTLS(ln, "", "")
	t.Cleanup(func() { s.Close() })
	return ln.Addr().String()
}

func serialOf(c *tls.Conn) int64 { return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64() }

func TestANewCertificateIsUsedWithoutDroppingAConnection(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	cert, key := issue(t, dir, 1, time.Now().Add(90*24*time.Hour))
	f, err := ReadFiles(cert, key, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	address := listen(t, f)
	trust := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}
	old, err := tls.Dial("tcp", address, trust)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { f.watch(ctx, 5*time.Millisecond); close(done) }()
	serial := func() int64 {
		c, err := tls.Dial("tcp", address, trust)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return serialOf(c)
	}
	until := func(want int64) {
		t.Helper()
		for range 1000 {
			if serial() == want {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Fatalf("certificate %d is not used, but %d", want, serial())
	}
	issue(t, dir, 22, time.Now().Add(90*24*time.Hour))
	until(22)
	if err := os.WriteFile(cert, []byte("half a certif"), 0o644); err != nil {
		t.Fatal(err)
	}
	time.Sleep(30 * time.Millisecond)
	until(22)
	issue(t, dir, 333, time.Now().Add(90*24*time.Hour))
	until(333)
	cancel()
	<-done
	if !strings.Contains(log.String(), "the former one stays") || strings.Count(log.String(), "the former one stays") > 3 {
		t.Errorf("the log says\n%s", log.String())
	}
	_, err = io.WriteString(old, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	answer, readErr := io.ReadAll(old)
	if err := errors.Join(err, readErr); err != nil || serialOf(old) != 1 || !strings.Contains(string(answer), "200 OK") {
		t.Errorf("the connection with the first certificate: %d, %q, %v", serialOf(old), answer, err)
	}
}

func TestTheListenerSpeaksNoOldTLS(t *testing.T) {
	cert, key := issue(t, t.TempDir(), 1, time.Now().Add(time.Hour))
	f, err := ReadFiles(cert, key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	address := listen(t, f)
	for name, c := range map[string]struct {
		config *tls.Config
		ok     bool
	}{
		"1.1":               {&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
		"1.2":               {&tls.Config{MaxVersion: tls.VersionTLS12}, true},
		"1.3":               {&tls.Config{MinVersion: tls.VersionTLS13}, true},
		"1.2 with CBC":      {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}, false},
		"1.2 without ECDHE": {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}}, false},
	} {
		c.config.InsecureSkipVerify = true
		conn, err := tls.Dial("tcp", address, c.config)
		if (err == nil) != c.ok {
			t.Errorf("TLS %s: %v", name, err)
		}
		if err == nil {
			conn.Close()
		}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	resp, err := client.Get("https://" + address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); string(text) != "HTTP/2.0" {
		t.Errorf("a client that knows HTTP/2 is answered by %s", text)
	}
}

func TestACertificateThatEndsIsToldOf(t *testing.T) {
	for _, c := range []struct {
		left time.Duration
		says string
	}{{90 * 24 * time.Hour, ""}, {13 * 24 * time.Hour, "expires on"}, {-time.Minute, "expired on"}} {
		now := time.Now()
		cert, key := issue(t, t.TempDir(), 1, now.Add(c.left))
		f, err := ReadFiles(cert, key, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Trouble(now); (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%v before its end: %q", c.left, got)
		}
	}
	if _, err := ReadFiles("/nowhere/cert.pem", "/nowhere/key.pem", slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "/nowhere/cert.pem") {
		t.Errorf("files that are not there: %v", err)
	}
}

func TestPlainHTTPLeadsToTheDaemonAndNowhereElse(t *testing.T) {
	to, err := url.Parse("https://ci.example.com:8443")
	if err != nil {
		t.Fatal(err)
	}
	h := Redirect(to)
	for _, c := range []struct {
		method, target, host, token string
		status                      int
		location                    string
	}{
		{"GET", "/builds/api/1?x=y", "ci.example.com", "", 301, "https://ci.example.com:8443/builds/api/1?x=y"},
		{"GET", "/", "evil.example", "", 301, "https://ci.example.com:8443/"},
		{"GET", "//evil.example/", "ci.example.com", "", 301, "https://ci.example.com:8443//evil.example/"},
		{"POST", "/api/v1/triggers", "ci.example.com", "", 400, ""},
		{"GET", "/api/v1/builds", "ci.example.com", "Bearer x", 400, ""},
	} {
		r := httptest.NewRequest(c.method, "/", nil)
		r.URL, err = url.ParseRequestURI(c.target)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = c.host
		if c.token != "" {
			r.Header.Set("Authorization", c.token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status || w.Header().Get("Location") != c.location {
			t.Errorf("%s %s: %d %q", c.method, c.target, w.Code, w.Header().Get("Location"))
		}
	}
}
