package buildspec

import (
	"fmt"
	"strings"
)

// checker makes a Spec of a tree. It goes on after a mistake, so that all of them are told at once.
type checker struct {
	*report
	spec   *Spec
	places map[string]mark // of what only the whole file can judge, by path
}

// section walks a mapping key by key: each known one goes to its reader, the others are told.
func (c *checker) section(s section, n *node, readers map[string]func(entry)) {
	for _, e := range n.entries {
		e.at.width = max(1, e.at.width)
		k, ok := s.find(e.key, c.spec.Version)
		switch {
		case !ok:
			c.unknown(s, e)
		default:
			c.older(s, k, e)
			readers[e.key](e)
		}
	}
}

// older tells of a key that is younger than the file's version. It is obeyed all the same.
func (c *checker) older(s section, k key, e entry) {
	if k.newer && c.spec.Version == "0.1" {
		c.warn(e.at, complaint{
			message: fmt.Sprintf("%q %s came with version 0.2: it is obeyed here, and CodeBuild may ignore it in a file of version 0.1", k.name, s.in()),
			hint:    "write version: 0.2",
		})
	}
}

func (c *checker) unknown(s section, e entry) {
	if low := strings.ToLower(e.key); s.name == "" && (low == "version" || low == "phases") {
		return // told as what it is meant to be
	}
	hint := advise(s, e.key)
	if s.closed {
		c.fail(e.at, complaint{
			message: fmt.Sprintf("%s has no %q: its commands would never run", s.name, shorten(e.key)),
			hint:    hint,
		})
		return
	}
	c.warn(e.at, complaint{
		message: fmt.Sprintf("unknown key %q %s is ignored", shorten(e.key), s.in()),
		hint:    hint,
	})
}

// block is the value of a key that must be a mapping; null is as good as absent.
func (c *checker) block(e entry, what string) (*node, bool) {
	if e.value.kind == mapping {
		return e.value, true
	}
	if e.value.kind != null {
		c.wrong(e.value, what, mappingOfKeys)
	}
	return nil, false
}

const mappingOfKeys = "a mapping of keys"

// wrong tells that a value has the wrong type.
func (c *checker) wrong(n *node, what, expected string) {
	if n.kind == scalar && n.plain && expected == mappingOfKeys && c.withoutColon(n.at) {
		return
	}
	c.fail(n.at, complaint{
		message: fmt.Sprintf("%s must be %s, but this is %s", what, expected, n.found()),
		hint:    typeHint(n, expected),
	})
}

func typeHint(n *node, expected string) string {
	switch {
	case expected == "text" && n.kind == list:
		return "write one value; a text that begins with [ must be quoted"
	case expected == "text" && n.kind == mapping:
		return `write one value; a text that holds ": " or begins with { must be quoted`
	case expected == "a list":
		return "write one item a line, each behind a dash: - item"
	case expected == mappingOfKeys && n.kind == scalar && strings.Contains(n.text, "="):
		return `write "NAME: value" lines, with a colon and a space in place of the =`
	case expected == mappingOfKeys:
		return `write "key: value" lines below it, indented by two spaces`
	}
	return "write " + expected
}

// text is the value of a key that must be one text. Null is as good as absent, and then ok is false.
func (c *checker) text(e entry, what string) (text string, ok bool) {
	switch e.value.kind {
	case scalar:
		return e.value.text, true
	case null:
		return "", false
	}
	c.wrong(e.value, what, "text")
	return "", false
}

// flag is the value of a key that must be yes or no. CodeBuild's own examples mix both spellings, so both count
// everywhere. Null is no.
func (c *checker) flag(e entry, what string) bool {
	if e.value.kind == scalar {
		switch strings.ToLower(e.value.text) {
		case "yes", "true":
			return true
		case "no", "false":
			return false
		}
	}
	if e.value.kind != null {
		c.wrong(e.value, what, "yes or no")
	}
	return false
}

// texts are the values of a key that must be a list of texts; one text alone is a list of one, null an empty one.
func (c *checker) texts(e entry, what string) []string {
	var all []string
	for _, n := range c.items(e, what) {
		switch n.kind {
		case scalar:
			all = append(all, n.text)
		case null:
			c.warn(n.at, complaint{
				message: fmt.Sprintf("an item of %s is empty, and is ignored", what),
				hint:    "remove the dash",
			})
		default:
			c.wrong(n, "an item of "+what, "text")
		}
	}
	return all
}

// items are the values of a key that may be a list or one text.
func (c *checker) items(e entry, what string) []*node {
	switch e.value.kind {
	case list:
		return e.value.items
	case scalar:
		return []*node{e.value}
	case mapping:
		c.wrong(e.value, what, "a list")
	}
	return nil
}
