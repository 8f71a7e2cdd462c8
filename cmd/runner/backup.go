//go:build !windows

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/daemon"
	"github.com/runner-ci/runner/terminal"
)

// withoutWords is what no backup holds.
const withoutWords = "the key of the secret store (keep it apart), the daemon's own API token, caches, mirrors and snapshots, which are made anew, and running sandboxes"

func newBackup(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Save the daemon's state, logs, artifacts and sealed secrets while it runs",
		Long: "Has the daemon write a backup, stores it in FILE, and reads it back to compare it with its checksums. Builds go on. The\n" +
			"file is readable by you alone: there are logs and artifacts in it. Not in it: " + withoutWords + ".\n" +
			"runner restore lays it out.",
		Example: "  runner backup /var/backups/runner-$(date +%F).tar",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			info, files, err := a.backUp(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.showBackup(args[0], info, files, "written to")
		},
	}
	a.jsonFlag(cmd)
	return exits(a.remote(cmd), exitDone, exitTrouble)
}

func (a *app) backUp(ctx context.Context, name string) (info daemon.BackupInfo, files []daemon.BackupFile, err error) {
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return info, nil, hinted(fmt.Errorf("%s is there already", name), "name a file that is not: an older backup is worth keeping until the newer one is whole")
	}
	c, err := a.client()
	if err != nil {
		return info, nil, err
	}
	from, err := c.Backup(ctx)
	if err != nil {
		return info, nil, err
	}
	defer from.Close()
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.part") // mode 0600
	if err != nil {
		return info, nil, err
	}
	defer os.Remove(f.Name()) // after the rename it is gone
	defer f.Close()
	if _, err = io.Copy(f, from); err != nil {
		return info, nil, fmt.Errorf("receiving the backup: %w", err)
	}
	if err = f.Sync(); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return info, nil, err
	}
	if info, files, err = daemon.VerifyBackup(f); err != nil {
		return info, nil, err
	}
	return info, files, os.Rename(f.Name(), name)
}

func (a *app) showBackup(name string, info daemon.BackupInfo, files []daemon.BackupFile, done string) error {
	if a.json {
		return terminal.JSON(a.out, map[string]any{"backup": info, "files": files})
	}
	var bytes int64
	for _, f := range files {
		bytes += f.Bytes
	}
	a.view().Lines(fmt.Sprintf("%s %s: daemon %s, %s, %s in %s, checksums right",
		done, name, info.Instance, info.Created.Format(time.RFC3339), terminal.Size(bytes), terminal.Count(len(files), "file", "files")),
		"not in it: "+withoutWords)
	return nil
}

func newRestore(a *app) *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Lay a backup out in an empty data directory",
		Long: "Checks a backup of runner backup and lays it out in the data directory of a daemon that does not run, which must be empty.\n" +
			"Nothing is put in its place before all of it was checked. The restored daemon is the same one as before, by its instance\n" +
			"id: do not let both run, above all not on one engine. What ran when the backup was taken ends FAULT at the first start.",
		Example: "  runner restore /var/backups/runner-2026-11-26.tar\n  runner restore --data /srv/runner backup.tar",
		Args:    needs,
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			info, files, err := daemon.Restore(cfg, f, slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			if err := a.showBackup(args[0], info, files, "restored to "+cfg.Data+" from"); err != nil || a.json {
				return err
			}
			if info.Secrets {
				a.view().Lines("next      put the key of the secret store back where it was, then runner check and runner serve; a new API token is made")
			} else {
				a.view().Lines("next      runner check, then runner serve; a new API token is made")
			}
			return nil
		},
	}
	s.flags(cmd)
	a.jsonFlag(cmd)
	return exits(cmd, exitDone, exitTrouble)
}
