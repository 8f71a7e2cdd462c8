package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/charmbracelet/x/term"

	"github.com/runner-ci/runner/secrets"
)

// valueSource says where the value of a secret is read from.
type valueSource struct {
	file, variable string
}

// read takes the value from where it was said to be, else from standard input.
func (v valueSource) read(a *app, name string) (string, error) {
	var text []byte
	var err error
	switch {
	case v.file != "" && v.variable != "":
		return "", errors.New("--file and --value-env exclude each other")
	case v.file != "":
		text, err = readBounded(v.file)
	case v.variable != "":
		value, ok := os.LookupEnv(v.variable)
		if !ok {
			return "", fmt.Errorf("--value-env: there is no variable %s here", v.variable)
		}
		text = []byte(value)
	case term.IsTerminal(a.in.Fd()):
		fmt.Fprintf(a.err, "value of %s (not shown): ", name)
		text, err = term.ReadPassword(a.in.Fd())
		fmt.Fprintln(a.err)
	default:
		if text, err = io.ReadAll(io.LimitReader(a.in, secrets.MaxValue+3)); err == nil {
			text = []byte(withoutLineEnd(string(text)))
		}
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the value: %w", err)
	case len(text) == 0:
		return "", hinted(errors.New("the value is empty"), "type it, pipe it in, or name a file with --file")
	case len(text) > secrets.MaxValue:
		return "", fmt.Errorf("the value is larger than %d bytes, the most that a secret holds", secrets.MaxValue)
	}
	return string(text), nil
}

// withoutLineEnd drops the line end that echo and editors add.
func withoutLineEnd(text string) string {
	return strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, secrets.MaxValue+1))
}
