package server

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/runner-ci/runner/access"
)

// Token is one of the daemon's own, which may do everything: whose it is, and its hash. All others are kept by package
// access.
type Token struct {
	Name string // whom actions by this token are recorded as
	Sum  access.Sum
}

// NewToken hashes a token.
func NewToken(name, token string) Token { return Token{Name: name, Sum: access.SumOf(token)} }

// minToken is the shortest token that is taken from a file, in bytes; less can be guessed.
const minToken = 16

// EnsureToken returns the token in the file at path, which only its owner may be able to read. When there is no such
// file, it makes one with a new random token, mode 0600, whole or not at all; created tells that it did.
func EnsureToken(path string) (token string, created bool, err error) {
	token, err = readToken(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return token, false, err
	}
	token = access.NewSecret()
	switch err = writeToken(path, token); {
	case errors.Is(err, fs.ErrExist): // another process was faster
		token, err = readToken(path)
		return token, false, err
	case err != nil:
		return "", false, fmt.Errorf("making the API token: %w", err)
	}
	return token, true, nil
}

func readToken(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", fmt.Errorf("reading the API token: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("the API token %s is no regular file; remove it, and the next start makes a new one", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return "", fmt.Errorf("the API token %s can be read or changed by others (mode %04o); run chmod 600 on it, or remove it for a new one", path, mode)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading the API token: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "", fmt.Errorf("reading the API token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if len(token) < minToken || strings.ContainsAny(token, " \t\r\n") {
		return "", fmt.Errorf("the API token %s must hold one word of at least %d characters; remove the file for a new one", path, minToken)
	}
	return token, nil
}

// writeToken makes the file by a link from a complete one, which fails with fs.ErrExist where there is one already.
func writeToken(path, token string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".token-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(token + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Link(tmp.Name(), path)
}
