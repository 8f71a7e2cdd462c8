//go:build !windows

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/daemon"
	"github.com/runner-ci/runner/secrets"
)

// systemConfig is read when no file is named and this one exists.
const systemConfig = "/etc/runner/runner.yml"

// settings are the flags by which serve and check find the daemon's configuration.
type settings struct {
	file, data, key string
}

func (s *settings) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.file, "config", "", "configuration `FILE` (default "+systemConfig+" where there is one)")
	cmd.Flags().StringVar(&s.data, "data", "", "data `DIR`, in place of the configuration's")
	cmd.Flags().StringVar(&s.key, "key-file", "", "age identity `FILE` that secrets are sealed to, outside the data directory (default secrets.key-file, RUNNER_KEY_FILE, systemd's credential runner-key, or "+secrets.DefaultKey()+")")
}

// load reads the file that was named, or the system's, or none.
func (s *settings) load() (*config.Config, error) {
	if s.file == "" {
		if _, err := os.Stat(systemConfig); err == nil || !errors.Is(err, fs.ErrNotExist) {
			s.file = systemConfig
		}
	}
	cfg := config.Default()
	if s.file != "" {
		var err error
		if cfg, err = config.Load(s.file); err != nil {
			return nil, err
		}
	}
	if s.data != "" {
		cfg.Data = s.data
	}
	if s.key != "" {
		cfg.Secrets.KeyFile = s.key
	}
	return cfg, nil
}

func newServe(a *app) *cobra.Command {
	var s settings
	var listen, dockerHost, format, level string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon: webhooks and submits in, builds out",
		Long: "Runs the daemon until SIGTERM or SIGINT. Both leave running builds alone: the next start takes them up, so a restart\n" +
			"or an upgrade kills no build. SIGHUP reads the configuration again. SIGUSR2 upgrades in place: the binary that lies where\n" +
			"this one did takes over the process and its socket, if a rehearsal says that it can; no connection is refused. systemd\n" +
			"may pass the socket. With no configuration it listens on " + config.DefaultListen + " and says what to do next. The log goes to\nstandard error.",
		Example: "  runner serve\n  runner serve --config /etc/runner/runner.yml --log-format json\n  runner serve --data /tmp/try --listen 127.0.0.1:0",
		Args:    needs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logger, err := a.logger(format, level)
			if err != nil {
				return usage(cmd, err)
			}
			cfg, err := s.load()
			if err != nil {
				return err
			}
			if err := override(cfg, listen, dockerHost); err != nil {
				return usage(cmd, err)
			}
			return a.serve(cmd.Context(), cfg, s.file, logger)
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&listen, "listen", "", "address to listen on, in place of the configuration's")
	cmd.Flags().StringVar(&dockerHost, "docker-host", "", "Docker engine, like unix:///var/run/docker.sock, of a configuration with one engine")
	cmd.Flags().StringVar(&format, "log-format", "text", "of the daemon's own log: text or json")
	cmd.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	annotate(cmd, "environment", "DOCKER_HOST     the Docker engine, where the configuration names none\nRUNNER_KEY_FILE the key of the secret store, where neither flag nor configuration names one\nXDG_STATE_HOME  where the data directory is, for users other than root")
	return exits(cmd, "0    ended by a signal; running builds go on", "2    trouble: the configuration, the address, the data directory, the engine")
}

// override lets flags take the place of settings.
func override(cfg *config.Config, listen, dockerHost string) error {
	if listen != "" {
		next, err := config.Parse("--listen", fmt.Appendf(nil, "listen: %q", listen))
		if err != nil {
			return fmt.Errorf("--listen %q is no address; write host:port, 127.0.0.1:8080 or :8080 for every address", listen)
		}
		if cfg.URL == "" || cfg.URL == "http://"+cfg.Listen {
			cfg.URL = next.URL
		}
		cfg.Listen = next.Listen
	}
	if dockerHost != "" {
		if len(cfg.Engines) != 1 || cfg.Engines[0].Type != "docker" {
			return errors.New("--docker-host needs a configuration with one Docker engine; this one lists others")
		}
		cfg.Engines[0].Host = dockerHost
	}
	return nil
}

// logger is the daemon's log on standard error.
func (a *app) logger(format, level string) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q is not known; there are debug, info, warn and error", level)
	}
	options := &slog.HandlerOptions{Level: least}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(a.err, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(a.err, options)), nil
	}
	return nil, fmt.Errorf("--log-format %q is not known; there are text and json", format)
}

func (a *app) serve(ctx context.Context, cfg *config.Config, file string, logger *slog.Logger) error {
	if rehearsal, err := daemon.Rehearsal(); rehearsal {
		if err == nil {
			fmt.Fprintln(a.out, daemon.RehearsalDone())
		}
		return err
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding our own binary: %w", err)
	}
	ctx, unhook := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer unhook()
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	upgrade := make(chan os.Signal, 1)
	signal.Notify(upgrade, syscall.SIGUSR2)
	defer signal.Stop(upgrade)
	return daemon.Serve(ctx, cfg, daemon.ServeOptions{
		Version: release(), Logger: logger, ConfigPath: file, Reload: reload, Upgrade: upgrade, Binary: binary,
		Ready: func(url, tokenFile string, created bool) { a.welcome(cfg, url, tokenFile, created) },
	})
}

// welcome says where the daemon is, and to somebody who starts it for the first time, what to do next.
func (a *app) welcome(cfg *config.Config, url, tokenFile string, created bool) {
	o := a.view()
	o.Lines("listening " + url)
	o.Lines("data      " + cfg.Data)
	if !created && len(cfg.Projects) > 0 {
		return
	}
	if created {
		o.Lines("token     made, in " + tokenFile)
	} else {
		o.Lines("token     in " + tokenFile)
	}
	if len(cfg.Projects) == 0 {
		o.Lines("next      runner login "+url+" --token-file "+tokenFile, "          runner project add URL", "          runner submit")
	}
}
