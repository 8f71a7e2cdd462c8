package tree

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/runner-ci/runner/buildspec"
)

// Stdin is the FILE that stands for standard input, and StdinName what messages call it.
const (
	Stdin     = "-"
	StdinName = "<stdin>"
)

// maxBytes bounds what is read of a file; what is larger was named by mistake. The language has a lower bound of its
// own, which tells how to get below it.
const maxBytes = 16 << 20

// Error is a file that cannot be read, with what to do about it.
type Error struct {
	Message string
	Hint    string // "" when there is nothing to advise
	Err     error  // the system's error, nil when there was none
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.Err }

// Read returns the text of a file, or of stdin for "-". The file may be a pipe. The error is an *Error, or the system's.
func Read(file string, stdin io.Reader) ([]byte, error) {
	if file == Stdin {
		return bounded(StdinName, stdin)
	}
	info, err := os.Stat(file)
	switch {
	case file == "":
		return nil, &Error{Message: "the name of the file is empty", Hint: "name a file, or - for standard input"}
	case errors.Is(err, fs.ErrNotExist):
		return nil, missing(file, err)
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, &Error{
			Message: file + " is a directory",
			Hint:    "name the file in it: " + filepath.Join(file, buildspec.DefaultFile),
		}
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return bounded(file, f)
}

// missing tells a file that is not there from a link that leads nowhere.
func missing(file string, err error) *Error {
	if target, linkErr := os.Readlink(file); linkErr == nil {
		return &Error{
			Message: fmt.Sprintf("%s is a link to %s, which does not exist", file, target),
			Hint:    "name the file itself, or mend the link", Err: err,
		}
	}
	hint := "name the file, or let runner init write one"
	for _, other := range []string{"buildspec.yml", "buildspec.yaml"} {
		if near := filepath.Join(filepath.Dir(file), other); near != filepath.Clean(file) {
			if _, err := os.Stat(near); err == nil {
				hint = "there is " + near + "; name that"
			}
		}
	}
	return &Error{Message: "there is no file " + file, Hint: hint, Err: err}
}

func bounded(name string, r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", name, err)
	case len(text) > maxBytes:
		return nil, &Error{Message: fmt.Sprintf("%s has more than %d MiB; that is no buildspec", name, maxBytes>>20)}
	}
	return text, nil
}
