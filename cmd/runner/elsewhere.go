package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// warnElsewhere says that a build begins at the top of the repository, when the directory that the user is in has a
// buildspec of its own that is not the one to be built.
func (a *app) warnElsewhere(root, dir, buildspec string) {
	if buildspec != "" {
		return
	}
	here, err := filepath.Abs(dir)
	if err != nil {
		return
	}
	if here, err = filepath.EvalSymlinks(here); err != nil {
		return
	}
	below, err := filepath.Rel(root, here)
	if err != nil || below == "." || strings.HasPrefix(below, "..") {
		return
	}
	const name = "buildspec.yml"
	if _, err := os.Lstat(filepath.Join(here, name)); err != nil {
		return
	}
	fmt.Fprintf(a.err, "warning: builds begin at the top of the repository, %s, and this is a build of the %s there; --buildspec %s names the one in %s\n",
		root, name, filepath.ToSlash(filepath.Join(below, name)), below)
}
