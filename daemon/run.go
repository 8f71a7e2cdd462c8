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
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/source/worktree"
)

// RunOptions say what Run builds, and with what.
type RunOptions struct {
	Version   string
	Dir       string // the working tree, or a directory below it
	Buildspec string // path; empty: buildspec.yml
	Image     string // instead of the buildspec's
	Env       map[string]string
	Engine    config.Engine
	Limits    config.Limits
	Slots     int // 0: the number of cores
	CABundle  string
	Logger    *slog.Logger
	Cache     string // where mirrors and temporary state lie; empty: <user cache>/runner
}

// Local is a daemon of one build, inside this process.
type Local struct {
	Client *client.Client
	Build  string // id
	Tree   worktree.Tree
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
	tree, err := worktree.Commit(ctx, o.Dir)
	if err != nil {
		return err
	}
	cfg := o.config(tree)
	sweepRuns(ctx, base, cfg, o.Logger)
	data := filepath.Join(base, "run", strings.ToLower(rand.Text()[:12]))
	p, err := open(cfg, layout{data: data, source: filepath.Join(base, "source")}, o.Logger)
	if err != nil {
		return err
	}
	defer p.dispose()
	// An interrupt ends the following, not the parts: a build that is to be stopped needs them.
	if err := p.start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	token := rand.Text()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening for our own client: %w", err)
	}
	web := p.httpServer(func() *config.Config { return cfg }, token, o.Version)
	go func() { _ = web.Serve(ln) }()
	defer func() { _ = shutdown(web) }()

	c := client.New("http://"+ln.Addr().String(), token)
	build, err := o.submit(ctx, c, tree, cfg.Projects[0].Name)
	if err != nil {
		return err
	}
	defer p.endBuild(build)
	return follow(Local{Client: c, Build: build, Tree: tree})
}

// submit sends the tree through the path that `runner submit` uses.
func (o *RunOptions) submit(ctx context.Context, c *client.Client, tree worktree.Tree, project string) (string, error) {
	t, _, err := Submit(ctx, c, tree, project, client.Submission{
		Commit: tree.Commit, Title: "working tree", Image: o.Image, Buildspec: o.Buildspec, Env: o.Env,
	})
	if err != nil {
		return "", err
	}
	if t, err = c.WaitTrigger(ctx, t.ID); err != nil {
		return "", err
	}
	if len(t.Builds) == 0 {
		return "", fmt.Errorf("no build was made: %s", t.Reason)
	}
	return t.Builds[0], nil
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// config is the daemon's settings for one build of one tree.
func (o *RunOptions) config(tree worktree.Tree) *config.Config {
	cfg := config.Default()
	cfg.AllowFileURLs = true
	cfg.CABundle = o.CABundle
	cfg.Limits = o.Limits.Or(cfg.Limits)
	cfg.Engines = []config.Engine{o.Engine}
	if o.Slots > 0 {
		cfg.Slots = o.Slots
	}
	name := strings.Trim(notInNames.ReplaceAllString(filepath.Base(tree.Root), "-"), "-_")
	if len(name) < 2 {
		name = "build"
	}
	p := config.Project{Name: name, URL: "file://" + tree.Root}
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
	p.close()
	if err := os.RemoveAll(p.layout.data); err != nil {
		p.log.Warn("temporary state stays behind; the next run tries again", "directory", p.layout.data, "error", err)
	}
}

// sweepRuns cleans up after runs whose process died.
func sweepRuns(ctx context.Context, base string, cfg *config.Config, log *slog.Logger) {
	entries, err := os.ReadDir(filepath.Join(base, "run"))
	if err != nil {
		return
	}
	for _, e := range entries {
		dir := filepath.Join(base, "run", e.Name())
		unlock, err := lockDir(dir)
		if err != nil {
			continue // it lives
		}
		if err := sweepRun(ctx, dir, cfg, log); err != nil {
			log.Warn("cleaning up after a run that died", "directory", dir, "error", err)
		}
		unlock()
	}
}

func sweepRun(ctx context.Context, dir string, cfg *config.Config, log *slog.Logger) error {
	l := layout{data: dir}
	instance, err := scheduler.Probe(l.state())
	if err == nil && instance != "" {
		engines, err := executors(cfg, l, instance, log)
		if err != nil {
			return err
		}
		for _, ex := range engines {
			ids, err := ex.List(ctx)
			if err != nil {
				return err
			}
			for _, id := range ids {
				if err := ex.Remove(ctx, id); err != nil {
					return err
				}
			}
		}
	}
	return os.RemoveAll(dir)
}
