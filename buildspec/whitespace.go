package buildspec

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// The YAML library goes wrong over tabs, and over some texts of several lines. What it would misread without a word
// is mended here, or refused.

var (
	tabbed = complaint{
		message: "a tab indents this line, and YAML allows only spaces there",
		note:    "this is a tab",
		hint:    "indent with spaces",
	}
	tabQuoted = complaint{
		message: "from here on, the tabs inside quotes are too many, or in too long a text, to be read",
		hint:    `write \t for them, or use single quotes`,
	}
)

// checkWhiteSpace refuses a line that a tab indents, which the library reads with the wrong depth, and a tab inside
// quotes that was not mended. Lines inside a block or a quoted text are no token's beginning
// and keep their tabs.
func checkWhiteSpace(src *source, tokens token.Tokens) *Error {
	last := 0
	for i, tk := range tokens {
		at := place(src, tk)
		if bareTab(tk) {
			at.width = 1
			return src.refuse(at, tabQuoted)
		}
		if at.line <= last || inBlock(tokens, i) || tk.Type == token.CommentType || src.json() {
			continue
		}
		last = at.line
		if tab, ok := tabIndent(src.line(at.line)); ok && tab < at.col {
			return src.refuse(mark{line: at.line, col: tab, width: 1}, tabbed)
		}
	}
	return nil
}

// tabIndent is the column of the first tab in a line's indentation.
func tabIndent(line string) (int, bool) {
	spaces := len(line) - len(strings.TrimLeft(line, " "))
	if spaces < len(line) && line[spaces] == '\t' {
		return spaces + 1, true
	}
	return 0, false
}

// inBlock tells whether a token is the text of a block scalar, whose place is that of its last line. A comment may
// stand behind the block's | or >.
func inBlock(tokens token.Tokens, i int) bool {
	for i--; i >= 0 && tokens[i].Type == token.CommentType; i-- {
	}
	return i >= 0 && (tokens[i].Type == token.LiteralType || tokens[i].Type == token.FoldedType)
}

// plainText is a string's text. In single quotes, the library drops spaces and keeps line ends behind a quote that
// begins a line. In a plain one the library drops tabs, and if a line of it begins with a dash, keeps
// line ends and comments. So the text is made anew of what stands in the file. A plain text cannot hold a # behind
// white space: what follows one is a comment, and text below that is a mistake, which would be lost.
func (c *converter) plainText(n *ast.StringNode) string {
	tk := n.GetToken()
	if tk.Type == token.SingleQuoteType && strings.Contains(tk.Origin, "\n") {
		return foldQuoted(tk)
	}
	if tk.Type != token.StringType {
		return n.Value
	}
	text := n.Value
	if strings.ContainsAny(strings.TrimSpace(tk.Origin), "\t\n") {
		text = fold(tk.Origin)
	}
	kept := beforeComment(text)
	if kept == text {
		return text
	}
	if line := belowComment(tk.Origin); line != "" {
		c.fail(place(c.src, tk), complaint{
			message: fmt.Sprintf("a comment ends this text, and %q below it belongs to nothing", shorten(line)),
			hint:    "move the comment, or write the text below - |",
		})
	}
	return kept
}

// fold makes one line of a plain text over several, as YAML does: a line end is a space, an empty line a line end.
func fold(origin string) string {
	const white = " \t"
	var b strings.Builder
	empty := 0
	for line := range strings.SplitSeq(strings.Trim(origin, white+"\n"), "\n") {
		line = strings.Trim(line, white)
		switch {
		case line == "":
			empty++
			continue
		case empty > 0:
			b.WriteString(strings.Repeat("\n", empty))
		case b.Len() > 0:
			b.WriteString(" ")
		}
		b.WriteString(line)
		empty = 0
	}
	return b.String()
}

// beforeComment is a plain text up to the comment in it.
func beforeComment(text string) string {
	for i := range len(text) - 1 {
		if text[i+1] == '#' && strings.IndexByte(" \t\n", text[i]) >= 0 {
			return strings.TrimRight(text[:i], " \t\n")
		}
	}
	return text
}

// belowComment is the first line of text below a line with a comment, "" if there is none.
func belowComment(origin string) string {
	commented := false
	for line := range strings.SplitSeq(origin, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#"), !commented && beforeComment(line) != line:
			commented = true
		case commented && line != "":
			return line
		}
	}
	return ""
}
