package quarantine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Error is what is wrong in the file, with where it stands and what to do about it.
type Error struct {
	File         string
	Line, Column int // from 1; 0 when no place can be named
	Message      string
	Hint         string
	Excerpt      string // the line, with a mark below
}

// Brief is the error in one line.
func (e *Error) Brief() string {
	at := e.File
	if e.Line > 0 {
		at += fmt.Sprintf(":%d:%d", e.Line, e.Column)
	}
	return at + ": " + e.Message + "; " + e.Hint
}

func (e *Error) Error() string {
	if e.Excerpt == "" {
		return e.Brief()
	}
	return e.Brief() + "\n" + e.Excerpt
}

// reading is one file that is read.
type reading struct {
	name  string
	lines []string
}

// Parse reads the text of a file, which name is for messages. Its error is an *Error: the first thing that is wrong. A
// text that says nothing is a list without entries.
func Parse(name string, text []byte) (list List, err error) {
	r := &reading{name: name}
	defer func() {
		if p := recover(); p != nil { // what the YAML library cannot take is an answer, not a crash
			list, err = nil, r.wrong(nil, fmt.Sprintf("the YAML cannot be read: %v", p), "simplify the file until it is read")
		}
	}()
	switch {
	case len(text) > MaxBytes:
		return nil, r.wrong(nil, fmt.Sprintf("the file has %d bytes, and a quarantine has at most %d", len(text), MaxBytes), "mend some of its tests")
	case !utf8.Valid(text):
		return nil, r.wrong(nil, "the file is not UTF-8 text", "save it as UTF-8")
	}
	r.lines = strings.Split(string(text), "\n")
	if at := deep(text); at > 0 {
		return nil, &Error{File: name, Line: at, Column: 1, Message: "the YAML is nested too deeply", Hint: shape, Excerpt: r.excerpt(at, 1)}
	}
	return r.parse(text)
}

// shape says what belongs into the file.
const shape = "write a list of entries with test, owner, until and perhaps reason"

// deep returns the line in which the text is nested more deeply than a list of entries needs, 0 for none. The YAML
// library would take its time over it.
func deep(text []byte) int {
	const most = 100
	line, open, dashes := 1, 0, 0
	for _, c := range text {
		switch c {
		case '\n':
			line, dashes = line+1, 0
		case '[', '{':
			open++
		case ']', '}':
			open = max(0, open-1)
		case '-', '?', ':':
			dashes++
		}
		if open > most || dashes > maxText {
			return line
		}
	}
	return 0
}

func (r *reading) parse(text []byte) (List, error) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		var syntax yaml.Error
		if errors.As(err, &syntax) {
			return nil, r.wrong(syntax.GetToken(), "this is not YAML: "+syntax.GetMessage(), "correct it; "+shape)
		}
		return nil, r.wrong(nil, "this is not YAML: "+err.Error(), "correct it; "+shape)
	}
	var root ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case root != nil:
			return nil, r.wrong(doc.Body.GetToken(), "a second YAML document begins here", "put everything into one document")
		default:
			root = doc.Body
		}
	}
	if root == nil {
		return nil, nil
	}
	switch root := root.(type) {
	case *ast.NullNode, *ast.CommentGroupNode:
		return nil, nil
	case *ast.SequenceNode:
		return r.list(root)
	}
	return nil, r.wrong(root.GetToken(), "this is no list", shape)
}

func (r *reading) list(root *ast.SequenceNode) (List, error) {
	if len(root.Values) > MaxEntries {
		return nil, r.wrong(root.Values[MaxEntries].GetToken(), fmt.Sprintf("there are %d entries, and a quarantine has at most %d", len(root.Values), MaxEntries), "mend some of its tests, or name a whole file")
	}
	var list List
	for _, node := range root.Values {
		e, at, err := r.entry(node)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(list, func(o Entry) bool { return plain(o.Test) == plain(e.Test) }); i >= 0 {
			return nil, r.wrong(at, fmt.Sprintf("%s stands here twice, first in line %d", quoted(e.Test), list[i].Line), "remove one of the two")
		}
		list = append(list, e)
	}
	return list, nil
}

