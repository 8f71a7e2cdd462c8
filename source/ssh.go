package source

import (
	"errors"
	"net"
	"os"
	"strconv"

	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
)

// keyAuth logs in with one key, to a host whose key is known.
type keyAuth struct {
	user   string
	config *ssh.ClientConfig
}

var _ gitssh.AuthMethod = (*keyAuth)(nil)

// Name is what go-git calls this method.
func (a *keyAuth) Name() string { return gitssh.PublicKeysName }

// String is for go-git's errors.
func (a *keyAuth) String() string { return "user: " + a.user + ", name: " + a.Name() }

// ClientConfig is asked for by go-git.
func (a *keyAuth) ClientConfig() (*ssh.ClientConfig, error) { return a.config, nil }

func sshAuth(r *Remote, l location) (*keyAuth, error) {
	if len(r.SSHKey) == 0 {
		return nil, fail(KindAuth, "set ssh-key and known-hosts of the project", "%s needs an SSH key, and none is set", l)
	}
	signer, err := ssh.ParsePrivateKey(r.SSHKey)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return nil, fail(KindAuth, "use a deploy key without one", "the SSH key for %s has a passphrase", l)
	case err != nil:
		return nil, fail(KindAuth, "give the private key in PEM or OpenSSH form, to its last line", "the SSH key for %s cannot be read", l)
	}
	if len(r.KnownHosts) == 0 {
		return nil, fail(KindHostKey, "set known-hosts of the project, for example to the output of: ssh-keyscan "+l.hostname(),
			"no host keys are known, so that %s cannot be told from an impostor", l.hostname())
	}
	hosts, err := knownHosts(r.KnownHosts)
	if err != nil {
		return nil, fail(KindHostKey, "correct known-hosts of the project", "the known hosts for %s cannot be read: %v", l, err)
	}
	user := l.user
	if user == "" {
		user = r.Username
	}
	if user == "" {
		user = gitssh.DefaultUsername
	}
	address := net.JoinHostPort(l.hostname(), strconv.Itoa(portOf(l.host, gitssh.DefaultPort)))
	return &keyAuth{user: user, config: &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, Timeout: dialTimeout,
		HostKeyCallback: hosts.HostKeyCallback(), HostKeyAlgorithms: hosts.HostKeyAlgorithms(address),
	}}, nil
}

// knownHosts parses known_hosts lines. The parser wants a file, which is gone again when this returns.
func knownHosts(lines []byte) (*knownhosts.HostKeyDB, error) {
	f, err := os.CreateTemp("", "known-hosts-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(lines, '\n'))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return knownhosts.NewDB(f.Name())
}

// portOf returns the port of a host that names one.
func portOf(host string, otherwise int) int {
	if _, p, err := net.SplitHostPort(host); err == nil {
		if n, err := strconv.Atoi(p); err == nil {
			return n
		}
	}
	return otherwise
}
