package runner

import "strings"

// RegistryOf returns the registry that an image reference names, "docker.io" where it names none. The first part
// is a registry when it holds a dot, a colon or a capital letter, or is "localhost" (the rule of Docker's reference grammar).
func RegistryOf(image string) string {
	first, _, slash := strings.Cut(image, "/")
	if slash && (strings.ContainsAny(first, ".:") || first == "localhost" || strings.ToLower(first) != first) {
		return first
	}
	return "docker.io"
}

// Pinned names the image by the digest that its registry knows it by, so that the same one is pulled again. It is
// empty where no digest is known.
func (i Image) Pinned() string {
	if i.Digest == "" {
		return ""
	}
	name, _, _ := strings.Cut(i.Ref, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	return name + "@" + i.Digest
}
