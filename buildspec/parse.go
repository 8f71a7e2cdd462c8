package buildspec

import "fmt"

// Parse reads and checks a buildspec. file is its name in messages. The error is always an *Error, which holds
// everything that is wrong, not only the first; what is only doubtful is in Spec.Warnings.
func Parse(file string, data []byte) (*Spec, error) {
	src, err := newSource(file, data)
	if err != nil {
		return nil, err
	}
	rep := newReport(src)
	root, readErr := read(rep)
	if readErr != nil {
		return nil, readErr
	}
	if rep.failed() {
		return nil, rep.err() // what aliases and tags left out would look like further mistakes
	}
	c := &checker{report: rep, spec: &Spec{File: file, src: src}}
	c.root(root)
	if err := rep.err(); err != nil {
		return nil, err
	}
	c.spec.Warnings = rep.problems()
	return c.spec, nil
}

// root checks the top level.
func (c *checker) root(n *node) {
	start := mark{line: 1, col: 1}
	const example = "begin with: version: 0.2, then phases: with build: and its commands:"
	switch {
	case n == nil || n.kind == null:
		c.fail(start, complaint{message: "this file is empty, and a buildspec has at least version and phases", hint: example})
		return
	case n.kind != mapping:
		c.fail(n.at, complaint{
			message: fmt.Sprintf("a buildspec must be a mapping of keys, but this is %s", n.found()),
			hint:    example,
		})
		return
	}
	readers := map[string]func(entry){
		"version": c.version, "env": c.env, "phases": c.phases, "artifacts": c.artifacts, "batch": c.batch,
	}
	c.section(topSection, n, readers)
	if n.get("version") == nil {
		c.fail(n.at, complaint{message: "the key version is missing", hint: "add the line: version: 0.2"})
	}
	if n.get("phases") == nil {
		c.fail(n.at, complaint{
			message: "the key phases is missing, so there is nothing to run",
			hint:    "add phases: with build: and its commands: as a list",
		})
	}
}

// version refuses every language but 0.2.
func (c *checker) version(e entry) {
	text, ok := c.text(e, "version")
	if !ok {
		if e.value.kind == null {
			c.fail(e.at, complaint{message: "version has no value", hint: "write version: 0.2"})
		}
		return
	}
	switch text {
	case "0.2":
		c.spec.Version = text
	case "0.1":
		c.fail(e.value.at, complaint{
			message: "version 0.1 is not supported by this release",
			hint:    "write version: 0.2; environment_variables.plaintext becomes env.variables, and all commands share one shell",
		})
	default:
		c.fail(e.value.at, complaint{
			message: fmt.Sprintf("version %q is unknown, expected 0.2", shorten(text)),
			hint:    "write version: 0.2",
		})
	}
}
