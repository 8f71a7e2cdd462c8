package buildspec

import "fmt"

// kind is what a node is.
type kind int

const (
	null kind = iota
	scalar
	list
	mapping
)

// node is a value of the YAML tree with aliases, merge keys and tags resolved. A node that an alias names is shared
// by all who name it and must not be changed.
type node struct {
	kind    kind
	at      mark
	text    string // a scalar as it was written, quotes and escapes resolved
	plain   bool   // a scalar without quotes, or a null that is not written at all
	items   []*node
	entries []entry
	size    int // nodes in it, itself included, each alias counted again
}

// entry is one key of a mapping with its value.
type entry struct {
	key    string
	at     mark
	value  *node
	merged bool // it came by a merge key
}

// found names a node's kind in a message: "… but this is a list".
func (n *node) found() string {
	switch n.kind {
	case scalar:
		return fmt.Sprintf("the text %q", shorten(n.text))
	case list:
		return "a list"
	case mapping:
		if len(n.entries) > 0 {
			return fmt.Sprintf("a mapping (key %q)", shorten(n.entries[0].key))
		}
		return "a mapping"
	default:
		return "empty"
	}
}

// get is the value of a key, nil when there is none.
func (n *node) get(key string) *node {
	for _, e := range n.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// shorten cuts a text that a message repeats, and shows signs for what a terminal would obey.
func shorten(text string) string {
	const most = 60
	runes := []rune(text)
	if len(runes) > most {
		return shown(runes[:most]) + cut
	}
	return shown(runes)
}
