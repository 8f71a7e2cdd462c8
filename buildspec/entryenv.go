package buildspec

import (
	"fmt"
	"slices"
	"strings"
)

// entryEnv is what a job of a batch changes in its environment.
func (c *checker) entryEnv(e entry, what string, to *EntryEnv) {
	n, ok := c.block(e, what)
	if !ok {
		return
	}
	s := entryEnvSection.named(what)
	c.section(s, n, map[string]func(entry){
		"compute-type":    func(e entry) { to.ComputeType = c.computeType(e, s.path(e.key)) },
		"fleet":           func(e entry) { to.Fleet = c.fleet(e, s, n) },
		"image":           func(e entry) { to.Image = c.image(e, s.path(e.key), "the image of the file or the project is used") },
		"privileged-mode": func(e entry) { to.PrivilegedMode = c.flag(e, s.path(e.key)) },
		"type":            func(e entry) { to.Type = c.envType(e, s.path(e.key)) },
		"variables":       func(e entry) { to.Variables = c.variables(e, s.path(e.key)) },
	})
}

// fleet is accepted without effect; beside a compute-type it is a mistake, as in CodeBuild.
func (c *checker) fleet(e entry, s section, n *node) string {
	text, ok := c.text(e, s.path("fleet"))
	if !ok {
		return ""
	}
	if other := n.get("compute-type"); other != nil && other.kind != null {
		c.fail(e.at, complaint{
			message: s.name + " has both fleet and compute-type, and can have one of them",
			hint:    "remove fleet: it has no effect here",
		})
		return text
	}
	c.warn(e.at, complaint{
		message: s.path("fleet") + " has no effect here: there are no reserved fleets",
		hint:    "write compute-type: for the size of the job",
	})
	return text
}

// computeType is one of CodeBuild's names for the size of a machine, "" where nothing is said.
func (c *checker) computeType(e entry, what string) string {
	text, ok := c.text(e, what)
	if !ok {
		return ""
	}
	return c.computeName(e.value, what, text)
}

func (c *checker) computeName(n *node, what, text string) string {
	name := strings.ToUpper(text)
	if _, ok := ComputeOf(name); ok {
		return name
	}
	hint := "write one of " + strings.Join(computeNames(), ", ")
	if near := nearest(text, computeNames()); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	}
	c.fail(n.at, complaint{message: fmt.Sprintf("%s must be a compute type, but this is %s", what, n.found()), hint: hint})
	return ""
}

// envType is a kind of machine, "" where nothing is said.
func (c *checker) envType(e entry, what string) string {
	text, ok := c.text(e, what)
	if !ok {
		return ""
	}
	return c.envTypeName(e.value, what, text)
}

func (c *checker) envTypeName(n *node, what, text string) string {
	name := strings.ToUpper(text)
	if ForeignType(name) {
		c.warn(n.at, complaint{
			message: fmt.Sprintf("%s is %s, and jobs run on Linux: a job of this type is refused here", what, shorten(text)),
			hint:    "build it with CodeBuild, or remove it; with ignore-failure: true the build can succeed without it",
		})
		return name
	}
	if slices.Contains(envTypes, name) {
		return name
	}
	hint := "write one of " + strings.Join(envTypes, ", ")
	if near := nearest(text, envTypes); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	}
	c.fail(n.at, complaint{message: fmt.Sprintf("%s must be an environment type, but this is %s", what, n.found()), hint: hint})
	return ""
}
