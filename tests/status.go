package tests

// Status is how a test ended, in CodeBuild's words.
type Status string

// The statuses of a case. ERROR means that the test could not do its work (an exception, set-up that failed, a build
// that broke), FAILED that what it checks does not hold.
const (
	Succeeded Status = "SUCCEEDED"
	Failed    Status = "FAILED"
	Error     Status = "ERROR"
	Skipped   Status = "SKIPPED"
	Unknown   Status = "UNKNOWN"
)

// severity orders statuses so that the worst of several is the greatest. A test that ran says more than one that was
// skipped, and a success is worth more than not knowing: a run that was cut off beside one that passed stays a doubt.
var severity = map[Status]int{Skipped: 1, Succeeded: 2, Unknown: 3, Failed: 4, Error: 5}

// Bad tells whether a status makes its test red.
func (s Status) Bad() bool { return s == Failed || s == Error }

// Worse tells whether s outweighs other: ERROR over FAILED over UNKNOWN over SUCCEEDED over SKIPPED.
func (s Status) Worse(other Status) bool { return severity[s] > severity[other] }
