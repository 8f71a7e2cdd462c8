package scheduler

// PushedImage is the image whose push to a registry made a trigger. Its parts have the form that names of images have.
type PushedImage struct {
	Registry string `json:"registry"`         // kind of the registry: "distribution"
	Name     string `json:"name"`             // without tag: "registry.example.com/team/app"
	Tag      string `json:"tag"`              // that was pushed
	Digest   string `json:"digest,omitempty"` // empty where the registry does not tell
}

// registryVars are set for builds that the push of an image made, and for their retries.
func registryVars(t *Trigger) []variable {
	if t.Image == nil {
		return nil
	}
	return []variable{
		{name: "RUNNER_REGISTRY_IMAGE", value: t.Image.Name},
		{name: "RUNNER_REGISTRY_TAG", value: t.Image.Tag},
		{name: "RUNNER_REGISTRY_DIGEST", value: t.Image.Digest},
	}
}
