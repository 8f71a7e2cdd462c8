package runner

import "strings"

// RegistryOf returns the registry that an image reference names, "docker.io" where it names none. The first part
// is a registry when it holds a dot or a colon or is "localhost" (the rule of Docker's reference grammar).
func RegistryOf(image string) string {
	first, _, slash := strings.Cut(image, "/")
	if slash && (strings.ContainsAny(first, ".:") || first == "localhost") {
		return first
	}
	return "docker.io"
}
