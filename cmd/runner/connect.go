package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
)

// credentials is the file that runner login writes.
type credentials struct {
	URL    string            `json:"url"`    // of the daemon that was logged in to last
	Tokens map[string]string `json:"tokens"` // by URL
}

// credentialsPath is $XDG_CONFIG_HOME/runner/client.json, where the operating system has such things.
func credentialsPath() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("finding a place for the token: %w; set HOME or XDG_CONFIG_HOME", err)
	}
	return filepath.Join(dir, "runner", "client.json"), nil
}

// readCredentials returns what is stored; nothing is no error.
func readCredentials() (credentials, error) {
	c := credentials{Tokens: map[string]string{}}
	path, err := credentialsPath()
	if err != nil {
		return c, nil // no place, so nothing is there
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("reading the stored token: %w", err)
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, hinted(fmt.Errorf("%s is damaged: %w", path, err), "remove it and log in again: runner login URL")
	}
	if c.Tokens == nil {
		c.Tokens = map[string]string{}
	}
	return c, nil
}

// write stores the credentials whole or not at all, readable by their owner only.
func (c credentials) write() (path string, err error) {
	if path, err = credentialsPath(); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("storing the token: %w", err)
	}
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return "", fmt.Errorf("storing the token: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".client-*") // mode 0600
	if err != nil {
		return "", fmt.Errorf("storing the token: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("storing the token: %w", err)
	}
	return path, nil
}

// client connects to the daemon that flags, environment, runner login or this machine name, in this order.
func (a *app) client() (*client.Client, error) {
	stored, err := readCredentials()
	if err != nil {
		return nil, err
	}
	address, err := a.addressOf(stored)
	if err != nil {
		return nil, err
	}
	token := firstOf(os.Getenv("RUNNER_TOKEN"), stored.Tokens[address], localToken(address))
	if token == "" {
		return nil, hinted(fmt.Errorf("there is no token for the daemon at %s", address),
			"log in: runner login %s; the token is in the file token of the daemon's data directory", address)
	}
	return connect(address, token), nil
}

// addressOf is the daemon's address: that of the flag, of the environment, of runner login, or this machine's.
func (a *app) addressOf(stored credentials) (string, error) {
	return cleanURL(firstOf(a.url, os.Getenv("RUNNER_URL"), stored.URL, "http://"+config.DefaultListen))
}

// address is that of the daemon that commands speak to.
func (a *app) address() (string, error) {
	stored, err := readCredentials()
	if err != nil {
		return "", err
	}
	return a.addressOf(stored)
}

func connect(address, token string) *client.Client {
	return client.New(address, token, client.WithUserAgent("runner/"+release()))
}

// cleanURL checks a daemon's address and gives it one spelling, under which its token is stored.
func cleanURL(address string) (string, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return "", hinted(fmt.Errorf("%q is no address of a daemon", address), "write it like http://127.0.0.1:8080")
	}
	return u.Scheme + "://" + strings.ToLower(u.Host) + strings.TrimRight(u.Path, "/"), nil
}

// localToken finds the token of a daemon on this machine in its default data directory, where this user may read
// it. It is given to no other machine.
func localToken(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return ""
	}
	for _, dir := range []string{config.DefaultData(), "/var/lib/runner"} {
		if text, err := os.ReadFile(filepath.Join(dir, "token")); err == nil {
			return strings.TrimSpace(string(text))
		}
	}
	return ""
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
