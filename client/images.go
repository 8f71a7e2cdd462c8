package client

// Image is an image that a job's workspace was built to (x-runner.images).
type Image struct {
	Name       string   `json:"name"`
	Repository string   `json:"repository,omitempty"` // where it was pushed
	Tags       []string `json:"tags,omitempty"`
	Digest     string   `json:"digest"` // of its manifest
	Size       int64    `json:"size"`   // of all that is pushed, in bytes
	Layers     int      `json:"layers"`
	Pushed     bool     `json:"pushed"`
}
