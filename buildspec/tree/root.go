package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Root returns the root of the source that a file belongs to: the repository that it lies in, found by its .git, else
// the working directory if that holds the file, else the file's own directory. The path is absolute.
func Root(file string) (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	dir := here
	if file != Stdin {
		if file, err = filepath.Abs(file); err != nil {
			return "", err
		}
		dir = filepath.Dir(file)
	}
	if repository, found := Repository(dir); found {
		return repository, nil
	}
	if _, inside := below(here, dir); inside {
		return here, nil
	}
	return dir, nil
}

// Repository returns the root of the repository that a directory, named by an absolute path, lies in: the nearest
// folder with a .git. false when there is none.
func Repository(dir string) (string, bool) {
	for {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir, true
		}
		above := filepath.Dir(dir)
		if above == dir {
			return "", false
		}
		dir = above
	}
}

// below returns a path relative to a directory, with slashes; false when it does not lie there.
func below(dir, file string) (string, bool) {
	rel, err := filepath.Rel(dir, file)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// pathInRepository is how a forge calls a file: relative to the repository's root, with slashes. A file of no
// repository, or one that cannot be placed, keeps its name.
func pathInRepository(file string) string {
	if file == Stdin {
		return StdinName
	}
	root, err := Root(file)
	if err != nil {
		return filepath.ToSlash(file)
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		return filepath.ToSlash(file)
	}
	if rel, inside := below(root, abs); inside {
		return rel
	}
	return filepath.ToSlash(file)
}

// reader returns a function that reads files beneath the root by their paths in the repository.
func reader(root *os.Root) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		clean := path.Clean(strings.ReplaceAll(name, `\`, "/"))
		if !filepath.IsLocal(filepath.FromSlash(clean)) {
			return nil, fmt.Errorf("it lies outside of the repository, whose root here is %s", root.Name())
		}
		info, err := root.Stat(clean)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, &Error{Message: "there is no such file below " + root.Name(), Err: err}
		case err != nil:
			return nil, beneath(root, err)
		case !info.Mode().IsRegular():
			return nil, errors.New("it is no regular file")
		}
		f, err := root.Open(clean)
		if err != nil {
			return nil, beneath(root, err)
		}
		defer f.Close()
		return bounded(clean, f)
	}
}

// beneath tells why a file cannot be opened, where links count that lead out of the root.
func beneath(root *os.Root, err error) error {
	var system *fs.PathError
	if errors.As(err, &system) {
		return &Error{Message: fmt.Sprintf("below %s it cannot be opened: %v", root.Name(), system.Err), Err: err}
	}
	return err
}
