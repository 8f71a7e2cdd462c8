package artifacts

import (
	"errors"
	"fmt"
	"io/fs"
)

var (
	// ErrClosed is returned by every call on a store that was closed.
	ErrClosed = errors.New("artifact store is closed")
	// ErrLocked is wrapped by Open when another process has the file.
	ErrLocked = errors.New("artifact store is in use by another process")
	// ErrNewer is wrapped by Open when a newer program wrote the file.
	ErrNewer = errors.New("artifact store was written by a newer version")
	// ErrSealed is wrapped by AppendLog on a log that takes no more.
	ErrSealed = errors.New("log is sealed")
	// ErrDamaged is wrapped when stored bytes are not what was written.
	ErrDamaged = errors.New("artifact store is damaged")
	// ErrLimit is wrapped by an InputError when a set has too many files or bytes.
	ErrLimit = errors.New("limit exceeded")
)

// InputError says that a tar was refused because of what it holds. It is the job's doing, not the store's: any
// other error of PutTar is trouble on our side.
type InputError struct {
	Entry  string // the name as the tar has it, empty when the tar itself is broken
	Reason string
	Err    error // ErrLimit, or what the tar reader said; may be nil
}

func (e *InputError) Error() string {
	msg := "artifact tar refused: "
	if e.Entry != "" {
		msg += fmt.Sprintf("entry %.200q: ", e.Entry)
	}
	return msg + e.Reason
}

func (e *InputError) Unwrap() error { return e.Err }

func unknown(kind, id string) error {
	return fmt.Errorf("%s %q is not in the artifact store (never stored, removed, or expired): %w", kind, id, fs.ErrNotExist)
}

// checkID refuses what cannot be a key.
func checkID(kind, id string) error {
	if id == "" || len(id) > maxIDBytes {
		return fmt.Errorf("%s id %.40q has %d bytes, want 1 to %d", kind, id, len(id), maxIDBytes)
	}
	return nil
}
