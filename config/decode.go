package config

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// decoder lays YAML nodes over Go values, remembers where each came from, and collects what is wrong.
type decoder struct {
	file       string
	lines      []string
	problems   Problems
	unreadable bool                // no use in checking values
	at         map[string]position // of each value seen, by path: "projects[0].url"
	bad        map[string]bool     // paths that have a problem already
	anchors    map[string]ast.Node
	literals   []string // values written where a reference to a secret belongs
}

func newDecoder(file string, data []byte) *decoder {
	return &decoder{
		file: file, lines: strings.Split(string(data), "\n"),
		at: map[string]position{}, bad: map[string]bool{}, anchors: map[string]ast.Node{},
	}
}

// root decodes the whole file.
func (d *decoder) root(n ast.Node, c *Config) { d.value("", n, reflect.ValueOf(c).Elem(), "") }

// value decodes one node. unit is the struct tag that says how an integer is written.
func (d *decoder) value(path string, n ast.Node, v reflect.Value, unit string) {
	n = d.follow(path, n, 0)
	if n == nil {
		return
	}
	d.at[path] = positionOf(n)
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(path, n, v)
	case reflect.Slice:
		d.list(path, n, v)
	case reflect.Map:
		d.variables(path, n, v)
	case reflect.Pointer: // a setting that can be zero and can be missing
		v.Set(reflect.New(v.Type().Elem()))
		d.scalar(path, n, v.Elem(), unit)
	default:
		d.scalar(path, n, v, unit)
	}
}

// follow looks behind anchors and aliases.
func (d *decoder) follow(path string, n ast.Node, depth int) ast.Node {
	switch n := n.(type) {
	case *ast.AnchorNode:
		if n.Name != nil && n.Value != nil && depth < 8 {
			d.anchors[n.Name.GetToken().Value] = n.Value
			return d.follow(path, n.Value, depth+1)
		}
	case *ast.AliasNode:
		if n.Value != nil && depth < 8 {
			if target := d.anchors[n.Value.GetToken().Value]; target != nil {
				return d.follow(path, target, depth+1)
			}
		}
		d.wrong(path, n, "this alias refers to no anchor above it", "")
		return nil
	case *ast.TagNode:
		d.wrong(path, n, "YAML tags have no meaning here", "remove "+clip(n.Start.Value))
		return nil
	}
	return n
}

// mapping decodes a struct. Every key that the struct does not have is a problem.
func (d *decoder) mapping(path string, n ast.Node, v reflect.Value) {
	values, ok := entries(n)
	if !ok {
		d.wrongType(path, n, "a mapping (key: value)")
		return
	}
	for _, entry := range values {
		key, ok := d.key(path, entry)
		if !ok {
			continue
		}
		field := slices.Index(keysOf(v.Type()), key)
		if field < 0 {
			d.add(entry.Key.GetToken(), len(key), fmt.Sprintf("unknown key %q%s", clip(key), in(path)), suggestKey(key, v.Type()))
			continue
		}
		d.value(join(path, key), entry.Value, v.Field(field), v.Type().Field(field).Tag.Get("unit"))
	}
}

// key returns the text of an entry's key. Merge keys and keys that are no text are problems.
func (d *decoder) key(path string, entry *ast.MappingValueNode) (string, bool) {
	tok := entry.Key.GetToken()
	switch entry.Key.(type) {
	case *ast.MergeKeyNode:
		d.add(tok, 2, "merge keys are not supported"+in(path), "repeat the settings, or set them for all projects under limits")
		return "", false
	case *ast.MappingKeyNode, *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		d.add(tok, 1, "a key must be plain text"+in(path), "")
		return "", false
	}
	if s, ok := entry.Key.(*ast.StringNode); ok {
		return s.Value, true
	}
	return tok.Value, true
}

func (d *decoder) list(path string, n ast.Node, v reflect.Value) {
	var values []ast.Node
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.SequenceNode:
		values = n.Values
	default:
		d.wrongType(path, n, "a list (lines that begin with -)")
		return
	}
	out := reflect.MakeSlice(v.Type(), 0, len(values))
	for i, item := range values {
		e := reflect.New(v.Type().Elem()).Elem()
		at := fmt.Sprintf("%s[%d]", path, i)
		if item = d.follow(at, item, 0); item == nil {
			continue
		}
		d.value(at, item, e, "")
		if _, empty := item.(*ast.NullNode); empty {
			d.wrong(at, item, "this entry of "+path+" is empty", "fill it in, or remove the -")
		}
		out = reflect.Append(out, e)
	}
	v.Set(out)
}

// variables decodes what has names of its user's: env, whose values are taken as they are written ("3.10" stays "3.10"), and
// mappings.
func (d *decoder) variables(path string, n ast.Node, v reflect.Value) {
	values, ok := entries(n)
	if !ok {
		d.wrongType(path, n, "a mapping (NAME: value)")
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(values))
	for _, entry := range values {
		if key, ok := d.key(path, entry); ok {
			text := reflect.New(v.Type().Elem()).Elem() // text, a reference to a secret, or settings
			d.value(join(path, key), entry.Value, text, "")
			out.SetMapIndex(reflect.ValueOf(key), text)
		}
	}
	v.Set(out)
}

