package client

// RegistryTrigger starts a build of a project when a tag of an image was pushed to a registry.
type RegistryTrigger struct {
	Registry      string   `json:"registry"`      // distribution, dockerhub, harbor, quay or ghcr
	Repository    string   `json:"repository"`    // pattern: team/*
	Tag           string   `json:"tag,omitempty"` // pattern: v*
	Secret        string   `json:"secret"`        // file:/path or env:NAME
	Ref           string   `json:"ref,omitempty"` // branch, or refs/tags/…
	IgnorePushers []string `json:"ignorePushers,omitempty"`
}

// PushedImage is the image whose push made a trigger.
type PushedImage struct {
	Registry string `json:"registry"` // its kind
	Name     string `json:"name"`     // without tag
	Tag      string `json:"tag"`
	Digest   string `json:"digest,omitempty"`
}
