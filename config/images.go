package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/runner-ci/runner/buildspec"
)

// Images says how images of x-runner.images are built.
type Images struct {
	Builder    string `yaml:"builder"`            // the image of builders: with dockerd, the docker command and a shell
	StateBytes int64  `yaml:"state" unit:"bytes"` // layers that builders of one project and trust keep; 0: none
	Untrusted  string `yaml:"untrusted"`          // whether builds that are not trusted build images at all
}

// The values of images.untrusted.
const (
	UntrustedBuild = "build" // they build them and push none
	UntrustedOff   = "off"   // they have no builder, and build none
)

const (
	// DefaultBuilder is Docker's own image of an engine in a container.
	DefaultBuilder = "docker:dind"
	// DefaultBuilderState holds the stages of a few images of the usual size.
	DefaultBuilderState = 10 << 30
)

func (c *Config) checkImages(f *faults) {
	if b := c.Images.Builder; strings.ContainsAny(b, " \t\n") || strings.HasPrefix(b, "-") {
		f.add("images.builder", "write docker:dind, or an image of your own with dockerd and the docker command", "%q is no image", clip(b))
	}
	f.atLeast("images.state", c.Images.StateBytes, 0)
	f.oneOf("images.untrusted", c.Images.Untrusted, UntrustedBuild, UntrustedOff)
}

// checkPush checks the registries that a project's trusted builds may push to.
func (p *Project) checkPush(f *faults) {
	for _, server := range slices.Sorted(maps.Keys(p.Push)) {
		switch {
		case server == "" || strings.ContainsAny(server, " /@"):
			f.add("push."+clip(server), "write host or host:port, ghcr.io or docker.io", "this is no registry")
		case slices.Contains(dockerHub, server):
			f.add("push."+server, "write docker.io", "this is Docker Hub by another name")
		case p.Push[server] != "":
			_, err := buildspec.ParseSecretRef(p.Push[server])
			f.err("push."+server, `name a secret of the store that holds {"username": …, "password": …}, ci/registry`, err)
		}
	}
}
