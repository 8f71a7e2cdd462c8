package buildspec

import (
	"errors"
	"fmt"
	"strings"

	yaml "github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// read makes the tree of a text, telling what is doubtful to the report. The root is nil where the text says
// nothing at all.
func read(rep *report) (root *node, err *Error) {
	src := rep.src
	// The YAML library is large and its input is a stranger's. A panic in it becomes an answer.
	defer func() {
		if p := recover(); p != nil {
			root, err = nil, src.refuse(mark{}, complaint{
				message: fmt.Sprintf("the YAML reader gave up on this file (%v)", p),
				hint:    "simplify the YAML; please report the file as a bug of Runner",
			})
		}
	}()
	if err := checkText(src); err != nil {
		return nil, err
	}
	tokens, stand := scanMended(src)
	if err := checkTokens(src, tokens); err != nil {
		return nil, err
	}
	if err := checkWhiteSpace(src, tokens); err != nil {
		return nil, err
	}
	file, parseErr := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if parseErr != nil {
		return nil, syntaxError(src, parseErr)
	}
	body, err := onlyDocument(src, file)
	if err != nil || body == nil {
		return nil, err
	}
	c := &converter{report: rep, anchors: map[string]*node{}, stand: stand, open: openBlock(src, tokens)}
	return c.node(body, mark{line: 1, col: 1}), nil
}

// endMark is what to put behind a text. The scanner loses the place of a text of several lines that ends with the
// file, fails over empty lines below it, and misreads the last character of a block without a line end. A comment
// there makes the text end like any other.
func endMark(text string) string {
	if strings.HasSuffix(text, "\n") {
		return "#\n"
	}
	return "\n#\n"
}

// openBlock is the text of a block that the end of the file ends in the middle of a line, nil if there is none:
// endMark gives it a line end that it does not have.
func openBlock(src *source, tokens token.Tokens) *token.Token {
	if strings.TrimSpace(src.lines[len(src.lines)-1]) == "" {
		return nil
	}
	for i := len(tokens) - 1; i >= 0; i-- {
		if tokens[i].Type != token.CommentType {
			if inBlock(tokens, i) {
				return tokens[i]
			}
			return nil
		}
	}
	return nil
}

// onlyDocument is the file's one document, nil if it has none.
func onlyDocument(src *source, file *ast.File) (ast.Node, *Error) {
	var body ast.Node
	for _, doc := range file.Docs {
		if doc == nil || doc.Body == nil {
			continue
		}
		switch doc.Body.(type) {
		case *ast.DirectiveNode, *ast.CommentGroupNode:
			continue
		}
		if body != nil {
			at := doc.Body.GetToken()
			if doc.Start != nil {
				at = doc.Start
			}
			return nil, src.refuse(place(src, at), complaint{
				message: `a second YAML document begins here, and a buildspec is one`,
				hint:    `remove the "---" line, or keep the second document in a file of its own`,
			})
		}
		body = doc.Body
	}
	return body, nil
}

// syntaxError makes the parser's error an answer.
func syntaxError(src *source, err error) *Error {
	var ye yaml.Error
	if !errors.As(err, &ye) || ye.GetToken() == nil {
		return src.refuse(mark{}, complaint{message: "this is not YAML: " + err.Error()})
	}
	at, c := explain(src, ye.GetToken(), ye.GetMessage())
	return src.refuse(at, c)
}
