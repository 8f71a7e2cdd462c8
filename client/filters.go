package client

// Filtering is the settings of a project that choose what is built, and what waits for what.
type Filtering struct {
	Filters          [][]Filter  `json:"filters,omitempty"`          // groups, one of which has to match with all its filters
	Paths            []string    `json:"paths,omitempty"`            // patterns of files that are worth a build
	PathsIgnore      []string    `json:"pathsIgnore,omitempty"`      // patterns of files that are not
	SkipWords        string      `json:"skipWords,omitempty"`        // on, off
	CancelSuperseded string      `json:"cancelSuperseded,omitempty"` // true, false
	Concurrency      Concurrency `json:"concurrency,omitzero"`
}

// Filter is one condition, with CodeBuild's words.
type Filter struct {
	Type                  string `json:"type"`    // EVENT, HEAD_REF, FILE_PATH, …
	Pattern               string `json:"pattern"` // of EVENT a list with commas, else a regular expression (RE2)
	ExcludeMatchedPattern bool   `json:"excludeMatchedPattern,omitempty"`
}

// Concurrency has builds of one group wait for each other.
type Concurrency struct {
	Group string `json:"group,omitempty"` // with {project} and {branch} for those of the build
	Limit int    `json:"limit,omitempty"` // builds at once; default 1
}

// Skipped is a project that builds nothing of a trigger.
type Skipped struct {
	Project string `json:"project"`
	Reason  string `json:"reason"`
	Passed  bool   `json:"passed,omitempty"` // a check that is required of the commit counts as passed
}
