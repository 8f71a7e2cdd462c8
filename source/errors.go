package source

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// Kind says in one word why a source cannot be had.
type Kind string

// The kinds of FetchError.
const (
	KindBadURL        Kind = "bad_url"        // the URL, the ref or the commit is malformed
	KindFileRefused   Kind = "file_refused"   // file:// is not allowed here
	KindUnreachable   Kind = "unreachable"    // no answer: name, network, proxy
	KindTLS           Kind = "tls"            // the server's certificate is not trusted
	KindHostKey       Kind = "host_key"       // the server's SSH key is unknown or changed
	KindAuth          Kind = "auth"           // credentials missing, wrong or insufficient
	KindNotFound      Kind = "not_found"      // no repository there
	KindNotGit        Kind = "not_git"        // something answers, but it is not git
	KindUnknownRef    Kind = "unknown_ref"    // the repository has no such branch, tag or pull request
	KindUnknownCommit Kind = "unknown_commit" // the repository has no such commit, or no longer
	KindCorrupt       Kind = "corrupt"        // what was sent, or what lies in the mirror, is damaged
	KindUnsafe        Kind = "unsafe"         // the tree holds what must not be written to a disk
	KindLFS           Kind = "lfs"            // the tree needs Git LFS
	KindAttributes    Kind = "attributes"     // .gitattributes asks for what cannot be done
	KindSubmodule     Kind = "submodule"      // a submodule cannot be had
	KindTooLarge      Kind = "too_large"      // more bytes or files than allowed
	KindMemory        Kind = "memory"         // the child needed more memory than it may have
	KindTimeout       Kind = "timeout"        // it took longer than allowed
	KindInternal      Kind = "internal"       // our own trouble: disk, permissions
)

// FetchError tells why a source cannot be had and what to do about it. Every method of Store fails with one, except
// for ReadFile's fs.ErrNotExist, mistakes of the caller, and the caller's own cancellation.
type FetchError struct {
	Kind    Kind
	URL     string // without credentials
	Message string // what happened, where
	Hint    string // what to do
	Err     error  // the cause, where one matters to errors.Is: fs.ErrNotExist, syscall.ENOSPC
}

// Error says what happened, then what to do.
func (e *FetchError) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "; " + e.Hint
}

// Unwrap returns the cause.
func (e *FetchError) Unwrap() error { return e.Err }

// UserFault tells whether what was asked for is at fault, rather than the machine, the network or a setting.
func (e *FetchError) UserFault() bool {
	switch e.Kind {
	case KindUnknownRef, KindUnknownCommit, KindCorrupt, KindUnsafe, KindLFS, KindAttributes, KindSubmodule, KindTooLarge, KindBadURL:
		return true
	}
	return false
}

func fail(kind Kind, hint, format string, args ...any) *FetchError {
	return &FetchError{Kind: kind, Hint: hint, Message: fmt.Sprintf(format, args...)}
}

// asFetchError gives any error a kind.
func asFetchError(err error, url string) *FetchError {
	var fe *FetchError
	if !errors.As(err, &fe) {
		fe = &FetchError{Kind: KindInternal, Message: err.Error(), Err: err}
	}
	if fe.URL == "" {
		fe.URL = url
	}
	return fe
}

// causes are the errors that callers ask for by errors.Is, by the name under which they leave the child.
var causes = map[string]error{
	"not_exist":  fs.ErrNotExist,
	"no_space":   syscall.ENOSPC,
	"quota":      syscall.EDQUOT,
	"permission": fs.ErrPermission,
}

// errorReport is a FetchError as it leaves the child.
type errorReport struct {
	Kind    Kind   `json:"kind"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Cause   string `json:"cause,omitempty"`
}

func report(err error) *errorReport {
	fe := asFetchError(err, "")
	r := &errorReport{Kind: fe.Kind, Message: fe.Message, Hint: fe.Hint}
	for name, cause := range causes {
		if errors.Is(err, cause) {
			r.Cause = name
		}
	}
	return r
}

func (r *errorReport) error(url string) error {
	return &FetchError{Kind: r.Kind, URL: url, Message: r.Message, Hint: r.Hint, Err: causes[r.Cause]}
}
