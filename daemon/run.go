package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/secrets"
	"github.com/runner-ci/runner/source/worktree"
)

// RunOptions say what Run builds, and with what.
type RunOptions struct {
	Version    string
	Dir        string // the working tree, or a directory below it
	Buildspec  string // path; empty: buildspec.yml
	Image      string // instead of the buildspec's
	Env        map[string]string
	Debug      bool           // codebuild-breakpoint holds the build
	Privileged bool           // whether jobs may ask for privileged-mode
	Submodules bool           // whether submodules are fetched
	Base       *config.Config // registries, CA bundle, proxies, engines and limits; nil: the defaults
	Engine     *config.Engine // in place of those of Base
	Limits     config.Limits  // before those of Base
	Slots      int            // 0: those of Base, the number of cores by default
	Logger     *slog.Logger
	Cache      string // where mirrors and temporary state lie; empty: <user cache>/runner

	// Secrets are what parameter-store and secrets-manager resolve against, by name.
	Secrets map[string]string
}

// Local is a daemon of one build, inside this process.
type Local struct {
	Client *client.Client
	Build  string // id
	Sent   worktree.Sent
	Root   string // top of the working tree
}

// Run builds a working tree with no daemon: the same engine, the same code, temporary state. It calls follow once
// the build exists; when follow returns, a build that still runs is stopped, and everything the build left on the
// engine and the disk is removed. State lies in a locked directory: a lock that a dead process lost lets the next
// Run clean up after it.
func Run(ctx context.Context, o RunOptions, follow func(Local) error) error {
	base := o.Cache
	if base == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("finding a place for temporary state: %w; set HOME or XDG_CACHE_HOME", err)
		}
		base = filepath.Join(dir, "runner")
	}
	tree, err := worktree.Commit(ctx, o.Dir, "")
	if err != nil {
		return err
	}
	cfg := o.config(tree)
	sweepRuns(ctx, base, o.Logger)
	data := filepath.Join(base, "run", strings.ToLower(rand.Text()[:12]))
	p, err := open(cfg, layout{data: data, source: filepath.Join(base, "source")}, o.Logger)
	if err != nil {
		return err
	}
	defer p.dispose()
	p.scheduler.UseVault(secrets.Memory{Values: o.Secrets, Hint: localSecretHint})
	if err := rememberEngines(data, cfg.Engines); err != nil {
		return err
	}
	// An interrupt ends the following, not the parts: a build that is to be stopped needs them.
	if err := p.start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	token := rand.Text()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening for our own client: %w", err)
	}
	web, err := p.httpServer(func() *config.Config { return cfg }, token, o.Version)
	if err != nil {
		return err
	}
	go func() { _ = web.Serve(ln) }()
	defer func() { _ = shutdown(web, requestWait) }()

	c := client.New("http://"+ln.Addr().String(), token)
	build, sent, err := o.submit(ctx, c, tree, cfg.Projects[0].Name)
	if err != nil {
		return err
	}
	defer p.endBuild(build)
	return follow(Local{Client: c, Build: build, Sent: sent, Root: tree.Root})
}

const localSecretHint = "runner run keeps no secrets: give it with --secrets FILE (lines NAME=VALUE), or its variable with -e NAME=VALUE"

// submit sends the tree through the path that `runner submit` uses.
func (o *RunOptions) submit(ctx context.Context, c *client.Client, tree worktree.Tree, project string) (string, worktree.Sent, error) {
	to := c.Submitting(project, client.Submission{
		Title: "working tree", Image: o.Image, Buildspec: o.Buildspec, Env: o.Env, Debug: o.Debug,
	})
	sent, err := tree.Send(ctx, to)
	if err != nil {
		return "", sent, err
	}
	t, err := c.WaitTrigger(ctx, to.Made.ID)
	if err != nil {
		return "", sent, err
	}
	if len(t.Builds) == 0 {
		return "", sent, fmt.Errorf("no build was made: %s", t.Reason)
	}
	return t.Builds[0], sent, nil
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// config is the daemon's settings for one build of one tree.
func (o *RunOptions) config(tree worktree.Tree) *config.Config {
	cfg := config.Default()
	if o.Base != nil {
		base := *o.Base
		cfg = &base
	}
	cfg.AllowFileURLs = true
	cfg.RetryFaults = config.RetryNever // who ran it sits there and can run it again
	cfg.Warm = config.WarmOff           // a second build is not to be expected
	cfg.KeepFailed = config.KeepOff     // all that it left goes with it
	cfg.Images.StateBytes = 0           // nor would anybody remove what its builders keep
	cfg.Limits = o.Limits.Or(cfg.Limits)
	if o.Engine != nil {
		cfg.Engines = []config.Engine{*o.Engine}
	}
	if os.Geteuid() != 0 {
		// Rules for the firewall need root, and a warning in each run would tell its user nothing: what a job can reach
		// from here, they can too.
		cfg.Engines = slices.Clone(cfg.Engines)
		for i := range cfg.Engines {
			cfg.Engines[i].Firewall = "off"
		}
	}
	if o.Slots > 0 {
		cfg.Slots = o.Slots
	}
	name := strings.Trim(notInNames.ReplaceAllString(filepath.Base(tree.Root), "-"), "-_")
	if len(name) < 2 {
		name = "build"
	}
	p := config.Project{Name: name, URL: "file://" + tree.Root, Submodules: o.Submodules, Privileged: o.Privileged}
	p.Env = map[string]string{"CODEBUILD_LOCAL_BUILD": "true"} // as CodeBuild's own local agent has it
	p.Fill()
	cfg.Projects = []config.Project{p}
	return cfg
}

// endWait bounds how long a stopped build may take to end before its sandboxes are removed under it.
const endWait = 25 * time.Second

// endBuild stops a build that its follower left running.
func (p *parts) endBuild(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), endWait)
	defer cancel()
	changed := p.scheduler.Watch(ctx, id)
	if _, err := p.scheduler.Stop(ctx, id, "the end of runner run"); errors.Is(err, scheduler.ErrEnded) {
		return
	}
	for range changed {
		if b, err := p.scheduler.Build(id); err != nil || b.Status.Ended() {
			return
		}
	}
}

// dispose removes everything a Run made: sandboxes, stores, directory.
func (p *parts) dispose() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if p.stop != nil {
		p.stop()
	}
	p.scheduler.RemoveAll(ctx, p.runner)
	if err := p.source.Evict(ctx, func(string) bool { return false }, snapshotAge, snapshotBytes); err != nil {
		p.log.Warn("evicting old snapshots", "error", err)
	}
	if err := p.source.Maintain(ctx); err != nil {
		p.log.Warn("repacking mirrors", "error", err)
	}
	p.close()
	if err := os.RemoveAll(p.layout.data); err != nil {
		p.log.Warn("temporary state stays behind; the next run tries again", "directory", p.layout.data, "error", err)
	}
}
