package e2e

import (
	"strings"
	"testing"
)

// TestImagesOfTheUntrustedAreLeftOut: with images.untrusted off a build that is not trusted runs without its images, and without
// a builder, whose image is not even looked for.
func TestImagesOfTheUntrustedAreLeftOut(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	spec := "version: 0.2\nenv: {image: '" + image + "'}\nphases: {build: {commands: [echo built]}}\nx-runner: {images: {api: {}}}\n"
	_, url, commit := git.repo("api", map[string]string{"buildspec.yml": spec})
	d := newDaemon(t, "images: {builder: 'runner-test/no-such-builder', untrusted: off}\n", project("api", url, "pull: never"))
	b := d.ended(d.pushTo(url, "refs/heads/feature", commit), "SUCCEEDED")
	if warned := strings.Join(b.Warnings, "\n"); !strings.Contains(warned, "images.untrusted is off, so its images are not built: api") || len(b.Jobs[0].Images) != 0 {
		t.Errorf("the build warns of %q and has the images %v", warned, b.Jobs[0].Images)
	}
	d.ended(d.push(url, commit), "FAILED") // a trusted one needs the builder
}
