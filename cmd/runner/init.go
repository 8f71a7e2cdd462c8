package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/runner-ci/runner/buildspec/starter"
	"github.com/runner-ci/runner/buildspec/tree"
	"github.com/runner-ci/runner/config"
)

func newInit(a *app) *cobra.Command {
	var force, stdout bool
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a first buildspec.yml for a repository, from what is in it",
		Long: "Looks at the repository at DIR (default: here) and writes its buildspec.yml: image, installation, build, tests in shards,\n" +
			"reports, cache and artifacts, as far as they can be told from what lies there. It knows Go, Node (npm, Yarn, pnpm),\n" +
			"Python (pip, uv, Poetry, Pipenv, tox), Java (Maven, Gradle), Rust, Ruby and Docker; for others it writes a file to fill\n" +
			"in. It runs nothing, and overwrites nothing unless told to.",
		Example: "  runner init\n  runner init ../api --stdout\n  runner init --force && git diff buildspec.yml",
		Args:    needs,
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			return a.begin(dir, force, stdout)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "overwrite a buildspec.yml that is there")
	cmd.Flags().BoolVar(&stdout, "stdout", false, "print the buildspec, and write no file")
	return exits(cmd, "0    written", "2    trouble: there is a buildspec.yml, DIR cannot be read or written, wrong usage")
}

// begin writes a first buildspec, and tells what led to it and what comes next.
func (a *app) begin(dir string, force, stdout bool) error {
	file := filepath.Join(dir, config.DefaultBuildspec)
	if _, err := os.Lstat(file); err == nil && !force && !stdout {
		return hinted(fmt.Errorf("there is a %s already", file), "look at it: runner plan %s; or overwrite it: --force", file)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return hinted(fmt.Errorf("looking at %s: %w", dir, err), "name the directory of a repository: runner init DIR")
	}
	defer root.Close()
	place, top := inRepository(dir)
	first, err := starter.Write(root.FS(), place)
	if err != nil {
		return fmt.Errorf("looking at %s: %w", dir, err)
	}
	a.json = stdout // notes go beside what is printed
	for _, text := range first.Found {
		a.notes().Lines("found    " + text)
	}
	if stdout {
		if _, err := a.out.WriteString(first.Text); err != nil {
			return err
		}
	} else {
		if err := save(root, first.Text, force); err != nil {
			return err
		}
		a.notes().Lines("written  " + file)
	}
	for _, text := range first.Notes {
		a.notes().Lines("note     " + text)
	}
	next := "runner run" + argument(dir)
	if place != "." {
		next = fmt.Sprintf("runner run %s --buildspec %s", top, path.Join(place, config.DefaultBuildspec))
	}
	if first.Privileged {
		next += " --privileged"
	}
	a.notes().Lines("next     look at it, then build: " + next)
	return nil
}

// save writes the buildspec. A link in its place is replaced, not followed.
func save(root *os.Root, text string, force bool) error {
	if force {
		if err := root.Remove(config.DefaultBuildspec); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("replacing %s: %w", config.DefaultBuildspec, err)
		}
	}
	f, err := root.OpenFile(config.DefaultBuildspec, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("writing %s: %w", config.DefaultBuildspec, err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", config.DefaultBuildspec, err)
	}
	return nil
}

// inRepository is the path of a directory in its repository, with slashes, and that repository's root. One that is in
// none is a root itself.
func inRepository(dir string) (place, top string) {
	here, err := filepath.Abs(dir)
	if err != nil {
		return ".", dir
	}
	top, found := tree.Repository(here)
	place, err = filepath.Rel(top, here)
	if !found || err != nil {
		return ".", dir
	}
	return filepath.ToSlash(place), top
}

// argument is a directory as the last word of a command, left out when it is here.
func argument(dir string) string {
	if dir == "." {
		return ""
	}
	return " " + dir
}
