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
// them by the name it is called.
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
		if err := os.Symlink(self, path); err != nil {
			return fmt.Errorf("putting %s on PATH: %w", name, err)
		}
	}
	return nil
}