// scalar decodes text, numbers, booleans, durations and sizes.
func (d *decoder) scalar(path string, n ast.Node, v reflect.Value, unit string) {
	text, ok := written(n)
	if _, isNull := n.(*ast.NullNode); isNull {
		d.wrong(path, n, path+" has no value", "give it one, or remove the line")
		return
	}
	if !ok {
		d.wrongType(path, n, expected(v, unit))
		return
	}
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		if t, err := ParseDuration(text); err != nil {
			d.wrong(path, n, fmt.Sprintf("%s must be a duration, but %s", path, clip(err.Error())), "write 90s, 60m, 1h30m or 30d")
		} else {
			v.SetInt(int64(t))
		}
	case unit == "bytes":
		if b, err := ParseSize(text); err != nil {
			d.wrong(path, n, fmt.Sprintf("%s must be a size, but %s", path, clip(err.Error())), "write 512MiB, 4GiB or 2GB")
		} else {
			v.SetInt(b)
		}
	case v.Kind() == reflect.Bool:
		b, isBool := n.(*ast.BoolNode)
		if !isBool {
			d.wrongType(path, n, "true or false")
			return
		}
		v.SetBool(b.Value)
	case v.Kind() == reflect.Int, v.Kind() == reflect.Int64:
		i, err := strconv.ParseInt(text, 10, 64)
		if _, isInt := n.(*ast.IntegerNode); !isInt || err != nil {
			d.wrongType(path, n, "a whole number")
			return
		}
		v.SetInt(i)
	case v.Kind() == reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			d.wrongType(path, n, "a number")
			return
		}
		v.SetFloat(f)
	default:
		v.SetString(text)
		if s, ok := v.Interface().(Secret); ok && s.Check() != nil && !strings.HasPrefix(text, "file:") {
			d.literals = append(d.literals, text)
		}
	}
}

func expected(v reflect.Value, unit string) string {
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		return "a duration (60m)"
	case unit == "bytes":
		return "a size (4GiB)"
	case v.Kind() == reflect.String:
		return "text"
	case v.Kind() == reflect.Bool:
		return "true or false"
	}
	return "a number"
}

// entries returns the entries of a mapping; an empty one may be written as nothing at all.
func entries(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	case *ast.NullNode:
		return nil, true
	}
	return nil, false
}

// written returns a scalar as it was written, less its quotes.
func written(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func (d *decoder) wrongType(path string, n ast.Node, want string) {
	what := path
	if what == "" {
		what = "the file"
	}
	d.wrong(path, n, fmt.Sprintf("%s must be %s, but this is %s", what, want, kind(n)), "")
}

// kind names a node as people do.
func kind(n ast.Node) string {
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "empty"
	case *ast.StringNode:
		return fmt.Sprintf("%q", clip(n.Value))
	case *ast.LiteralNode:
		return "a block of text"
	}
	return clip(n.GetToken().Value)
}

// wrong adds a problem about the value at path, and keeps check from adding another about the same value.
func (d *decoder) wrong(path string, n ast.Node, message, hint string) {
	d.bad[path] = true
	p := positionOf(n)
	d.add(p.token, p.width, message, hint)
}

// addAt adds what check found, at the value or, where that is missing, at what should hold it.
func (d *decoder) addAt(e FieldError) {
	for path := e.Field; ; path = path[:max(strings.LastIndexAny(path, ".["), 0)] {
		if d.bad[path] && path != "" {
			return
		}
		if p, ok := d.at[path]; ok || path == "" {
			d.add(p.token, p.width, e.Field+": "+e.Message, e.Hint)
			return
		}
	}
}

func (d *decoder) add(tok *token.Token, width int, message, hint string) {
	p := Problem{File: d.file, Message: message, Hint: hint}
	if tok != nil && tok.Position != nil {
		p.Line, p.Column, p.width = tok.Position.Line, tok.Position.Column, width
	}
	d.problems = append(d.problems, p)
}

// finish puts the problems into the file's order and gives them their excerpts, in which no secret shows.
func (d *decoder) finish() Problems {
	slices.SortStableFunc(d.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	lines := mask(d.lines, d.literals)
	for i := range d.problems {
		p := &d.problems[i]
		p.Excerpt = excerpt(lines, p.Line, p.Column, p.width)
	}
	return d.problems
}

// positionOf returns where a node begins: of a mapping its first key, not the colon behind it.
func positionOf(n ast.Node) position {
	switch m := n.(type) {
	case *ast.MappingNode:
		if len(m.Values) > 0 && !m.IsFlowStyle {
			n = m.Values[0].Key
		}
	case *ast.MappingValueNode:
		n = m.Key
	}
	tok := n.GetToken()
	if tok == nil {
		return position{}
	}
	first, _, _ := strings.Cut(strings.TrimSpace(tok.Value), "\n")
	return position{tok, max(1, utf8.RuneCountInString(first))}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func in(path string) string {
	if path == "" {
		return ""
	}
	return " in " + path
}
