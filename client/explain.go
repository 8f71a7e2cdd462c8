package client

import (
	"context"
	"time"
)

// Explanation tells where the time of a build went. Its path is what decided how long the build took: steps that follow each
// other without a gap, from when it was asked for to its end or, of one that runs, to now.
type Explanation struct {
	Build   string    `json:"build"`
	Status  string    `json:"status"`
	Created time.Time `json:"created"`
	Seconds float64   `json:"seconds"` // the sum of the path
	Path    []Step    `json:"path"`
	Waits   []Wait    `json:"waits"`   // what jobs waited for, whether it decided anything or not, the longest first
	Savings []Saving  `json:"savings"` // what would have made the build shorter, the most first
	Notes   []string  `json:"notes,omitempty"`
}

// Kinds of steps.
const (
	StepSubmitted = "submitted" // the trigger was accepted, and judged by filters
	StepSource    = "source"    // fetched, read, planned, images resolved
	StepGroup     = "group"     // waited for a place in the concurrency group
	StepSlot      = "slot"      // a job waited for a slot
	StepRetry     = "retry"     // waited between two attempts
	StepStart     = "start"     // the sandbox was made, or taken
	StepPhase     = "phase"     // a phase of the job
	StepBetween   = "between"   // the agent was between two phases
	StepFinish    = "finish"    // what the job left was taken in, and the result stored
	StepEnd       = "end"       // the last job had ended, and the build not yet
)

// Step is one stretch of a build's path.
type Step struct {
	Kind    string    `json:"kind"`
	Job     string    `json:"job,omitempty"` // id
	Name    string    `json:"name,omitempty"`
	Attempt int       `json:"attempt,omitempty"`
	Phase   string    `json:"phase,omitempty"`
	Warm    bool      `json:"warm,omitempty"` // of kind start: the sandbox waited for the job
	Text    string    `json:"text,omitempty"` // what there is to say of it
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	Running bool      `json:"running,omitempty"` // it goes on

	Commands []PathCommand `json:"commands,omitempty"` // that ran in it, the first 200 of an attempt
	Tests    *PathTests    `json:"tests,omitempty"`    // that the job took from the queue in it
}

// PathCommand is a command within a step, or the part of it that lies within.
type PathCommand struct {
	Text    string    `json:"text"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
}

// PathTests is what a shard did of its suite within a step.
type PathTests struct {
	Tests   int     `json:"tests"`
	Batches int     `json:"batches"`
	Seconds float64 `json:"seconds"` // with tests
	Idle    float64 `json:"idle"`    // seconds without, while others had some
}

// Kinds of waits, besides StepGroup, StepSlot and StepRetry.
const (
	WaitJobs  = "jobs"  // for other jobs
	WaitTests = "tests" // for tests that other shards ran
)

// Wait is what the jobs of a build waited for, taken together by kind.
type Wait struct {
	Kind    string  `json:"kind"`
	Seconds float64 `json:"seconds"` // of the job that waited longest
	Total   float64 `json:"total"`   // of all jobs
	Jobs    int     `json:"jobs"`    // that waited
	Job     string  `json:"job"`     // id of the one that waited longest
	Name    string  `json:"name"`
	On      float64 `json:"on"` // seconds of them that decided how long the build took
	Text    string  `json:"text"`
}

// Kinds of savings.
const (
	SaveShards = "shards"
	SaveSlots  = "slots"
	SaveWarm   = "warm"
	SaveCache  = "cache"
	SaveGreen  = "green"
)

// Saving is what would have made a build shorter, and by how much as far as the daemon's records tell.
type Saving struct {
	Kind    string  `json:"kind"`
	Seconds float64 `json:"seconds"`
	AtMost  bool    `json:"atMost,omitempty"` // nothing is known but that it is no more
	Text    string  `json:"text"`             // of what, and from which records
	Do      string  `json:"do"`
}

// Explain tells where the time of a build went, and what would have saved some.
func (c *Client) Explain(ctx context.Context, id string) (Explanation, error) {
	var out Explanation
	path, err := buildPath(id, "/explain")
	if err == nil {
		err = c.get(ctx, path, nil, &out)
	}
	return out, err
}
