//go:build !windows

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/daemon"
	"github.com/runner-ci/runner/secrets"
)

// runFlags are what runner run was told.
type runFlags struct {
	daemon.RunOptions
	engine                                                 config.Engine
	settings, artifacts, memory, disk, timeout, secretFile string
	first                                                  bool
}

func newRun(a *app) *cobra.Command {
	var r runFlags
	cmd := &cobra.Command{
		Use:   "run [DIR]",
		Short: "Build a working tree here, with no daemon",
		Long: "Builds the git working tree at DIR (default: here), uncommitted and untracked files included, ignored ones not: the\n" +
			"same engine and the same code as the daemon, with temporary state that is gone afterwards. Ctrl-C stops the build and\n" +
			"cleans up; a second Ctrl-C leaves at once, and the next run cleans up.",
		Example: "  runner run\n  runner run ../api --artifacts dist\n  runner run --image golang:1.26 -e CI=true",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Dir = "."
			if len(args) == 1 {
				r.Dir = args[0]
			}
			if err := r.complete(cmd); err != nil {
				return err
			}
			r.Version = release()
			r.Logger = slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
			return a.runLocal(cmd.Context(), r.RunOptions, following{artifacts: r.artifacts, first: r.first})
		},
	}
	r.add(cmd)
	a.jsonFlag(cmd)
	annotate(cmd, "environment", "DOCKER_HOST     the Docker engine\nXDG_CACHE_HOME  where mirrors and temporary state lie, in the folder runner")
	return exits(cmd, exitBuilt, exitFailed, "2    trouble: wrong usage, no engine, no git working tree, a FAULT", "130  interrupted; the build was stopped")
}

func (r *runFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.Buildspec, "buildspec", "", "path of the buildspec (default buildspec.yml)")
	f.StringVar(&r.Image, "image", "", "job image, in place of the buildspec's")
	envFlag(cmd, &r.Env)
	debugFlag(cmd, &r.Debug)
	f.BoolVar(&r.Privileged, "privileged", false, "permit jobs that ask for privileged-mode; they are root on this machine")
	f.StringVar(&r.artifacts, "artifacts", "", "unpack the artifacts into this `DIR`")
	firstFlag(cmd, &r.first, "the build is stopped")
	f.BoolVar(&r.Submodules, "submodules", false, "fetch submodules")
	f.StringVar(&r.settings, "config", "", "a daemon's runner.yml: its registries, CA bundle, proxies, builder of images, engines and limits")
	f.StringVar(&r.engine.Type, "engine", "docker", "docker, or process: on this machine itself, without isolation")
	f.StringVar(&r.engine.Host, "docker-host", "", "Docker engine (default DOCKER_HOST)")
	f.IntVar(&r.Slots, "slots", 0, "jobs at once (default the number of cores)")
	f.Float64Var(&r.Limits.CPUs, "cpus", 0, "cores of a job (default no limit)")
	f.StringVar(&r.memory, "memory", "", "memory of a job, like 4GiB (default no limit)")
	f.StringVar(&r.disk, "disk", "", "what a job may write to the disk (default 50GiB)")
	f.StringVar(&r.timeout, "timeout", "", "of each job (default 60m)")
	f.StringVar(&r.secretFile, "secrets", "", "`FILE` of secrets and parameters, lines NAME=VALUE, that nobody else can read")
}

// complete reads what the flags name: limits, the engine, a daemon's settings, a file of secrets.
func (r *runFlags) complete(cmd *cobra.Command) (err error) {
	if err := runLimits(&r.Limits, r.memory, r.disk, r.timeout); err != nil {
		return usage(cmd, err)
	}
	if r.engine.Type != "docker" && r.engine.Type != "process" {
		return usage(cmd, fmt.Errorf("--engine %q is not known; there are docker and process", r.engine.Type))
	}
	if r.settings != "" {
		if r.Base, err = config.Load(r.settings); err != nil {
			return err
		}
	}
	if flags := cmd.Flags(); r.settings == "" || flags.Changed("engine") || flags.Changed("docker-host") {
		r.engine.ID = config.DefaultEngineID
		r.Engine = &r.engine
	}
	if r.secretFile != "" {
		r.Secrets, err = secrets.ReadFile(r.secretFile)
	}
	return err
}

func runLimits(l *config.Limits, memory, disk, timeout string) (err error) {
	if timeout != "" {
		if l.Timeout, err = config.ParseDuration(timeout); err != nil {
			return fmt.Errorf("--timeout: %w", err)
		}
	}
	if memory != "" {
		if l.MemoryBytes, err = config.ParseSize(memory); err != nil {
			return fmt.Errorf("--memory: %w", err)
		}
	}
	if disk != "" {
		if l.DiskBytes, err = config.ParseSize(disk); err != nil {
			return fmt.Errorf("--disk: %w", err)
		}
	}
	var wrong *config.FieldError
	if err := l.Check(); errors.As(err, &wrong) {
		return fmt.Errorf("--%s: %s", wrong.Field, wrong.Message)
	}
	return nil
}

// resumeOnEnter lets a local build go on from its breakpoint with each line that is entered: its daemon is in this
// process, where runner resume does not reach it. Without --debug an entry of the batch may ask for a session; then it
// says so, and reads lines, only when a job waits.
func (a *app) resumeOnEnter(ctx context.Context, l daemon.Local, debug bool) {
	paused := debug
	if !paused {
		err := l.Client.Watch(ctx, l.Build, func(b client.Build) bool {
			paused = slices.ContainsFunc(b.Jobs, func(j client.Job) bool { return !j.Paused.IsZero() })
			return !paused
		})
		if !paused || err != nil {
			return
		}
	}
	fmt.Fprintln(a.err, "a build that waits at codebuild-breakpoint goes on when you press Enter here")
	lines := bufio.NewScanner(a.in)
	for lines.Scan() && ctx.Err() == nil {
		if _, err := l.Client.Resume(ctx, l.Build, ""); err != nil {
			fmt.Fprint(a.err, a.describe(err))
		}
	}
}

// runLocal builds and follows. The first interrupt stops the build and is followed to its end, the second one
// leaves at once.
func (a *app) runLocal(ctx context.Context, o daemon.RunOptions, f following) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	stop := make(chan func(), 1) // how to stop, once there is a build
	go func() {
		<-signals
		select {
		case stopBuild := <-stop:
			fmt.Fprintln(a.err, "stopping the build; interrupt again to leave at once")
			go stopBuild()
		default:
			cancel()
		}
		<-signals
		os.Exit(statusInterrupted)
	}()
	var interrupted atomic.Bool
	err := daemon.Run(ctx, o, func(l daemon.Local) error {
		stop <- func() {
			interrupted.Store(true)
			if _, err := l.Client.Stop(ctx, l.Build); err != nil {
				cancel()
			}
		}
		a.warnNoHistory(l.Sent)
		a.warnElsewhere(l.Root, o.Dir, o.Buildspec)
		go a.resumeOnEnter(ctx, l, o.Debug)
		f.app, f.client, f.build = a, l.Client, l.Build
		return f.follow(ctx)
	})
	var status statusError
	if interrupted.Load() && (err == nil || errors.As(err, &status)) {
		return statusError(statusInterrupted)
	}
	return err
}
