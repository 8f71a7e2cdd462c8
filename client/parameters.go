package client

// ParameterSetting is a value that whoever starts a build by hand may choose.
type ParameterSetting struct {
	Type        string   `json:"type,omitempty"` // string (default), number, boolean, choice
	Default     string   `json:"default,omitempty"`
	Options     []string `json:"options,omitempty"` // of a choice
	Required    bool     `json:"required,omitempty"`
	Pattern     string   `json:"pattern,omitempty"` // RE2, of the whole of a string
	Description string   `json:"description,omitempty"`
	Min         *float64 `json:"min,omitempty"` // of a number
	Max         *float64 `json:"max,omitempty"`
	Env         string   `json:"env,omitempty"` // variable of the jobs; default the name in capitals
}

// Parameter is one value that a build has, chosen or by default.
type Parameter struct {
	Name     string `json:"name"`
	Variable string `json:"variable"` // of the jobs
	Value    string `json:"value"`
}
