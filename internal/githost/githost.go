// Package githost makes real git repositories and serves them over smart HTTP with git's own http-backend: for the
// demo and for tests, which need a remote that behaves like one.
package githost

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Repo is a working copy whose pushes go to a bare repository that Handler serves.
type Repo struct {
	Dir  string // working copy
	Bare string
}

// Handler serves every bare repository below root.
func Handler(root string) (http.Handler, error) {
	out, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return nil, fmt.Errorf("asking git where its programs are: %w; install git", err)
	}
	return unchunked(&cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(out)), "git-http-backend"),
		Env: []string{
			"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1",
			// The repositories may belong to whoever made the files; git asks to be told that this is meant.
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
		},
	}), nil
}

// unchunked has large pushes, which come in chunks, read to their end, where package cgi refuses a body of unknown length.
func unchunked(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.TransferEncoding = nil
		h.ServeHTTP(w, r)
	})
}

// Create makes an empty repository <root>/<name>.git with a working copy beside it.
func Create(ctx context.Context, root, name string) (*Repo, error) {
	r := &Repo{Dir: filepath.Join(root, name), Bare: filepath.Join(root, name+".git")}
	if err := os.MkdirAll(r.Dir, 0o755); err != nil {
		return nil, err
	}
	if _, err := r.git(ctx, root, "init", "-q", "--bare", "--initial-branch=main", r.Bare); err != nil {
		return nil, err
	}
	// What a forge allows: a commit that no ref names any more, and pull requests' refs.
	for _, kv := range [][2]string{{"uploadpack.allowAnySHA1InWant", "true"}, {"http.receivepack", "true"}} {
		if _, err := r.git(ctx, r.Bare, "config", kv[0], kv[1]); err != nil {
			return nil, err
		}
	}
	if _, err := r.git(ctx, root, "init", "-q", "--initial-branch=main", r.Dir); err != nil {
		return nil, err
	}
	_, err := r.Git(ctx, "remote", "add", "origin", r.Bare)
	return r, err
}

// Commit commits everything in the working copy, pushes the branch, and returns the commit's id.
func (r *Repo) Commit(ctx context.Context, message string) (string, error) {
	for _, args := range [][]string{{"add", "-A"}, {"commit", "-q", "--allow-empty", "-m", message}, {"push", "-q", "origin", "HEAD"}} {
		if _, err := r.Git(ctx, args...); err != nil {
			return "", err
		}
	}
	return r.Git(ctx, "rev-parse", "HEAD")
}

// Write writes a file of the working copy.
func (r *Repo) Write(name, content string) error {
	path := filepath.Join(r.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}

// Git runs git in the working copy and returns what it printed.
func (r *Repo) Git(ctx context.Context, args ...string) (string, error) {
	return r.git(ctx, r.Dir, args...)
}

func (r *Repo) git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(),
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(out)), nil
}
