//go:build !windows

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os/signal"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/daemon"
	"github.com/runner-ci/runner/daemon/doctor"
	"github.com/runner-ci/runner/terminal"
)

func newDoctor(a *app) *cobra.Command {
	var s settings
	var image string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at this machine for what keeps builds from running, and say how to mend it",
		Long: "Looks at engines, disk, permissions, clock, remotes, registries, limits and addresses, with or without a daemon that\n" +
			"runs on the data, and has a sandbox run a command on each engine. A line is ok, warn or fail, with how to mend it.\n" +
			"Each check has 5 seconds, a sandbox 30; they run side by side, and leave nothing behind. Run it as the daemon's user.",
		Example: "  runner doctor\n  sudo runner doctor --config /etc/runner/runner.yml\n  runner doctor --image node:22 --json",
		Args:    needs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			self, err := daemon.OwnBinary()
			if err != nil {
				return fmt.Errorf("finding our own binary, which asks remotes in a process of its own: %w", err)
			}
			ctx, unhook := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer unhook()
			report, err := doctor.Examine(ctx, doctor.Options{
				Config: cfg, Version: release(), Worker: []string{self, "source-worker"}, Image: image,
				Logger: slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelError})),
			})
			if err != nil {
				return err
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return a.diagnosis(report)
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&image, "image", "", "`IMAGE` of the sandbox, which the engine must have (default one of the projects', or the smallest there is)")
	a.jsonFlag(cmd)
	annotate(cmd, "environment", "DOCKER_HOST     the Docker engine, where the configuration names none\nRUNNER_KEY_FILE the key of the secret store, where neither flag nor configuration names one")
	return exits(cmd, "0    nothing keeps builds from running; there may be warnings", "1    something does", "2    trouble: the configuration cannot be used")
}

// diagnosis prints what the doctor found.
func (a *app) diagnosis(r *doctor.Report) error {
	if a.json {
		if err := terminal.JSON(a.out, r); err != nil {
			return err
		}
	} else {
		o := a.view()
		o.Lines("data    " + r.Data + ", where a daemon " + r.Daemon)
		for _, f := range r.Findings {
			line := fmt.Sprintf("%-7s %s: %s", f.Level, f.Check, oneLine(f.What))
			if f.Mend != "" {
				line += "  — " + oneLine(f.Mend)
			}
			o.Lines(line)
		}
		for _, left := range r.LeftOut {
			o.Lines("left    " + oneLine(left))
		}
		o.Lines(fmt.Sprintf("doctor: %d ok, %d warn, %d fail", r.Count(doctor.OK), r.Count(doctor.Warn), r.Count(doctor.Fail)))
	}
	if r.Failed() {
		return statusError(statusFailed)
	}
	return nil
}

// oneLine keeps what others say, an engine or a git host, from making lines that look like ours, and from speaking to the
// terminal.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, strings.Join(strings.Fields(text), " "))
}
