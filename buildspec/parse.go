package buildspec

import (
	"fmt"
	"strings"
)

// Parse reads and checks a buildspec. file is its name in messages. The error is always an *Error, which holds
// everything that is wrong, not only the first; what is only doubtful is in Spec.Warnings.
func Parse(file string, data []byte) (*Spec, error) {
	src, err := newSource(file, data)
	if err != nil {
		return nil, err
	}
	rep := newReport(src)
	if src.utf16 {
		rep.warn(mark{}, complaint{message: "this file is UTF-16 text, and CodeBuild may not read it", hint: "save it as UTF-8; PowerShell: Set-Content -Encoding utf8"})
	}
	root, readErr := read(rep)
	if readErr != nil {
		return nil, readErr
	}
	if e := foreign(rep, root); e != nil {
		return nil, e
	}
	if rep.failed() {
		return nil, rep.err() // what aliases and tags left out would look like further mistakes
	}
	c := &checker{report: rep, spec: &Spec{File: file, src: src}, places: map[string]mark{}}
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
	case n.kind == scalar && n.plain && c.plainCause(n.at):
		return
	case n.kind != mapping:
		c.fail(n.at, complaint{
			message: fmt.Sprintf("a buildspec must be a mapping of keys, but this is %s", n.found()),
			hint:    example,
		})
		return
	}
	c.version(n)
	c.section(topSection, n, map[string]func(entry){
		"version": func(entry) {}, // read already: the other keys depend on it
		"run-as":  func(e entry) { c.spec.RunAs = c.user(e, "run-as") },
		"env":     c.env, "environment_variables": c.oldEnv, "proxy": c.proxy,
		"phases": c.phases, "reports": c.reports, "artifacts": c.artifacts, "cache": c.cache,
		"batch": c.batch, "x-runner": c.runner,
	})
	c.together(n)
}

// together judges what several keys say of one another.
func (c *checker) together(n *node) {
	if n.get("phases") == nil {
		c.withoutPhases(n)
	}
	c.variableTwice()
	c.withoutFanout()
	c.withoutShards()
	for i := range c.spec.Phases {
		p := &c.spec.Phases[i]
		if p.RunAs == "" {
			p.RunAs = c.spec.RunAs
		}
		if p.RunAs == root {
			p.RunAs = ""
		}
	}
}

// withoutPhases judges a file that has none: every job of its batch must name another file.
func (c *checker) withoutPhases(n *node) {
	if other := otherCase(n, "phases"); other != nil {
		c.wrongCase(*other, "phases")
		return
	}
	c.spec.noPhases = true
	for _, k := range phasesSection.keys {
		c.spec.Phases = append(c.spec.Phases, Phase{Name: strings.ToUpper(k.name)})
	}
	if b := c.spec.Batch; b != nil && b.Fanout == nil {
		at, who, bare := b.withoutFile()
		if !bare {
			return
		}
		if who != "" {
			c.fail(at, complaint{
				message: who + " no buildspec, and this file has no phases to run",
				hint:    "add buildspec: with the path of a file, or add phases: to this one",
			})
			return
		}
	}
	c.fail(n.at, complaint{
		message: "the key phases is missing, so there is nothing to run",
		hint:    "add phases: with build: and its commands: as a list",
	})
}

// version reads the language's version, on which the meaning of other keys depends.
func (c *checker) version(n *node) {
	var e entry
	for _, e = range n.entries {
		if e.key == "version" {
			break
		}
	}
	if other := otherCase(n, "version"); e.key != "version" && other != nil {
		c.wrongCase(*other, "version")
		return
	}
	if e.key != "version" && onlyBatch(n) {
		c.warn(n.at, complaint{message: "the key version is missing: 0.2 is assumed for a file that holds only a batch", hint: "add the line: version: 0.2"})
		c.spec.Version = "0.2"
		return
	}
	if e.key != "version" {
		c.fail(n.at, complaint{message: "the key version is missing", hint: "add the line: version: 0.2"})
		return
	}
	e.at.width = max(1, e.at.width)
	text, ok := c.text(e, "version")
	if !ok {
		if e.value.kind == null {
			c.fail(e.at, complaint{message: "version has no value", hint: "write version: 0.2"})
		}
		return
	}
	if text != "0.1" && text != "0.2" {
		c.fail(e.value.at, complaint{
			message: fmt.Sprintf("version %q is unknown, expected 0.2 or 0.1", shorten(text)),
			hint:    "write version: 0.2",
		})
		return
	}
	c.spec.Version = text
}
