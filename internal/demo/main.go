// Command demo is the product's main job, seen: a daemon, a repository, a signed webhook, and the build it makes.
// `make demo` runs it. Its exit status is the build's.
package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/internal/githost"
)

func main() {
	binary := flag.String("runner", "bin/runner", "the runner binary")
	example := flag.String("example", "examples/go-service", "the repository to build")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	status, err := demo(ctx, *binary, *example)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		status = 2
	}
	stop()
	os.Exit(status)
}

// stage is what the demo sets up around the daemon.
type stage struct {
	dir    string
	binary string
	secret string
	repo   *githost.Repo
	gitURL string
	daemon *exec.Cmd
	url    string
	token  string
}

func demo(ctx context.Context, binary, example string) (int, error) {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "runner-demo-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	s := &stage{dir: dir, binary: binary, secret: rand.Text()}
	if err := s.serveRepository(ctx, example); err != nil {
		return 0, fmt.Errorf("making the repository: %w", err)
	}
	if err := s.startDaemon(ctx); err != nil {
		return 0, fmt.Errorf("starting the daemon: %w", err)
	}
	defer s.stopDaemon()
	build, err := s.push(ctx)
	if err != nil {
		return 0, fmt.Errorf("pushing: %w", err)
	}
	return s.follow(ctx, build)
}

// say prints one step in the manner of the terminal: a lower-case word, then what happened.
func say(word, format string, args ...any) {
	fmt.Printf("%-11s %s\n", word, fmt.Sprintf(format, args...))
}

// serveRepository copies the example into a real git repository and serves that over smart HTTP.
func (s *stage) serveRepository(ctx context.Context, example string) error {
	root := filepath.Join(s.dir, "git")
	repo, err := githost.Create(ctx, root, "api")
	if err != nil {
		return err
	}
	if err := os.CopyFS(repo.Dir, os.DirFS(example)); err != nil {
		return fmt.Errorf("copying %s: %w", example, err)
	}
	handler, err := githost.Handler(root)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(ln, handler) }()
	s.repo, s.gitURL = repo, fmt.Sprintf("http://%s/api.git", ln.Addr())
	say("repository", "%s, made from %s", s.gitURL, example)
	return nil
}

// startDaemon writes a configuration, starts `runner serve` on it, and waits until it answers.
func (s *stage) startDaemon(ctx context.Context) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // a free port; the daemon takes it a moment later
	if err != nil {
		return err
	}
	address := ln.Addr().String()
	ln.Close()
	data := filepath.Join(s.dir, "data")
	cfg := fmt.Sprintf("listen: %s\ndata: %s\nslots: 4\nprojects:\n  - name: api\n    url: %s\n    branch: main\n    webhook-secret: env:API_HOOK_SECRET\n", address, data, s.gitURL)
	path := filepath.Join(s.dir, "runner.yml")
	if err := os.WriteFile(path, []byte(cfg), 0o600); err != nil {
		return err
	}
	logFile, err := os.Create(filepath.Join(s.dir, "serve.log"))
	if err != nil {
		return err
	}
	defer logFile.Close()
	s.daemon = exec.Command(s.binary, "serve", "--config", path)
	s.daemon.Env = append(os.Environ(), "API_HOOK_SECRET="+s.secret)
	s.daemon.Stdout, s.daemon.Stderr = logFile, logFile
	s.daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is ours to handle
	if err := s.daemon.Start(); err != nil {
		return fmt.Errorf("%w; build it first: make build", err)
	}
	s.url = "http://" + address
	if err := s.waitReady(ctx); err != nil {
		text, _ := os.ReadFile(logFile.Name())
		return fmt.Errorf("%w\n%s", err, text)
	}
	token, err := os.ReadFile(filepath.Join(data, "token"))
	if err != nil {
		return err
	}
	s.token = strings.TrimSpace(string(token))
	say("daemon", "runner serve --config runner.yml, listening on %s", s.url)
	return nil
}

func (s *stage) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/readyz", nil)
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it is not ready: %w", context.Cause(ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (s *stage) stopDaemon() {
	_ = s.daemon.Process.Signal(syscall.SIGTERM)
	_ = s.daemon.Wait()
}

// push commits, and tells the daemon as GitHub would: a signed delivery.
func (s *stage) push(ctx context.Context) (string, error) {
	commit, err := s.repo.Commit(ctx, "Price orders in whole cents")
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(pushEvent(s.gitURL, commit))
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, []byte(s.secret))
	mac.Write(body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/hooks/github", strings.NewReader(string(body)))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Event", "push")
	req.Header.Set("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-"+strings.ToLower(rand.Text()[:12]))
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	began := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if res.StatusCode != http.StatusAccepted {
		return "", fmt.Errorf("the webhook was answered %s: %s", res.Status, answer)
	}
	say("webhook", "POST /hooks/github, push of %s to main, signed; on disk and answered 202 in %s", commit[:7], time.Since(began).Round(100*time.Microsecond))
	var accepted struct {
		Trigger string `json:"trigger"`
	}
	if err := json.Unmarshal(answer, &accepted); err != nil {
		return "", fmt.Errorf("reading the answer %q: %w", answer, err)
	}
	t, err := client.New(s.url, s.token).WaitTrigger(ctx, accepted.Trigger)
	if err != nil {
		return "", err
	}
	if len(t.Builds) == 0 {
		return "", fmt.Errorf("no build was made: %s", t.Reason)
	}
	return t.Builds[0], nil
}

// pushEvent is what GitHub sends for a push, reduced to what a receiver reads
// (https://docs.github.com/webhooks/webhook-events-and-payloads#push).
func pushEvent(cloneURL, commit string) map[string]any {
	person := map[string]any{"name": "Ada", "email": "ada@example.com", "username": "ada"}
	head := map[string]any{
		"id": commit, "message": "Price orders in whole cents", "timestamp": time.Now().Format(time.RFC3339),
		"author": person, "committer": person, "url": cloneURL,
	}
	return map[string]any{
		"ref": "refs/heads/main", "before": strings.Repeat("0", 40), "after": commit, "created": true, "deleted": false,
		"forced": false, "head_commit": head, "commits": []any{head},
		"repository": map[string]any{
			"id": 1, "name": "api", "full_name": "acme/api", "private": true, "default_branch": "main",
			"clone_url": cloneURL, "html_url": strings.TrimSuffix(cloneURL, ".git"), "ssh_url": "",
			"owner": map[string]any{"login": "acme", "name": "acme"},
		},
		"pusher": map[string]any{"name": "ada", "email": "ada@example.com"},
		"sender": map[string]any{"login": "ada", "id": 7, "type": "User"},
	}
}
