package docker

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Proxy are proxy settings for jobs. Empty fields set nothing. What the engine itself pulls goes by the engine's own
// settings.
type Proxy struct {
	HTTP, HTTPS, No string
}

// caVariables name the bundle to OpenSSL and Go, curl, git, Python's requests, Node and the AWS tools.
var caVariables = []string{
	"SSL_CERT_FILE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "AWS_CA_BUNDLE",
}

// environment is what every process of a sandbox starts with, besides the image's own. What the specification says
// wins over the engine's settings; each name occurs once, because programs differ in which of two they take.
func (e *Engine) environment(extra []string) []string {
	env := []string{"HOME=/root"}
	for name, value := range map[string]string{"HTTP_PROXY": e.opts.Proxy.HTTP, "HTTPS_PROXY": e.opts.Proxy.HTTPS, "NO_PROXY": e.opts.Proxy.No} {
		if value != "" {
			env = append(env, name+"="+value, strings.ToLower(name)+"="+value)
		}
	}
	if e.ca != nil {
		for _, name := range caVariables {
			env = append(env, name+"="+caFile)
		}
	}
	byName := map[string]string{}
	for _, v := range append(env, extra...) {
		name, _, _ := strings.Cut(v, "=")
		byName[name] = v
	}
	env = env[:0]
	for _, v := range byName {
		env = append(env, v)
	}
	slices.Sort(env)
	return env
}

// systemBundles are where Linux systems keep the authorities they trust.
var systemBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
}

// combineCAs reads the admin's bundle and puts this system's authorities before it, since the variables that name a
// bundle replace the system's. No path means no bundle.
func combineCAs(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	own, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the CA bundle: %w", err)
	}
	if err := checkPEM(own); err != nil {
		return nil, fmt.Errorf("the CA bundle %s: %w", path, err)
	}
	for _, sys := range systemBundles {
		roots, err := os.ReadFile(sys)
		if err == nil {
			return slices.Concat(bytes.TrimRight(roots, "\n"), []byte("\n"), own), nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("reading the system's authorities: %w", err)
		}
	}
	return own, nil
}

// checkPEM wants at least one certificate, and nothing that is not one.
func checkPEM(data []byte) error {
	found := 0
	for {
		var block *pem.Block
		block, data = pem.Decode(data)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("it holds a %q, expected certificates only", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("certificate %d: %w", found+1, err)
		}
		found++
	}
	if found == 0 {
		return errors.New("it holds no certificate in PEM form")
	}
	return nil
}

// caPath writes the combined bundle where sandboxes can bind it, under a name of its content, and returns the path.
func (e *Engine) caPath() (string, error) {
	sum := sha256.Sum256(e.ca)
	dir := filepath.Join(e.opts.DataDir, "engines", e.opts.Engine)
	path := filepath.Join(dir, "ca-"+hex.EncodeToString(sum[:8])+".pem")
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, e.ca) {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("writing the CA bundle: %w", err)
	}
	temp, err := os.CreateTemp(dir, ".ca-")
	if err != nil {
		return "", fmt.Errorf("writing the CA bundle: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(e.ca)
	if err := errors.Join(err, temp.Chmod(0o644), temp.Close()); err != nil {
		return "", fmt.Errorf("writing the CA bundle: %w", err)
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return "", fmt.Errorf("writing the CA bundle: %w", err)
	}
	return path, nil
}
