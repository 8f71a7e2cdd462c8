package secrets

import "errors"

// Errors of this package, always wrapped with a sentence that says what to do.
var (
	// ErrNotFound: there is no secret of that name, version, stage or JSON field.
	ErrNotFound = errors.New("not found")
	// ErrForbidden: there is one, and the build that asks may not have it.
	ErrForbidden = errors.New("not for this build")
	// ErrLocked: the store has no identity to open values with.
	ErrLocked = errors.New("the secret store has no key")
	// ErrInvalid: a name, a value or a scope that no secret can have.
	ErrInvalid = errors.New("not valid")
	// ErrConflict: a version of that id holds another value.
	ErrConflict = errors.New("there already")
)

// Subject is who asks for a secret: one build.
type Subject struct {
	Project string
	Ref     string // full: refs/heads/main, refs/pull/7/head, refs/runner/submit/12
	Trusted bool   // see the design: a push to a protected ref, a schedule, an admin's manual trigger
	Fork    bool   // of a stranger's pull request, which gets nothing whatever the scope says
	Build   string // id, for the audit log
}

// Ref names a value: a whole secret, or one field of a secret that holds a JSON object.
type Ref struct {
	Name    string // or an ARN, whose last part is the name
	Key     string // JSON field; "" is the whole text
	Stage   string // "AWSCURRENT" (also ""), "AWSPREVIOUS"
	Version string // id of a version, instead of a stage
}
