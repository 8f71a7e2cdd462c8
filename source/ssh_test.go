package source

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// sshServer runs git-upload-pack for whoever logs in with the right key.
type sshServer struct {
	addr string
	key  ssh.PublicKey // its host key
}

func newKey(t testing.TB) (ssh.Signer, []byte) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	return signer, pem.EncodeToMemory(block)
}

func serveSSH(t testing.TB, root string, allowed ssh.PublicKey) *sshServer {
	t.Helper()
	host, _ := newKey(t)
	config := &ssh.ServerConfig{PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if c.User() != "git" || string(key.Marshal()) != string(allowed.Marshal()) {
			return nil, fmt.Errorf("not allowed")
		}
		return nil, nil
	}}
	config.AddHostKey(host)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go serveConn(conn, config, root)
		}
	}()
	return &sshServer{addr: ln.Addr().String(), key: host.PublicKey()}
}

func serveConn(conn net.Conn, config *ssh.ServerConfig, root string) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for c := range channels {
		channel, requests, err := c.Accept()
		if err != nil {
			return
		}
		go func() {
			for r := range requests {
				if r.Type != "exec" {
					_ = r.Reply(false, nil)
					continue
				}
				_ = r.Reply(true, nil)
				line := string(r.Payload[4:])
				runUploadPack(channel, root, line)
			}
		}()
	}
}

// runUploadPack runs what git asks for, below root, and nothing else.
func runUploadPack(channel ssh.Channel, root, line string) {
	defer channel.Close()
	path, ok := strings.CutPrefix(line, "git-upload-pack '")
	status := uint32(1)
	if ok {
		cmd := exec.Command("git", "-c", "safe.directory=*", "upload-pack", root+"/"+strings.TrimPrefix(strings.TrimSuffix(path, "'"), "/"))
		cmd.Env = gitEnv(0)
		cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
		if stdin, err := cmd.StdinPipe(); err == nil {
			go func() {
				_, _ = io.Copy(stdin, channel)
				stdin.Close()
			}()
		}
		if cmd.Run() == nil {
			status = 0
		}
	}
	_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
}

func TestFetchOverSSH(t *testing.T) {
	r, _, _ := served(t)
	root := strings.TrimSuffix(r.dir, "/origin")
	signer, key := newKey(t)
	stranger, strangerKey := newKey(t)
	server := serveSSH(t, root, signer.PublicKey())
	known := []byte(knownhosts.Line([]string{server.addr}, server.key))
	url := "ssh://git@" + server.addr + "/origin/.git"
	s := open(t)

	remote := Remote{URL: url, SSHKey: key, KnownHosts: known}
	got, err := s.Fetch(t.Context(), remote, Want{})
	if err != nil || got.Commit != r.git("rev-parse", "HEAD") || got.DefaultBranch != "refs/heads/main" {
		t.Fatalf("%+v, %v", got, err)
	}
	r.write("more.txt", "more\n")
	next := r.commit("more")
	if got, err := s.Fetch(t.Context(), remote, Want{Ref: "refs/heads/main"}); err != nil || got.Commit != next {
		t.Fatalf("%+v, %v", got, err)
	}
	fsck(t, s, url)

	impostor := []byte(knownhosts.Line([]string{server.addr}, stranger.PublicKey()))
	other := []byte(knownhosts.Line([]string{"elsewhere.example"}, server.key))
	for name, c := range map[string]struct {
		remote Remote
		want   Want
		kind   Kind
		says   string
	}{
		"a changed host key":   {Remote{URL: url, SSHKey: key, KnownHosts: impostor}, Want{}, KindHostKey, "attack"},
		"an unknown host":      {Remote{URL: url, SSHKey: key, KnownHosts: other}, Want{}, KindHostKey, "ssh-keyscan"},
		"no known hosts":       {Remote{URL: url, SSHKey: key}, Want{}, KindHostKey, "ssh-keyscan"},
		"malformed hosts":      {Remote{URL: url, SSHKey: key, KnownHosts: []byte("what is this")}, Want{}, KindHostKey, "known-hosts"},
		"a key not allowed":    {Remote{URL: url, SSHKey: strangerKey, KnownHosts: known}, Want{}, KindAuth, "deploy key"},
		"a key that is none":   {Remote{URL: url, SSHKey: []byte("nonsense"), KnownHosts: known}, Want{}, KindAuth, "cannot be read"},
		"another user":         {Remote{URL: strings.Replace(url, "git@", "root@", 1), SSHKey: key, KnownHosts: known}, Want{Commit: strings.Repeat("12", 20)}, KindAuth, "deploy key"},
		"no repository":        {Remote{URL: strings.Replace(url, "origin", "nothing", 1), SSHKey: key, KnownHosts: known}, Want{}, KindNotFound, "no repository"},
		"an unknown ref":       {remote, Want{Ref: "refs/heads/nothing"}, KindUnknownRef, "refs/heads/nothing"},
		"an unknown commit":    {remote, Want{Commit: strings.Repeat("12", 20)}, KindUnknownCommit, "1212"},
		"a command in the URL": {Remote{URL: "ssh://git@" + server.addr + "/x';touch${IFS}/tmp/evil'", SSHKey: key, KnownHosts: known}, Want{}, KindNotFound, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Fetch(t.Context(), c.remote, c.want)
			if kind := kindOf(t, err); kind != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Errorf("kind %s, want %s about %q: %v", kind, c.kind, c.says, err)
			}
		})
	}
}
