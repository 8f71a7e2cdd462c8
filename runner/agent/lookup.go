//go:build linux

package agent

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// lookup finds a program on the job's PATH.
func lookup(name, path string) (string, error) {
	if strings.Contains(name, "/") {
		return name, executable(name)
	}
	for _, dir := range filepath.SplitList(path) {
		full := filepath.Join(dir, name)
		if filepath.IsAbs(full) && executable(full) == nil {
			return full, nil
		}
	}
	return "", fs.ErrNotExist
}

func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return fs.ErrPermission
	}
	return nil
}
