// Command demo is the product's main job, seen: a daemon, a repository, a signed webhook, and the build it makes.
// `make demo` runs it. Its exit status is the build's.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
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
	keep := flag.Bool("keep", false, "leave the daemon running after the build, until an interrupt, so that its pages can be looked at")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	status, err := demo(ctx, *binary, *example, *keep)
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

func demo(ctx context.Context, binary, example string, keep bool) (int, error) {
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
	status, err := s.follow(ctx, build)
	if err == nil && keep {
		s.keep(ctx, build)
	}
	return status, err
}

// keep says where the build can be looked at, and waits for an interrupt.
func (s *stage) keep(ctx context.Context, build string) {
	project, number, _ := strings.Cut(build, "#")
	say("page", "%s/projects/%s/builds/%s", s.url, project, number)
	say("log in", "with the token %s", s.token)
	say("until", "Ctrl-C ends the daemon and removes all that it wrote")
	<-ctx.Done()
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

// title is that of the commit which is pushed.
const title = "Price orders in whole cents"

// push commits, and tells the daemon as GitHub would: a signed delivery.
func (s *stage) push(ctx context.Context) (string, error) {
	commit, err := s.repo.Commit(ctx, title)
	if err != nil {
		return "", err
	}
	began := time.Now()
	trigger, err := githost.Push{
		URL: s.gitURL, Ref: "refs/heads/main", Commit: commit, Title: title, Secret: s.secret,
		Delivery: "72d3162e-cc78-11e3-81ab-" + strings.ToLower(rand.Text()[:12]),
	}.Deliver(ctx, s.url)
	if err != nil {
		return "", err
	}
	say("webhook", "POST /hooks/github, push of %s to main, signed; on disk and answered 202 in %s", commit[:7], time.Since(began).Round(100*time.Microsecond))
	t, err := client.New(s.url, s.token).WaitTrigger(ctx, trigger)
	if err != nil {
		return "", err
	}
	if len(t.Builds) == 0 {
		return "", fmt.Errorf("no build was made: %s", t.Reason)
	}
	return t.Builds[0], nil
}
