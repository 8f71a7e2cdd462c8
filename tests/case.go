package tests

import "time"

// Bounds on what one case keeps, in bytes. A test may print gigabytes; what explains a failure fits in these.
const (
	MaxName    = 4 << 10  // Suite, Class, Name and File, each
	MaxMessage = 8 << 10  // Message
	MaxDetails = 64 << 10 // Details, and Output
	MaxTries   = 20       // Tries
)

// Case is one test in one run.
type Case struct {
	// ID is the same for the same test in every run and on every shard; see Identify.
	ID string `json:"id"`
	// Suite is the innermost named group, Class the class, package or feature, as the file names them.
	Suite string `json:"suite,omitempty"`
	Class string `json:"class,omitempty"`
	Name  string `json:"name"`
	// File is the source file, relative to the source root where that is known, with slashes. Line is 0 when unknown.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`

	Status   Status        `json:"status"`
	Duration time.Duration `json:"duration"` // nanoseconds in JSON
	// Message is the failure in short, Details the stack or the comparison, Output what the test printed. Output is kept
	// only for a test that did not succeed. All three may be cut; see MaxMessage and MaxDetails.
	Message string `json:"message,omitempty"`
	Details string `json:"details,omitempty"`
	Output  string `json:"output,omitempty"`

	// Build tells that code did not compile or load, so that there was no test to run. It is never a flake.
	Build bool `json:"build,omitempty"`
	// Tries are earlier tries of this test within the same run, oldest first, where the file tells of them.
	Tries []Try `json:"tries,omitempty"`
	// Unique tells that the format gives each test a name of its own, so that the same name again is a further try and
	// not a namesake.
	Unique bool `json:"-"`
}

// Try is one try of a test before the one that counts.
type Try struct {
	Status   Status        `json:"status"`
	Duration time.Duration `json:"duration"` // nanoseconds in JSON
	Message  string        `json:"message,omitempty"`
	Details  string        `json:"details,omitempty"`
}

// AddTry puts a try behind those there are. Beyond MaxTries the newest is replaced: what first went wrong stays.
func (c *Case) AddTry(t Try) {
	if len(c.Tries) >= MaxTries {
		c.Tries[len(c.Tries)-1] = t
		return
	}
	c.Tries = append(c.Tries, t)
}

// try is the case as an earlier try of itself.
func (c *Case) try() Try {
	return Try{Status: c.Status, Duration: c.Duration, Message: c.Message, Details: c.Details}
}
