package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// do has a request done, in a child where one is configured.
func (s *Store) do(ctx context.Context, req *request) (*response, error) {
	req.Dir = s.opts.Dir
	select {
	case s.children <- struct{}{}:
		defer func() { <-s.children }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	res, err := s.run(limited, req)
	s.opts.Logger.Debug("source", "op", req.Op, "url", req.URL, "commit", req.Commit, "took", time.Since(began), "error", err)
	switch {
	case err == nil:
		return res, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case limited.Err() != nil:
		return nil, &FetchError{Kind: KindTimeout, URL: req.URL, Message: fmt.Sprintf("%s of %s took longer than %v", doing[req.Op], req.URL, s.opts.Timeout),
			Hint: "raise source.timeout, or look why it is slow"}
	}
	return nil, asFetchError(err, req.URL)
}

// here does a small thing without a child, whose start would cost more than the thing itself. Only what reads a few
// objects of bounded size from packs that a child has verified may be done here. Its success counts, and that a tree it
// read has no such file; after any other failure, which gives neither, a child tries again and says what is wrong.
func (s *Store) here(ctx context.Context, req request, do func(context.Context, *request) (*response, error)) (res *response, missing error) {
	defer func() {
		if p := recover(); p != nil {
			s.opts.Logger.Error("reading a mirror panicked; a child tries again", "op", req.Op, "url", req.URL, "panic", p)
			res, missing = nil, nil
		}
	}()
	req.Dir, req.here, req.shelf = s.opts.Dir, true, &s.shelf
	res, err := do(ctx, &req)
	switch {
	case err == nil:
		return res, nil
	case isNotThere(err):
		return nil, asFetchError(err, req.URL)
	}
	return nil, nil
}

// doing names operations in sentences.
var doing = map[string]string{
	"ask": "asking", "fetch": "fetching", "read": "reading a file", "pushed": "walking the history", "change": "comparing commits", "lend": "packing for a job", "modules": "listing the submodules", "layout": "laying out the tree",
	"receive": "taking in a pack", "spare": "preparing a copy", "shallow": "walking the history", "maintain": "repacking", "check": "checking",
}

func (s *Store) run(ctx context.Context, req *request) (*response, error) {
	if len(s.opts.Worker) == 0 {
		return execute(ctx, req)
	}
	req.Memory = s.opts.MemoryBytes
	body, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	return s.runChild(ctx, req, body)
}

// passedOn are the variables of our environment that a child needs: how to get out, whom to trust, how to collect.
var passedOn = []string{
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "TMPDIR", "GODEBUG", "GORACE", "GOTRACEBACK", "GOCOVERDIR", "PATH",
}

func (s *Store) runChild(ctx context.Context, req *request, body []byte) (*response, error) {
	cmd := exec.CommandContext(ctx, s.opts.Worker[0], s.opts.Worker[1:]...)
	cmd.Dir = s.opts.Dir
	cmd.Env = []string{} // not nil, which would mean ours
	for _, name := range passedOn {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var stdout bytes.Buffer
	stderr := &headOf{limit: 64 << 10}
	cmd.Stdout, cmd.Stderr = &stdout, stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the source worker %s: %w", s.opts.Worker[0], err)
	}
	// The pipe stays open until the child ends: its end would tell it that we are gone. A child that died does not
	// read what we write, and Wait tells why.
	_, _ = stdin.Write(body)
	err = cmd.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, s.died(req, err, stderr.String())
	}
	var res response
	if err := json.Unmarshal(stdout.Bytes(), &res); err != nil {
		return nil, fmt.Errorf("the source worker's answer cannot be read: %w", err)
	}
	if res.Error != nil {
		return nil, res.Error.error(req.URL)
	}
	return &res, nil
}

// died tells why a child ended without an answer.
func (s *Store) died(req *request, err error, stderr string) error {
	var exit *exec.ExitError
	killed := errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	if outOfMemory(stderr) {
		return req.tooMuchMemory()
	}
	if killed {
		return fail(KindMemory, "see the kernel's log; if memory was short, give the machine more or build less at once",
			"%s of %s was killed from outside", doing[req.Op], req.URL)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(stderr), "\n")
	s.opts.Logger.Error("the source worker died", "op", req.Op, "url", req.URL, "error", err, "stderr", stderr)
	return fail(KindInternal, "its last words are in the daemon's log", "the source worker died (%v): %s", err, redact(first))
}

// outOfMemory tells from the last words of a Go program whether it wanted memory and did not get it. Deep in the
// runtime there are no words for that: it falls over what it could not get, outside of any goroutine.
func outOfMemory(stderr string) bool {
	for _, sign := range []string{"out of memory", "cannot allocate memory", "failed to allocate", "runtime: cannot map pages"} {
		if strings.Contains(stderr, sign) {
			return true
		}
	}
	signal, stack, _ := strings.Cut(stderr, "goroutine 0 ")
	_, frame, _ := strings.Cut(stack, "\n")
	return strings.Contains(signal, "SIGSEGV") && strings.HasPrefix(frame, "runtime.")
}

// headOf keeps the head of what is written: the first words of a dying Go program say why it dies.
type headOf struct {
	bytes.Buffer
	limit int
}

func (t *headOf) Write(p []byte) (int, error) {
	if room := t.limit - t.Len(); room > 0 {
		t.Buffer.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}
