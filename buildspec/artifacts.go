package buildspec

import (
	"fmt"
	"strings"
)

func (c *checker) artifacts(e entry) {
	n, ok := c.block(e, artifactsSection.name)
	if !ok {
		return
	}
	a := &Artifacts{}
	path := artifactsSection.path
	c.section(artifactsSection, n, map[string]func(entry){
		"files":           func(e entry) { a.Files = c.texts(e, path("files")) },
		"exclude-paths":   func(e entry) { a.ExcludePaths = c.texts(e, path("exclude-paths")) },
		"name":            func(e entry) { a.Name, _ = c.text(e, path("name")) },
		"base-directory":  func(e entry) { a.BaseDirectory, _ = c.text(e, path("base-directory")) },
		"discard-paths":   func(e entry) { a.DiscardPaths = c.flag(e, path("discard-paths")) },
		"enable-symlinks": func(e entry) { a.EnableSymlinks = c.flag(e, path("enable-symlinks")) },
		"s3-prefix":       c.s3Prefix,
		"type":            c.artifactType,
	})
	switch files := n.get("files"); {
	case files == nil:
		c.fail(e.at, complaint{
			message: "artifacts lacks the key files",
			hint:    "list the files to keep, for example files: ['**/*']; or remove artifacts",
		})
	case len(a.Files) > 0:
		c.spec.Artifacts = a
	case files.kind == null || files.kind == list && len(files.items) == 0:
		c.warn(e.at, complaint{
			message: "artifacts.files is empty: the build keeps nothing",
			hint:    "list the files to keep, or remove artifacts",
		})
	}
}

func (c *checker) s3Prefix(e entry) {
	c.text(e, artifactsSection.path(e.key))
	c.warn(e.at, complaint{
		message: "artifacts.s3-prefix has no meaning here: Runner keeps artifacts itself, not in S3",
		hint:    "remove it",
	})
}

// artifactType is a leftover of version 0.1: zip was its only value.
func (c *checker) artifactType(e entry) {
	text, ok := c.text(e, artifactsSection.path(e.key))
	switch {
	case !ok:
	case strings.EqualFold(text, "zip"):
		c.warn(e.at, complaint{
			message: "artifacts.type has no meaning here: artifacts can be downloaded as zip and as tar",
			hint:    "remove it",
		})
	default:
		c.fail(e.value.at, complaint{
			message: fmt.Sprintf("artifacts.type must be zip, but this is %s", e.value.found()),
			hint:    "remove it: artifacts can be downloaded as zip and as tar",
		})
	}
}
