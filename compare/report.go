package compare

import "github.com/runner-ci/runner/client"

// Report is how two builds differ.
type Report struct {
	Green       client.Build `json:"green"`
	Red         client.Build `json:"red"`
	Chosen      string       `json:"chosen,omitempty"` // why green was compared with, where nobody named it
	Same        bool         `json:"same"`
	Logs        []Divergence `json:"logs"`
	MoreJobs    []string     `json:"moreJobs,omitempty"` // that were not compared
	Environment []Fact       `json:"environment"`
	Tests       *Tests       `json:"tests,omitempty"` // none where neither has any
	Notes       []string     `json:"notes,omitempty"` // what could not be compared, and why
}

// Conclude fills in whether all that was compared is the same.
func (r *Report) Conclude() {
	r.Same = len(r.Environment) == 0 && (r.Tests == nil || !r.Tests.Otherwise()) && r.Green.Status == r.Red.Status
	for i := range r.Logs {
		r.Same = r.Same && r.Logs[i].Places == 0 && r.Logs[i].Missing == ""
	}
}
