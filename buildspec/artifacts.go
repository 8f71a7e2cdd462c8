package buildspec

import (
	"fmt"
	"regexp"
	"strings"
)

func (c *checker) artifacts(e entry) {
	n, ok := c.block(e, artifactsSection.name)
	if !ok {
		return
	}
	a := &Artifacts{}
	readers := c.artifactReaders(artifactsSection, a)
	readers["secondary-artifacts"] = c.secondary
	before := c.counts[SeverityError]
	c.section(artifactsSection, n, readers)
	files := n.get("files")
	switch {
	case len(a.Files) > 0:
		c.spec.Artifacts = a
	case files == nil && len(c.spec.Secondary) > 0:
		c.warn(e.at, complaint{
			message: "artifacts lacks the key files, which CodeBuild requires beside secondary-artifacts: only those are kept",
			hint:    "list the files to keep, for example files: ['**/*']",
		})
	case files == nil && n.get("secondary-artifacts") == nil:
		c.fail(e.at, complaint{
			message: "artifacts lacks the key files",
			hint:    "list the files to keep, for example files: ['**/*']; or remove artifacts",
		})
	case c.counts[SeverityError] == before:
		c.warn(e.at, complaint{
			message: "artifacts.files is empty: " + kept(c.spec.Secondary),
			hint:    "list the files to keep, or remove artifacts",
		})
	}
}

func kept(secondary []Artifacts) string {
	if len(secondary) > 0 {
		return "only the secondary artifacts are kept"
	}
	return "the build keeps nothing"
}

// artifactReaders are those of the keys that primary and secondary artifacts have in common.
func (c *checker) artifactReaders(s section, a *Artifacts) map[string]func(entry) {
	path := s.path
	return map[string]func(entry){
		"files":           func(e entry) { a.Files = c.texts(e, path("files")) },
		"exclude-paths":   func(e entry) { a.ExcludePaths = c.texts(e, path("exclude-paths")) },
		"name":            func(e entry) { a.Name, _ = c.text(e, path("name")) },
		"base-directory":  func(e entry) { a.BaseDirectory, _ = c.text(e, path("base-directory")) },
		"discard-paths":   func(e entry) { a.DiscardPaths = c.flag(e, path("discard-paths")) },
		"enable-symlinks": func(e entry) { a.EnableSymlinks = c.flag(e, path("enable-symlinks")) },
		"s3-prefix":       func(e entry) { c.s3Prefix(e, path(e.key)) },
		"type":            func(e entry) { c.artifactType(e, path(e.key)) },
	}
}

// CodeBuild's bounds on secondary artifacts: characters of an identifier, and how many there may be.
const (
	longestArtifactID = 127
	mostSecondary     = 12
)

var (
	artifactID       = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]*$`) // "-" alone means none of them elsewhere
	strictArtifactID = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
)

func (c *checker) secondary(e entry) {
	n, ok := c.block(e, artifactsSection.path("secondary-artifacts"))
	if !ok {
		return
	}
	for _, one := range n.entries {
		c.secondaryArtifact(one)
	}
	if len(n.entries) > mostSecondary {
		c.warn(e.at, complaint{
			message: fmt.Sprintf("there are %d secondary artifacts: all are kept here, and CodeBuild takes %d", len(n.entries), mostSecondary),
		})
	}
}

func (c *checker) secondaryArtifact(e entry) {
	switch {
	case !artifactID.MatchString(e.key) || len(e.key) > longestArtifactID:
		c.fail(e.at, complaint{
			message: fmt.Sprintf("%q cannot identify a secondary artifact", shorten(e.key)),
			hint:    fmt.Sprintf("use letters, digits and underscores, at most %d", longestArtifactID),
		})
		return
	case !strictArtifactID.MatchString(e.key):
		c.warn(e.at, complaint{
			message: fmt.Sprintf("CodeBuild does not take the hyphen in the identifier %q of a secondary artifact", shorten(e.key)),
			hint:    "use letters, digits and underscores",
		})
	}
	s := secondarySection.named(artifactsSection.path("secondary-artifacts") + "." + shorten(e.key))
	n, ok := c.block(e, s.name)
	if !ok && e.value.kind != null {
		return
	}
	a := &Artifacts{ID: e.key}
	if ok {
		c.section(s, n, c.artifactReaders(s, a))
	}
	switch {
	case !ok || n.get("files") == nil:
		c.fail(e.at, complaint{
			message: s.name + " lacks the key files",
			hint:    "list the files to keep, for example files: ['**/*']",
		})
	case len(a.Files) > 0:
		c.spec.Secondary = append(c.spec.Secondary, *a)
	default:
		c.warn(e.at, complaint{
			message: s.path("files") + " is empty: this artifact keeps nothing",
			hint:    "list the files to keep, or remove it",
		})
	}
}

func (c *checker) s3Prefix(e entry, what string) {
	c.text(e, what)
	c.warn(e.at, complaint{
		message: what + " has no meaning here: Runner keeps artifacts itself, not in S3",
		hint:    "remove it",
	})
}

// artifactType is a leftover of version 0.1: zip was its only value.
func (c *checker) artifactType(e entry, what string) {
	text, ok := c.text(e, what)
	switch {
	case !ok:
	case strings.EqualFold(text, "zip"):
		c.warn(e.at, complaint{
			message: what + " has no meaning here: artifacts can be downloaded as zip and as tar",
			hint:    "remove it",
		})
	default:
		c.fail(e.value.at, complaint{
			message: fmt.Sprintf("%s must be zip, but this is %s", what, e.value.found()),
			hint:    "remove it: artifacts can be downloaded as zip and as tar",
		})
	}
}
