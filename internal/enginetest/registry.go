package enginetest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// registryConfig is the distribution registry's own: a directory, a port of the loopback interface, no TLS, which
// engines accept there.
const registryConfig = `version: 0.1
log: {level: error}
storage:
  filesystem: {rootdirectory: %s}
http: {addr: %s%s}
`

// registryWait bounds the start of the registry.
const registryWait = 20 * time.Second

// secured is added to http for a registry that speaks TLS.
const secured = ", tls: {certificate: %s, key: %s}"

// login is added for a registry that wants one.
const login = `auth:
  htpasswd: {realm: test, path: %s}
`

// Registry starts a real image registry as StartRegistry does, which ends with the test. Without the program the test is
// skipped, and fails when CI=true.
func Registry(t testing.TB, user, password string, more ...string) string {
	t.Helper()
	addr, stop, err := StartRegistry(t.TempDir(), user, password, more...)
	if errors.Is(err, exec.ErrNotFound) {
		missing(t, "no image registry: %v; install Debian's docker-registry", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return addr
}

// SecureRegistry is Registry with TLS, by a certificate of an authority of its own, in the file that it returns.
func SecureRegistry(t testing.TB, user, password string) (addr, authority string) {
	t.Helper()
	dir := t.TempDir()
	authority, key, err := makeCertificate(dir)
	if err != nil {
		t.Fatal(err)
	}
	addr, stop, err := startRegistry(dir, user, password, fmt.Sprintf(secured, authority, key))
	if errors.Is(err, exec.ErrNotFound) {
		missing(t, "no image registry: %v; install Debian's docker-registry", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return addr, authority
}

// makeCertificate makes a certificate of 127.0.0.1 that is its own authority.
func makeCertificate(dir string) (certificate, key string, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test registry"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, private.Public(), private)
	if err != nil {
		return "", "", err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", err
	}
	certificate, key = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			return "", "", err
		}
	}
	return certificate, key, nil
}

// StartRegistry starts a real image registry (Debian's package docker-registry) with an empty store below dir, and
// returns its address. It lets only the user with the password in, or everybody when user is empty; more are further lines
// of its configuration. Without the program the error wraps exec.ErrNotFound.
func StartRegistry(dir, user, password string, more ...string) (addr string, stop func(), err error) {
	return startRegistry(dir, user, password, "", more...)
}

func startRegistry(dir, user, password, tls string, more ...string) (addr string, stop func(), err error) {
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		return "", nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0") // a free port; the registry takes it a moment later
	if err != nil {
		return "", nil, err
	}
	addr = ln.Addr().String()
	ln.Close()
	config := filepath.Join(dir, "config.yml")
	if err := writeRegistryConfig(dir, config, addr, user, password, tls, more); err != nil {
		return "", nil, err
	}
	var said bytes.Buffer
	cmd := exec.Command(program, "serve", config)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for deadline := time.Now().Add(registryWait); ; time.Sleep(20 * time.Millisecond) {
		res, err := http.Get("http://" + addr + "/v2/") // one that speaks TLS says so in plain words
		if err == nil {
			res.Body.Close()
			return addr, stop, nil
		}
		if time.Now().After(deadline) {
			stop()
			return "", nil, fmt.Errorf("the registry does not answer on %s: %w\n%s", addr, err, &said)
		}
	}
}

func writeRegistryConfig(dir, config, addr, user, password, tls string, more []string) error {
	text := fmt.Appendf(nil, registryConfig, filepath.Join(dir, "store"), addr, tls)
	if user != "" {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			return err
		}
		users := filepath.Join(dir, "htpasswd")
		if err := os.WriteFile(users, fmt.Appendf(nil, "%s:%s\n", user, hash), 0o600); err != nil {
			return err
		}
		text = fmt.Appendf(text, login, users)
	}
	for _, lines := range more {
		text = append(text, lines...)
	}
	return os.WriteFile(config, text, 0o600)
}
