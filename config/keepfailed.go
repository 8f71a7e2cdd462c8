package config

import "time"

// How long the sandbox of a job that failed is kept, for whoever wants to look into it.
const (
	// KeepOff keeps none.
	KeepOff = "off"
	// DefaultKeepFailed is until after the meeting in which somebody heard of the failure.
	DefaultKeepFailed = "4h"
	// DefaultKeepFailedBytes of the sandboxes of one project: a few workspaces with their build's output.
	DefaultKeepFailedBytes = 10 << 30
)

const (
	leastKeepFailed = time.Minute
	mostKeepFailed  = 30 * 24 * time.Hour
)

// KeepFailedOf is how long the sandboxes of a project's failed jobs are kept; 0 is not at all.
func (c *Config) KeepFailedOf(p *Project) time.Duration {
	word := or(p.KeepFailed, c.KeepFailed)
	if word == KeepOff {
		return 0
	}
	d, _ := ParseDuration(word) // checked with the configuration
	return d
}

// checkKeepFailed checks the word of the daemon or of a project.
func (f *faults) checkKeepFailed(word string) {
	if word == "" || word == KeepOff {
		return
	}
	if d, err := ParseDuration(word); err != nil {
		f.add("keep-failed", "write off, 4h or 2d", "%q is neither off nor a duration", clip(word))
	} else if d < leastKeepFailed || d > mostKeepFailed {
		f.add("keep-failed", "write 1m to 30d, or off", "%q is not between %s and 30d", clip(word), leastKeepFailed)
	}
}
