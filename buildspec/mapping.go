package buildspec

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
)

// mappingPlace is where a mapping begins: its "{", or its first key.
func (c *converter) mappingPlace(n *ast.MappingNode) mark {
	if n.IsFlowStyle || len(n.Values) == 0 {
		return place(c.src, n.GetToken())
	}
	return c.keyPlace(n.Values[0])
}

func (c *converter) keyPlace(v *ast.MappingValueNode) mark {
	if v.Key == nil || v.Key.GetToken() == nil {
		return place(c.src, v.GetToken())
	}
	return place(c.src, v.Key.GetToken())
}

// builder gathers the entries of one mapping.
type builder struct {
	*converter
	to    *node
	index map[string]int // into to.entries
}

// mapping converts a mapping: a key that is repeated is told and its last value wins; a merge key gives the keys
// that the mapping itself does not have, wherever it stands.
func (c *converter) mapping(values []*ast.MappingValueNode, at mark) *node {
	b := &builder{converter: c, to: &node{kind: mapping, at: at, size: 1}, index: map[string]int{}}
	merges := 0
	for _, v := range values {
		keyAt := c.keyPlace(v)
		if v.Key != nil && v.Key.IsMergeKey() {
			if merges++; merges == 2 {
				c.warn(keyAt, complaint{
					message: `the merge key "<<" is repeated: all are merged, and the first wins where they overlap`,
					hint:    "name them in one list: <<: [*one, *two]",
				})
			}
			b.merge(c.node(v.Value, keyAt), keyAt)
			continue
		}
		key, ok := c.key(v.Key, keyAt)
		value := c.node(v.Value, keyAt)
		if ok {
			b.set(entry{key: key, at: keyAt, value: value})
		}
	}
	for _, e := range b.to.entries {
		b.to.size += 1 + e.value.size
	}
	return b.to
}

// key is the text of a key.
func (c *converter) key(k ast.MapKeyNode, at mark) (string, bool) {
	var n ast.Node = k
	if explicit, ok := k.(*ast.MappingKeyNode); ok {
		n = explicit.Value
	}
	key := c.node(n, at)
	if key.kind != scalar {
		c.fail(at, complaint{
			message: fmt.Sprintf("a key must be text, but this is %s", key.found()),
			hint:    `write "key: value"`,
		})
		return "", false
	}
	return key.text, true
}

// set adds an entry. What a merge key gave gives way; what is repeated is told.
func (b *builder) set(e entry) {
	i, ok := b.index[e.key]
	if !ok {
		b.index[e.key] = len(b.to.entries)
		b.to.entries = append(b.to.entries, e)
		return
	}
	if old := b.to.entries[i]; !old.merged {
		b.warn(e.at, complaint{
			message: fmt.Sprintf("the key %q is repeated: its value on line %d is ignored, the last one wins", shorten(e.key), old.at.line),
			hint:    "remove one of the two",
		})
	}
	b.to.entries[i] = e
}

// merge takes over the entries of a merge key's value: a mapping, or a list of them of which the first wins.
func (b *builder) merge(from *node, at mark) {
	switch from.kind {
	case mapping:
		for _, e := range from.entries {
			if _, ok := b.index[e.key]; !ok {
				e.merged = true
				b.set(e)
			}
		}
	case list:
		for _, item := range from.items {
			if item.kind != mapping {
				b.notMergeable(item, item.at)
				continue
			}
			b.merge(item, at)
		}
	default:
		b.notMergeable(from, at)
	}
}

func (b *builder) notMergeable(n *node, at mark) {
	if b.full {
		return
	}
	b.fail(at, complaint{
		message: fmt.Sprintf(`the merge key "<<" takes a mapping or a list of mappings, but this is %s`, n.found()),
		hint:    "write <<: *name, where &name stands before a mapping",
	})
}
