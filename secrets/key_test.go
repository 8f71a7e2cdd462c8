package secrets

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestWhereTheKeyIsLookedFor(t *testing.T) {
	credentials := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", "/home/x/.config")
	want := "/home/x/.config/runner/key"
	if os.Geteuid() == 0 {
		want = "/etc/runner/key"
	}
	t.Setenv("RUNNER_KEY_FILE", "")
	t.Setenv("CREDENTIALS_DIRECTORY", credentials)
	if got := FindKey(""); got.Path != want || got.Credential || got.Given != "" {
		t.Errorf("by default %+v, want %s", got, want)
	}
	path := filepath.Join(credentials, "runner-key")
	if err := os.WriteFile(path, nil, 0o440); err != nil {
		t.Fatal(err)
	}
	if got := FindKey(""); got.Path != path || !got.Credential {
		t.Errorf("with a credential %+v", got)
	}
	t.Setenv("RUNNER_KEY_FILE", "/run/key")
	if got := FindKey(""); got.Path != "/run/key" || got.Credential {
		t.Errorf("with a variable %+v", got)
	}
	if got := FindKey("/srv/key"); got.Path != "/srv/key" {
		t.Errorf("with a setting %+v", got)
	}
}

func TestACredentialIsReadAndNeverMade(t *testing.T) {
	p := newPlace(t)
	credential := KeyFile{Path: filepath.Join(t.TempDir(), "runner-key"), Credential: true}
	if err := credential.make(p.data); err == nil {
		t.Error("a credential was made")
	}
	if err := (KeyFile{Path: p.key}).make(p.data); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(p.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(credential.Path, text, 0o440); err != nil { // as systemd's ACL shows
		t.Fatal(err)
	}
	if _, err := credential.load(p.data); err != nil {
		t.Error(err)
	}
	plain := credential
	plain.Credential = false
	if _, err := plain.load(p.data); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("as a plain file: %v", err)
	}
}

func TestAKeyIsNeverWrittenOver(t *testing.T) {
	p := newPlace(t)
	k := KeyFile{Path: p.key}
	if err := k.make(p.data); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(p.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.make(p.data); err != nil {
		t.Fatal(err)
	}
	if second, err := os.ReadFile(p.key); err != nil || string(second) != string(first) {
		t.Errorf("another key lies there now (%v)", err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(p.key), ".key-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAKeyThatIsAPipeBlocksNothing(t *testing.T) {
	p := newPlace(t)
	fifo := filepath.Join(t.TempDir(), "key")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (KeyFile{Path: fifo}).load(p.data); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("%v", err)
	}
}
