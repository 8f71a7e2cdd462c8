package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// maxSecret bounds a secret in bytes: the largest RSA key with its comments is a tenth of it, and a path that
// was mistyped to something large is caught.
const maxSecret = 64 << 10

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Check tells whether the reference has one of the two forms, "file:/path" or "env:NAME", without reading what
// it refers to. The empty secret, meaning none, is right. The error never repeats the value, which may be a
// secret written by mistake.
func (s Secret) Check() error {
	scheme, rest, _ := strings.Cut(string(s), ":")
	switch {
	case s == "":
		return nil
	case scheme == "file" && rest == "":
		return errors.New("file: lacks the path of the secret")
	case scheme == "file" && !filepath.IsAbs(rest):
		return fmt.Errorf("a secret's path must be absolute, and %q is not", rest)
	case scheme == "file":
		return nil
	case scheme == "env" && !envName.MatchString(rest):
		return errors.New("after env: the name of an environment variable is expected, letters, digits and _")
	case scheme == "env":
		return nil
	}
	return errors.New("a secret must be file:/path or env:NAME; its value may not stand here")
}

// Resolve reads the secret's value, without line ends at its end. The empty reference gives nil. An empty value
// is an error, since it never is what was meant.
func (s Secret) Resolve() ([]byte, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	scheme, rest, _ := strings.Cut(string(s), ":")
	var value []byte
	switch scheme {
	case "":
		return nil, nil
	case "env":
		text, ok := os.LookupEnv(rest)
		if !ok {
			return nil, fmt.Errorf("secret %s: the daemon's environment has no variable of that name", s)
		}
		value = []byte(text)
	case "file":
		var err error
		if value, err = readSecret(rest); err != nil {
			return nil, fmt.Errorf("secret %s: %w", s, err)
		}
	}
	value = bytes.TrimRight(value, "\r\n")
	if len(value) == 0 {
		return nil, fmt.Errorf("secret %s: it is empty", s)
	}
	return value, nil
}

func readSecret(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path) // a FIFO would block the daemon
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	value, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err == nil && len(value) > maxSecret {
		err = fmt.Errorf("%s is larger than %d bytes, which no secret is", path, maxSecret)
	}
	return value, err
}

// absolute makes a relative file: reference of a configuration file relative to that file's directory.
func (s Secret) absolute(dir string) Secret {
	if path, ok := strings.CutPrefix(string(s), "file:"); ok && path != "" && !filepath.IsAbs(path) {
		return Secret("file:" + filepath.Join(dir, path))
	}
	return s
}
