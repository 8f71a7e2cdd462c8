package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// internalProcess is no process of ours: this binary starts no sandboxes here.
func internalProcess([]string) (status int, is bool) { return 0, false }

// onLinux is a command that Windows does not have. It stays in the list, so that nobody looks for a misspelling.
func onLinux(use, short string) *cobra.Command {
	cmd := &cobra.Command{
		Use:                use,
		Short:              short + " (not on Windows)",
		Long:               short + ". The daemon, and what works beside it, is for Linux; this binary for Windows is its client.",
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, arg := range args {
				if arg == "-h" || arg == "--help" {
					return cmd.Help()
				}
			}
			return hinted(errors.New("runner "+cmd.Name()+" is not part of the binary for Windows"),
				"run it on Linux, in WSL for instance; from here, runner submit sends a working tree to a daemon there")
		},
	}
	return exits(cmd, exitDone, exitTrouble)
}

func newRun(*app) *cobra.Command {
	return onLinux("run [DIR]", "Build a working tree without a daemon")
}
func newServe(*app) *cobra.Command { return onLinux("serve", "Run the daemon") }
func newCheck(*app) *cobra.Command {
	return onLinux("check", "Prove that the daemon's files hold what they should")
}
func newDoctor(*app) *cobra.Command {
	return onLinux("doctor", "Look at this machine for what would keep builds from running")
}
func newBackup(*app) *cobra.Command {
	return onLinux("backup FILE", "Save the daemon's state, and read the backup back")
}
func newRestore(*app) *cobra.Command { return onLinux("restore FILE", "Lay a backup out") }
func newOpenAPI(*app) *cobra.Command {
	return onLinux("openapi", "Print the OpenAPI document of the API")
}
