package buildspec

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// maxNodes bounds the tree after its aliases are expanded: ten aliases to ten aliases to … is a bomb of a few lines.
const maxNodes = 100_000

// converter makes our tree from the library's. Places in which a node has no text of its own are told as those of
// what holds it.
type converter struct {
	*report
	anchors map[string]*node
	nodes   int
	full    bool         // maxNodes was passed, and told
	stand   rune         // stands for a tab in the texts, 0 if nothing does
	open    *token.Token // the text of a block that ends with the file, without a line end
}

// spend counts nodes against the bound.
func (c *converter) spend(n int, at mark) bool {
	c.nodes += n
	if c.nodes <= maxNodes {
		return true
	}
	if !c.full {
		c.full = true
		c.fail(at, complaint{
			message: fmt.Sprintf("aliases make this file longer than %d values", maxNodes),
			hint:    "name fewer anchors inside one another",
		})
	}
	return false
}

// node converts one value. at is where to point when it has no place of its own.
func (c *converter) node(n ast.Node, at mark) *node {
	if n == nil || !c.spend(1, at) {
		return &node{at: at, plain: true, size: 1}
	}
	switch n := n.(type) {
	case *ast.NullNode:
		return c.null(n, at)
	case *ast.StringNode:
		return c.scalar(n.GetToken(), c.plainText(n))
	case *ast.LiteralNode:
		head := place(c.src, n.Start)
		text := c.blockText(n.Value.Value, n.Start.Type == token.FoldedType, head)
		if c.open != nil && n.Value.GetToken() == c.open {
			text = strings.TrimSuffix(text, "\n")
		}
		return c.checked(&node{kind: scalar, at: head, text: text, size: 1})
	case *ast.MappingNode:
		return c.mapping(n.Values, c.mappingPlace(n))
	case *ast.MappingValueNode:
		return c.mapping([]*ast.MappingValueNode{n}, c.keyPlace(n))
	case *ast.SequenceNode:
		return c.list(n)
	case *ast.AnchorNode:
		value := c.node(n.Value, place(c.src, n.GetToken()))
		c.anchors[nameOf(n.Name)] = value
		return value
	case *ast.AliasNode:
		return c.alias(n)
	case *ast.TagNode:
		return c.tag(n)
	case ast.ScalarNode: // numbers, booleans and the like, which stay text
		return c.scalar(n.GetToken(), n.GetToken().Value)
	}
	c.fail(at, complaint{
		message: fmt.Sprintf("YAML of the kind %q has no meaning in a buildspec", n.Type()),
		hint:    "use lists, mappings and text",
	})
	return &node{at: at, size: 1}
}

func (c *converter) null(n *ast.NullNode, at mark) *node {
	if tk := n.GetToken(); tk != nil && tk.Type == token.NullType {
		return &node{at: place(c.src, tk), size: 1}
	}
	return &node{at: at, plain: true, size: 1}
}

func (c *converter) scalar(tk *token.Token, text string) *node {
	quoted := tk.Type == token.SingleQuoteType || tk.Type == token.DoubleQuoteType
	return c.checked(&node{kind: scalar, at: place(c.src, tk), text: text, plain: !quoted, size: 1})
}

// checked puts back the tabs of a text, and refuses one that holds a NUL, which an escape can make and which no
// environment, path or command can carry.
func (c *converter) checked(n *node) *node {
	if c.stand != 0 {
		n.text = strings.ReplaceAll(n.text, string(c.stand), "\t")
	}
	if strings.ContainsRune(n.text, 0) {
		c.fail(n.at, complaint{
			message: `this text holds a NUL character ("\0")`,
			hint:    "remove it; commands, paths and variables cannot hold one",
		})
	}
	return n
}

func (c *converter) list(n *ast.SequenceNode) *node {
	l := &node{kind: list, at: place(c.src, n.GetToken()), size: 1}
	for i, item := range n.Values {
		at := l.at
		if i < len(n.Entries) && n.Entries[i] != nil && n.Entries[i].Start != nil {
			at = place(c.src, n.Entries[i].Start)
		}
		value := c.node(item, at)
		l.items = append(l.items, value)
		l.size += value.size
	}
	return l
}

func (c *converter) alias(n *ast.AliasNode) *node {
	at := place(c.src, n.GetToken())
	name := nameOf(n.Value)
	value, ok := c.anchors[name]
	if !ok {
		at.width = len([]rune(name)) + 1
		c.fail(at, complaint{
			message: fmt.Sprintf("YAML reads *%s as an alias, and no anchor &%s stands before it", shorten(name), shorten(name)),
			hint:    fmt.Sprintf("a text that begins with * must be quoted: %s", quote("*"+shorten(name))),
		})
		return &node{at: at, size: 1}
	}
	if !c.spend(value.size, at) {
		return &node{at: at, size: 1}
	}
	return value
}

// tag resolves a tag: YAML's own change nothing here, because every scalar is text; others mean something to other
// programs.
func (c *converter) tag(n *ast.TagNode) *node {
	at := place(c.src, n.Start)
	value := c.node(n.Value, at)
	switch n.Start.Value {
	case "!!str", "!":
		if value.kind == null {
			return &node{kind: scalar, at: at, size: 1}
		}
		return value
	case "!!int", "!!float", "!!bool", "!!null", "!!seq", "!!map":
		return value
	}
	c.fail(at, complaint{
		message: fmt.Sprintf("the YAML tag %s has no meaning in a buildspec", shorten(n.Start.Value)),
		hint:    "remove it; a text that begins with ! must be quoted",
	})
	return value
}

// nameOf is the name that an anchor or alias gives.
func nameOf(n ast.Node) string {
	if n == nil || n.GetToken() == nil {
		return ""
	}
	return n.GetToken().Value
}
