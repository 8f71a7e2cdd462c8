//go:build linux

package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// linkTools puts the tools into a directory on the job's PATH: symbolic links to this very binary, which knows
// them by the name it is called. Where the agent is a hidden command of a larger binary, whose main does not
// look at that name first, it is a line of shell that calls that command.
func linkTools(bin string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the agent's own binary: %w", err)
	}
	for name := range tools {
		path := filepath.Join(bin, name)
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("putting %s on PATH: %w", name, err)
		}
		if hidden := hiddenCommand(); hidden != "" {
			script := fmt.Sprintf("#!/bin/sh\nexec %s %s tool %s \"$@\"\n", quote(self), quote(hidden), name)
			err = os.WriteFile(path, []byte(script), 0o755)
		} else {
			err = os.Symlink(self, path)
		}
		if err != nil {
			return fmt.Errorf("putting %s on PATH: %w", name, err)
		}
	}
	return nil
}

// hiddenCommand returns the word that makes this binary an agent, if it needs one: "agent" of "runner agent …".
func hiddenCommand() string {
	if len(os.Args) > 1 && os.Args[1] == hiddenName {
		return hiddenName
	}
	return ""
}

// hiddenName is the subcommand under which a larger binary serves as an agent.
const hiddenName = "agent"
