package client

import "context"

// TestQuarantine is why the failure of a test does not count: an entry of the repository's .runner/quarantine.yml.
type TestQuarantine struct {
	Test   string `json:"test"`  // what the entry names: a test, a file, a package, or a pattern
	Owner  string `json:"owner"` // who mends it
	Until  string `json:"until"` // the last day, in UTC: YYYY-MM-DD
	Reason string `json:"reason,omitempty"`
}

// Quarantine is what the newest build of a project's default branch read from .runner/quarantine.yml.
type Quarantine struct {
	Build   string            `json:"build,omitempty"` // empty when there is none yet
	Ref     string            `json:"ref,omitempty"`
	Commit  string            `json:"commit,omitempty"`
	Problem string            `json:"problem,omitempty"` // why the file could not be read
	Items   []QuarantineEntry `json:"items"`
}

// QuarantineEntry is one entry with how its tests did lately: in the newest 20 results of each.
type QuarantineEntry struct {
	TestQuarantine
	Line   int         `json:"line"`   // where it begins in the file
	State  string      `json:"state"`  // in_force, expired, too_long
	Tests  int         `json:"tests"`  // with a history
	Runs   int         `json:"runs"`   // without skips
	Failed int         `json:"failed"` // of runs
	Clean  int         `json:"clean"`  // how often each test has passed since it failed or was flaky last
	Ready  bool        `json:"ready"`  // to be taken out: all its tests have passed 10 times in turn
	Last   *TestResult `json:"last,omitempty"`
}

// Quarantine returns which tests a project's default branch quarantines.
func (c *Client) Quarantine(ctx context.Context, project string) (Quarantine, error) {
	var out Quarantine
	err := c.get(ctx, projectPath(project, "/tests/quarantine"), nil, &out)
	return out, err
}
