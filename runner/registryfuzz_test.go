package runner

import (
	"strings"
	"testing"

	"github.com/distribution/reference"
)

// FuzzRegistryOf holds our reading of a reference against Docker's own: credentials go to the registry that it names.
func FuzzRegistryOf(f *testing.F) {
	for _, s := range []string{"debian", "library/debian:12", "ghcr.io/a/b@sha256:" + strings.Repeat("0", 64), "localhost/x", "localhost:5000/x:tag", "a.b", "REGISTRY/x", "[::1]:5000/x", "/x", "a//b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		named, err := reference.ParseNormalizedNamed(ref)
		if err != nil {
			return // nothing is pulled
		}
		if ours, theirs := RegistryOf(ref), reference.Domain(named); ours != theirs && !(ours == "index.docker.io" && theirs == "docker.io") {
			t.Fatalf("%q: ours is %q, Docker's %q", ref, ours, theirs)
		}
		digest := "sha256:" + strings.Repeat("1", 64)
		if again, err := reference.ParseNormalizedNamed((Image{Ref: ref, Digest: digest}).Pinned()); err != nil || again.Name() != named.Name() {
			t.Fatalf("%q is pinned as %v, %v", ref, again, err)
		}
	})
}