// field is a key of an entry, where its value goes, and where it stands.
type field struct {
	key string
	to  *string
	at  *token.Token
}

// entry reads one entry, and returns where its test stands.
func (r *reading) entry(node ast.Node) (e Entry, test *token.Token, err error) {
	var pairs []*ast.MappingValueNode
	switch node := node.(type) {
	case *ast.MappingNode:
		pairs = node.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{node}
	default:
		return e, nil, r.wrong(node.GetToken(), "this is no entry", shape)
	}
	if len(pairs) == 0 {
		return e, nil, r.wrong(node.GetToken(), "the entry is empty", shape)
	}
	begin := pairs[0].Key.GetToken()
	e.Line = begin.Position.Line
	fields := []field{{"test", &e.Test, nil}, {"owner", &e.Owner, nil}, {"until", &e.Until, nil}, {"reason", &e.Reason, nil}}
	for _, pair := range pairs {
		key := pair.Key.GetToken()
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == key.Value })
		switch {
		case i < 0:
			return e, nil, r.wrong(key, "unknown key "+quoted(key.Value), "the keys are test, owner, until and reason")
		case fields[i].at != nil:
			return e, nil, r.wrong(key, quoted(key.Value)+" stands twice in this entry", "remove one of the two")
		}
		if *fields[i].to, fields[i].at, err = r.value(pair); err != nil {
			return e, nil, err
		}
	}
	for _, f := range fields[:3] {
		if f.at == nil {
			return e, nil, r.wrong(begin, "the entry has no "+f.key, "add it: every entry has a test, an owner who mends it, and an end")
		}
	}
	switch {
	case strings.Trim(e.Test, "*?/:. ") == "":
		return e, nil, r.wrong(fields[0].at, quoted(e.Test)+" names every test", "name a test, a file or a package, or a pattern with part of its name")
	case !isDate(e.Until):
		return e, nil, r.wrong(fields[2].at, quoted(e.Until)+" is no date", "write the last day as YYYY-MM-DD, such as "+time.Now().UTC().AddDate(0, 0, 14).Format(time.DateOnly))
	}
	return e, fields[0].at, nil
}

func isDate(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}

// value is the text of a key.
func (r *reading) value(pair *ast.MappingValueNode) (string, *token.Token, error) {
	key := pair.Key.GetToken().Value
	text, at := "", pair.Value.GetToken()
	switch node := pair.Value.(type) {
	case *ast.StringNode:
		text = node.Value
	case *ast.LiteralNode:
		text = node.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		text = at.Value
	case *ast.NullNode:
	default:
		return "", nil, r.wrong(at, key+" is no text", "write it as one text, in quotes if need be")
	}
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", nil, r.wrong(pair.Key.GetToken(), key+" is empty", "fill it in")
	case len(text) > maxText:
		return "", nil, r.wrong(at, fmt.Sprintf("%s has %d bytes, and at most %d fit", key, len(text), maxText), "shorten it")
	case strings.ContainsFunc(text, func(c rune) bool { return unicode.IsControl(c) && (c != '\n' || key != "reason") }):
		return "", nil, r.wrong(at, key+" holds a line end or another control character", "write it in one line")
	}
	return text, at, nil
}

func quoted(text string) string {
	const most = 100
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return fmt.Sprintf("%q", text)
}

func (r *reading) wrong(at *token.Token, message, hint string) error {
	e := &Error{File: r.name, Message: message, Hint: hint}
	if at != nil && at.Position != nil {
		e.Line, e.Column = at.Position.Line, at.Position.Column
		e.Excerpt = r.excerpt(e.Line, e.Column)
	}
	return e
}

// excerpt is a line of the file with a mark below a column.
func (r *reading) excerpt(line, column int) string {
	const most = 110
	if line < 1 || line > len(r.lines) {
		return ""
	}
	text := []rune(strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, r.lines[line-1]))
	text = text[:min(len(text), most)]
	return fmt.Sprintf("%4d | %s\n     | %s^", line, string(text), strings.Repeat(" ", min(max(column-1, 0), len(text))))
}
