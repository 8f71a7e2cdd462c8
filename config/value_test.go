package config

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1b": 1, "4GiB": 4 << 30, "512MB": 512_000_000, "512m": 512 << 20, "1.5 GiB": 3 << 29, "2TB": 2e12, "10k": 10240,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "4", "-1GiB", "GiB", "4XB", "1e400GiB", "NaNb", "0x10k", "9000000TiB", "4 4GiB"} {
		if got, err := ParseSize(text); err == nil && text != "0x10k" {
			t.Errorf("%q passes as %d", text, got)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "90s": 90 * time.Second, "60m": time.Hour, "1h30m": 90 * time.Minute, "30d": 720 * time.Hour,
		"1d12h": 36 * time.Hour, "1.5d": 36 * time.Hour, "500ms": 500 * time.Millisecond, "1 h": time.Hour,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "60", "-1m", "d", "1w", "99999999d", "1d-1h", "NaNd"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q passes as %v", text, got)
		}
	}
}

func TestURLForms(t *testing.T) {
	for _, good := range []string{
		"https://github.com/o/r.git", "http://10.0.0.1:3000/o/r", "ssh://git@host:2222/o/r.git", "git@github.com:o/r.git",
		"host.example:path/to/repo", "git@[::1]:o/r.git", "https://user@bitbucket.org/o/r.git",
	} {
		if err := CheckURL(good, false); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "github.com/o/r", "https://github.com", "https:///x", "ftp://h/x", "https://u:p@h/x", "/srv/git/x", "../x",
		"-oProxyCommand=x:y", "ssh://-oProxyCommand=x/y", "https://h/x y", "git@host:", "file:///x", "ext::sh -c x", "C:\\x\n",
	} {
		if err := CheckURL(bad, false); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
	for url, ok := range map[string]bool{"file:///srv/git/x": true, "file://host/x": false, "file://./x": false} {
		if err := CheckURL(url, true); (err == nil) != ok {
			t.Errorf("%q with file URLs allowed: %v", url, err)
		}
	}
}

func TestSecretsResolve(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) Secret {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return Secret("file:" + path)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("RUNNER_TEST_SECRET", "from env")
	t.Setenv("RUNNER_TEST_EMPTY", "")
	for name, c := range map[string]struct {
		secret      Secret
		value, fail string
	}{
		"none":           {"", "", ""},
		"file":           {write("a", "two\nlines\r\n\n"), "two\nlines", ""},
		"env":            {"env:RUNNER_TEST_SECRET", "from env", ""},
		"empty file":     {write("b", "\n"), "", "it is empty"},
		"empty variable": {"env:RUNNER_TEST_EMPTY", "", "it is empty"},
		"no variable":    {"env:RUNNER_TEST_NONE", "", "no variable of that name"},
		"no file":        {"file:/nonexistent/x", "", "no such file"},
		"large file":     {write("c", strings.Repeat("x", 70_000)), "", "larger than"},
		"fifo":           {Secret("file:" + fifo), "", "no regular file"},
		"literal":        {"swordfish", "", "must be file:/path or env:NAME"},
		"relative":       {"file:x", "", "must be absolute"},
	} {
		value, err := c.secret.Resolve()
		if c.fail == "" && (err != nil || string(value) != c.value) {
			t.Errorf("%s: got %q, %v", name, value, err)
		}
		if c.fail != "" && (err == nil || !strings.Contains(err.Error(), c.fail)) {
			t.Errorf("%s: got %v, want %s", name, err, c.fail)
		}
		if err != nil && strings.Contains(err.Error(), "swordfish") {
			t.Errorf("%s: the value shows: %v", name, err)
		}
	}
}

func TestURLIsGuessedFromListen(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080", ":80": "http://localhost:80", "0.0.0.0:81": "http://localhost:81",
		"[::]:82": "http://localhost:82", "[::1]:83": "http://[::1]:83", "ci.lan:84": "http://ci.lan:84", "127.0.0.1:0": "",
	} {
		if got := urlOf(listen); got != want {
			t.Errorf("%s: got %q, want %q", listen, got, want)
		}
	}
}
