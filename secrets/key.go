package secrets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"filippo.io/age"
)

// KeyFile says where the identity lies that values are sealed to, outside the data directory.
type KeyFile struct {
	Path string
	// Given tells who named it, for messages: "--key-file", "secrets.key-file", … Empty for the default place.
	Given string
	// Credential: systemd put it there. It is never made here, and its group bits are systemd's own.
	Credential bool
}

// FindKey says where the key is: the file that was configured, else RUNNER_KEY_FILE, else systemd's credential
// runner-key, else the default place. It touches nothing but the credentials' directory.
func FindKey(configured string) KeyFile {
	if configured != "" {
		return KeyFile{Path: configured, Given: "secrets.key-file or --key-file"}
	}
	if path := os.Getenv("RUNNER_KEY_FILE"); path != "" {
		return KeyFile{Path: path, Given: "RUNNER_KEY_FILE"}
	}
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		path := filepath.Join(dir, "runner-key")
		if _, err := os.Stat(path); err == nil {
			return KeyFile{Path: path, Given: "the systemd credential runner-key", Credential: true}
		}
	}
	return KeyFile{Path: DefaultKey()}
}

// DefaultKey is where the key lies when nobody says otherwise: /etc/runner/key for root, else runner/key below
// $XDG_CONFIG_HOME or ~/.config.
func DefaultKey() string {
	if os.Geteuid() == 0 {
		return "/etc/runner/key"
	}
	if dir := os.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "runner", "key")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".config", "runner", "key")
	}
	return "/etc/runner/key"
}

// keys are the identities of a key file. Values are sealed to the first; all of them open values, so that a key can
// be replaced by putting a new one above it.
type keys struct {
	path      string
	recipient *age.X25519Recipient
	all       []age.Identity
}

// maxKeyFile bounds a key file in bytes: hundreds of identities fit.
const maxKeyFile = 64 << 10

// load reads the key file. The error wraps ErrLocked, and fs.ErrNotExist too when there is no file.
func (k KeyFile) load(data string) (*keys, error) {
	if err := k.outside(data); err != nil {
		return nil, err
	}
	text, err := k.read()
	if err != nil {
		return nil, err
	}
	out := &keys{path: k.Path}
	ids, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil {
		// age's error may repeat the line that it could not read.
		return nil, say(ErrLocked, "the key file %s holds no age identity; it is a file as age-keygen writes it, with a line AGE-SECRET-KEY-1…", k.Path)
	}
	for _, id := range ids {
		x, ok := id.(*age.X25519Identity)
		if !ok {
			return nil, say(ErrLocked, "the key file %s holds an identity of another kind than AGE-SECRET-KEY-1…; make one with age-keygen", k.Path)
		}
		if out.recipient == nil {
			out.recipient = x.Recipient()
		}
		out.all = append(out.all, x)
	}
	return out, nil
}

// Check tells whether the key can be used for the secrets of a data directory. The error wraps fs.ErrNotExist when there is
// no file.
func (k KeyFile) Check(data string) error {
	_, err := k.load(data)
	return err
}

func (k KeyFile) read() ([]byte, error) {
	// Without waiting, so that a FIFO is refused below instead of blocking the daemon.
	f, err := os.OpenFile(k.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &sentence{errors.Join(ErrLocked, fs.ErrNotExist), fmt.Sprintf("the key of the secret store is missing: there is no file %s%s; put the key back from where you keep it", k.Path, k.by())}
	}
	if err != nil {
		return nil, say(ErrLocked, "the key of the secret store cannot be read: %v%s", err, k.by())
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, say(ErrLocked, "the key of the secret store cannot be read: %v", err)
	}
	open := fs.FileMode(0o077)
	if k.Credential {
		open = 0o007 // an ACL of systemd's shows in the bits of the group
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, say(ErrLocked, "the key file %s is no regular file", k.Path)
	case info.Mode().Perm()&open != 0:
		return nil, say(ErrLocked, "the key file %s can be read or changed by others (mode %04o); run chmod 600 on it", k.Path, info.Mode().Perm())
	case info.Size() > maxKeyFile:
		return nil, say(ErrLocked, "the key file %s has %d bytes, which no key file has", k.Path, info.Size())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, say(ErrLocked, "the key of the secret store cannot be read: %v", err)
	}
	return text, nil
}

func (k KeyFile) by() string {
	if k.Given == "" {
		return ""
	}
	return " (named by " + k.Given + ")"
}

// outside refuses a key below the data directory, where every copy of the data would hold it: as it is written, and
// behind symbolic links.
func (k KeyFile) outside(data string) error {
	key, err := filepath.Abs(k.Path)
	if err != nil {
		return say(ErrLocked, "the key file %s cannot be found: %v", k.Path, err)
	}
	if data, err = filepath.Abs(data); err != nil {
		return say(ErrLocked, "the data directory cannot be found: %v", err)
	}
	if below(data, key) || below(real(data), real(key)) {
		return say(ErrLocked, "the key file %s lies in the data directory %s, so that every backup would hold key and secrets together; keep it elsewhere, /etc/runner/key say", k.Path, data)
	}
	return nil
}

func below(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// real follows symbolic links as far as the path exists.
func real(path string) string {
	if out, err := filepath.EvalSymlinks(path); err == nil {
		return out
	}
	dir, file := filepath.Split(filepath.Clean(path))
	if dir = filepath.Clean(dir); dir == filepath.Clean(path) {
		return path
	}
	return filepath.Join(real(dir), file)
}
