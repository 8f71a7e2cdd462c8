package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAddressesGetOneSpelling(t *testing.T) {
	for in, want := range map[string]string{
		"http://127.0.0.1:8080/": "http://127.0.0.1:8080", "CI.example.com": "http://ci.example.com",
		"https://CI.example.com/runner/": "https://ci.example.com/runner", "localhost:8080": "http://localhost:8080",
	} {
		if got, err := cleanURL(in); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "ftp://x", "http://", "http://user:pass@x", "http://[::1"} {
		if got, err := cleanURL(bad); err == nil {
			t.Errorf("%q passes as %q", bad, got)
		}
	}
}

func TestOneRepositoryHasManyAddresses(t *testing.T) {
	for _, same := range []string{
		"https://github.com/o/r", "https://github.com/o/r.git", "git@github.com:o/r.git", "ssh://git@github.com/o/r.git",
		"ssh://git@GitHub.com:22/o/r", "https://token@github.com/o/r/",
	} {
		if got := sameRepository(same); got != "github.com/o/r" {
			t.Errorf("%s: got %s", same, got)
		}
	}
	for _, other := range []string{"https://github.com/o/r2", "https://gitlab.com/o/r", "http://github.com:3000/o/r", "/srv/o/r", ""} {
		if got := sameRepository(other); got == "github.com/o/r" {
			t.Errorf("%s is taken for the same", other)
		}
	}
}

// TestTheLocalTokenStaysLocal: the token of this machine's daemon must not be sent to another.
func TestTheLocalTokenStaysLocal(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("as root the default data directory is the system's; only the refusals are tested")
	} else {
		state := t.TempDir()
		t.Setenv("XDG_STATE_HOME", state)
		dir := filepath.Join(state, "runner")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "token"), []byte("rt_local\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, here := range []string{"http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:8080"} {
			if got := localToken(here); got != "rt_local" {
				t.Errorf("%s: got %q", here, got)
			}
		}
	}
	for _, elsewhere := range []string{"https://ci.example.com", "http://10.0.0.1:8080", "http://localhost.evil.example", "%"} {
		if got := localToken(elsewhere); got != "" {
			t.Errorf("%s is given the token", elsewhere)
		}
	}
}
