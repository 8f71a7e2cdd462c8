package buildspec

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// explain says in a user's words what the YAML parser could not read, and where. Its own messages are about its
// grammar; the mistakes that people make in buildspecs are few.
func explain(src *source, tk *token.Token, message string) (mark, complaint) {
	at := place(src, tk)
	if tab, ok := tabIndent(src.line(at.line)); ok && tab <= at.col && !src.json() {
		return mark{line: at.line, col: tab, width: 1}, tabbed
	}
	if where, c, ok := cause(src, at.line); ok {
		return where, c
	}
	has := func(part string) bool { return strings.Contains(message, part) }
	switch {
	case has("could not find end character of"):
		return mark{line: at.line, col: at.col, width: 1}, complaint{
			message: "this quote is never closed",
			hint:    `close it; inside double quotes write \" for a quote, inside single quotes ''`,
		}
	case has("is a reserved character"), has("unexpected directive value"):
		return mark{line: at.line, col: at.col, width: 1}, complaint{
			message: fmt.Sprintf("a value cannot begin with %s without quotes", shorten(strings.TrimSpace(tk.Value))),
			hint:    contextHint(src, at.line),
		}
	case has("must be specified"), has("sequence end token"), has("flow mapping end"), has("flow map content"):
		return at, complaint{
			message: "a list in [ ] or a mapping in { } is not closed, or lacks a comma, before this",
			hint:    `close it; a text that begins with [ or { must be quoted`,
		}
	case has("mapping value is not allowed"):
		return explainKey(src, tk, at)
	case has("unknown escape character"):
		return unknownEscape(src, at, message)
	case has("block sequence entries are not allowed"):
		return at, complaint{
			message: "a list cannot begin here, on the line of its key",
			hint:    "write the dash on a line of its own; a text that begins with a dash and a space must be quoted",
		}
	case has("unexpected end content"):
		return at, complaint{message: `the document has ended above, with "..."`, hint: `remove the "..." line, or what stands below it`}
	case has("multi-line content"):
		return at, complaint{
			message: "the text of a block (| or >) must be indented more deeply than its key",
			hint:    "indent the lines below by two spaces more",
		}
	case has("is not allowed in this"), has("unexpected scalar value"), has("non-map value"), has("unexpected key name"):
		return at, complaint{
			message: fmt.Sprintf("YAML cannot read %q here", shorten(src.textAt(at))),
			hint:    contextHint(src, at.line),
		}
	}
	return at, complaint{message: "this is not YAML: " + shorten(message), hint: contextHint(src, at.line)}
}

// unknownEscape is about a backslash inside double quotes. The message ends with the character behind it, quoted.
func unknownEscape(src *source, at mark, message string) (mark, complaint) {
	escape := "a backslash"
	if name := strings.Split(message, "'"); len(name) > 2 {
		line := src.line(at.line)
		if i := strings.Index(line, `\`+name[1]); i >= 0 {
			at.col, at.width = utf8.RuneCountInString(line[:i])+1, 2
		}
		escape = `\` + name[1]
	}
	return at, complaint{
		message: escape + " is no escape of YAML, which reads them inside double quotes",
		hint:    `write \\ for a backslash, or use single quotes`,
	}
}

// explainKey is about a "key:" where none can be: a second one on a line, or one that is indented too deeply, which
// YAML takes for more text of the value above.
func explainKey(src *source, tk *token.Token, at mark) (mark, complaint) {
	origin := strings.TrimRight(strings.TrimLeft(tk.Origin, " \n"), " \n")
	below := strings.Count(origin, "\n")
	if below == 0 {
		return at, complaint{
			message: fmt.Sprintf(`a second "key: value" on one line, after %q`, shorten(tk.Value)),
			hint:    "quote the value, or give the second key a line of its own",
		}
	}
	line := src.line(at.line + below)
	indent := len(line) - len(strings.TrimLeft(line, " "))
	key := strings.TrimSpace(line)
	return mark{line: at.line + below, col: indent + 1, width: utf8.RuneCountInString(key)}, complaint{
		message: fmt.Sprintf("this line is indented like more text of the value above it, but reads like a key (%q)", shorten(key)),
		hint:    "give the keys of one mapping the same indentation",
	}
}

// contextHint advises on a line that YAML cannot read.
func contextHint(src *source, number int) string {
	line := src.line(number)
	text := strings.TrimSpace(line)
	switch {
	case strings.HasPrefix(text, "- "), strings.Contains(text, ": "):
		return quoteHint(src, number)
	case strings.HasPrefix(line, text):
		return "remove this line, if it is left over; a key ends with a colon, and the lines of a text are indented more deeply than their key"
	}
	return "check the indentation of this line and of the one above it; a text with special characters must be quoted, and one of several lines is best written below |"
}

// quoteHint shows a line's command or value in quotes, where it is short enough to be read in a hint.
func quoteHint(src *source, number int) string {
	text := strings.TrimSpace(src.line(number))
	if command, ok := strings.CutPrefix(text, "- "); ok {
		if goesOn(src, number) {
			return "quote the whole command with all of its lines, or write it below - |"
		}
		if !showable(command) {
			return "quote the whole command, or write it on a line of its own below - |"
		}
		return "quote the command: - " + quote(command)
	}
	if _, value, ok := strings.Cut(text, ": "); ok && showable(value) && !goesOn(src, number) {
		return "quote the value: " + quote(strings.TrimSpace(value))
	}
	return "quote the whole text"
}

// goesOn tells whether the text of a line has more lines below it.
func goesOn(src *source, number int) bool {
	indent := func(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
	for n := number + 1; n <= len(src.lines); n++ {
		if line := src.line(n); strings.TrimSpace(line) != "" {
			return indent(line) > indent(src.line(number)) && !strings.HasPrefix(strings.TrimSpace(line), "#")
		}
	}
	return false
}

// showable tells whether a hint can repeat a text as it is.
func showable(text string) bool {
	const most = 80
	return utf8.RuneCountInString(text) <= most &&
		!strings.ContainsFunc(text, func(r rune) bool { return r != '\t' && !unicode.IsPrint(r) })
}

// quote writes a text as YAML reads it back: in double quotes where they need no escapes, else in single ones.
func quote(text string) string {
	if strings.ContainsAny(text, "\"\\\t") {
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return `"` + text + `"`
}
