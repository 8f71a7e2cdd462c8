package config

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// RegistryTrigger starts a build of a project when a tag of an image was pushed to a registry.
type RegistryTrigger struct {
	Registry   string `yaml:"registry" json:"registry"`     // distribution, dockerhub, harbor, quay or ghcr
	Repository string `yaml:"repository" json:"repository"` // pattern: team/*
	Tag        string `yaml:"tag" json:"tag,omitempty"`     // pattern: v*; default every tag
	Secret     Secret `yaml:"secret" json:"secret"`         // by which the registry's notifications are known
	Ref        string `yaml:"ref" json:"ref,omitempty"`     // branch, or refs/tags/…; default the default branch
	// IgnorePushers are accounts whose pushes start nothing: the one that the project's own builds push with.
	IgnorePushers []string `yaml:"ignore-pushers" json:"ignorePushers,omitempty"`
}

// registries are the kinds of registry whose notifications are taken.
var registries = []string{"distribution", "dockerhub", "harbor", "quay", "ghcr"}

// maxRegistryTriggers bounds those of one project.
const maxRegistryTriggers = 100

// FullRef is the ref that is built; "" is the default branch.
func (r RegistryTrigger) FullRef() string { return fullRef(r.Ref) }

// Fits tells whether a pushed image is meant, by its repository without the registry's address, its tag, and who pushed it.
func (r RegistryTrigger) Fits(repository, tag, pusher string) bool {
	inRepository, _ := path.Match(r.Repository, repository)
	ofTag, _ := path.Match(or(r.Tag, "*"), tag)
	return inRepository && ofTag && (pusher == "" || !slices.Contains(r.IgnorePushers, pusher))
}

// fullRef makes a branch's name a full ref.
func fullRef(ref string) string {
	if ref == "" || strings.HasPrefix(ref, "refs/") {
		return ref
	}
	return "refs/heads/" + ref
}

// checkBuiltRef refuses what is neither a branch nor a tag.
func (f *faults) checkBuiltRef(ref string) {
	full := fullRef(ref)
	if ref != "" && (!plausibleRef(ref) || !strings.HasPrefix(full, "refs/heads/") && !strings.HasPrefix(full, "refs/tags/")) {
		f.add("ref", "write main or refs/tags/v1.0", "%q is no branch or tag", clip(ref))
	}
}

func (p *Project) checkRegistryTriggers(f *faults) {
	if n := len(p.RegistryTriggers); n > maxRegistryTriggers {
		f.add("registry-triggers", "one pattern may fit many repositories: team/*", "there are %d, and at most %d are taken", n, maxRegistryTriggers)
	}
	for i, r := range p.RegistryTriggers {
		at := faults{}
		r.check(&at)
		*f = append(*f, at.prefixed(fmt.Sprintf("registry-triggers[%d]", i))...)
	}
}

func (r RegistryTrigger) check(f *faults) {
	f.oneOf("registry", r.Registry, registries...)
	if _, err := path.Match(r.Repository, ""); err != nil || r.Repository == "" {
		f.add("repository", "write it without the registry's address, team/app or team/*", "%q is no pattern of repositories", clip(r.Repository))
	}
	if _, err := path.Match(r.Tag, ""); err != nil {
		f.add("tag", "write v* or latest", "%q is no pattern of tags", clip(r.Tag))
	}
	if r.Secret == "" {
		f.add("secret", secretHint, "without a secret anybody could start builds")
	}
	f.checkBuiltRef(r.Ref)
}
