package server

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func notReady(context.Context) error { return errors.New("no engine answers at /var/run/docker.sock") }

func TestEnsureTokenMakesOneAndKeepsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "token")
	token, created, err := EnsureToken(path)
	if err != nil || !created || len(token) < 26 {
		t.Fatalf("EnsureToken = %q, %v, %v", token, created, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	again, created, err := EnsureToken(path)
	if err != nil || created || again != token {
		t.Errorf("second EnsureToken = %q, %v, %v; want %q", again, created, err, token)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("files left behind: %v, %v", entries, err)
	}
}

func TestEnsureTokenGivesOneTokenToAllWhoComeAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	var mu sync.Mutex
	tokens, makers := map[string]bool{}, 0
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			token, created, err := EnsureToken(path)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			tokens[token] = true
			if created {
				makers++
			}
		})
	}
	all.Wait()
	if len(tokens) != 1 || makers != 1 {
		t.Errorf("%d tokens, made by %d", len(tokens), makers)
	}
}

func TestEnsureTokenRefusesWhatOthersCanRead(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		says string
	}{
		"group":    {"rt_0123456789abcdef\n", 0o640, "chmod 600"},
		"everyone": {"rt_0123456789abcdef\n", 0o604, "chmod 600"},
		"short":    {"secret\n", 0o600, "at least 16"},
		"empty":    {"", 0o600, "at least 16"},
		"two":      {"rt_0123456789abcdef rt_0123456789abcdef", 0o600, "one word"},
	} {
		path := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		token, _, err := EnsureToken(path)
		if err == nil || !strings.Contains(err.Error(), c.says) || token != "" {
			t.Errorf("%s: %q, %v", name, token, err)
		}
		if err != nil && strings.Contains(err.Error(), "0123456789abcdef") {
			t.Errorf("%s: the error repeats the token: %v", name, err)
		}
	}
	dir := t.TempDir()
	link := filepath.Join(dir, "token")
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), link); err != nil {
		t.Fatal(err)
	}
	if _, _, err := EnsureToken(link); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a link: %v", err)
	}
}
