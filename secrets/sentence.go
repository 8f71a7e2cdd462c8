package secrets

import "fmt"

// sentence is an error that people read as it stands, of a kind that callers ask for with errors.Is.
type sentence struct {
	kind error
	text string
}

func (e *sentence) Error() string { return e.text }
func (e *sentence) Unwrap() error { return e.kind }

func say(kind error, format string, args ...any) error {
	return &sentence{kind, fmt.Sprintf(format, args...)}
}
