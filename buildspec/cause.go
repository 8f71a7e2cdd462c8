package buildspec

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// cause finds what kept YAML from reading on at a line, where that is plain from the text: the parser tells where it
// stumbled, which may be far below.
func cause(src *source, number int) (mark, complaint, bool) {
	if n := conflict(src); n > 0 {
		return mark{line: n, col: 1, width: utf8.RuneCountInString(src.line(n))}, complaint{
			message: "a merge conflict that nobody resolved begins here",
			hint:    "keep one of the two versions, and remove the lines that begin with <<<<<<<, ======= and >>>>>>>",
		}, true
	}
	if n := firstText(src.lines, 0); n >= 0 && strings.HasPrefix(src.lines[n], "<") {
		return mark{line: n + 1, col: 1, width: utf8.RuneCountInString(src.lines[n])}, complaint{
			message: "this looks like HTML or XML, not like a buildspec",
			hint:    "look how the file was fetched: this may be a page that tells of an error",
		}, true
	}
	if where, c, ok := colonMissing(src, number); ok {
		return where, c, true
	}
	line := src.line(number)
	text := strings.TrimSpace(line)
	at := mark{line: number, col: len(line) - len(strings.TrimLeft(line, " ")) + 1, width: 1}
	if len(text) > 1 && text[0] == '-' && text[1] != ' ' && strings.HasPrefix(strings.TrimSpace(src.line(number-1)), "- ") &&
		strings.Index(src.line(number-1), "-") == at.col-1 {
		return at, complaint{
			message: "there is no space behind this dash, so that it begins no item of the list",
			hint:    "write a space behind it",
		}, true
	}
	return keyAbove(src, number)
}

// plainCause tells what a text is that should be a whole buildspec, where that is plain.
func (r *report) plainCause(at mark) bool {
	where, c, ok := cause(r.src, at.line)
	if ok {
		r.fail(where, c)
	}
	return ok
}

// conflict is the line on which git wrote a merge conflict into a text, 0 if there is none.
func conflict(src *source) int {
	for i, line := range src.lines {
		if strings.HasPrefix(line, "<<<<<<< ") || strings.HasPrefix(line, ">>>>>>> ") {
			return i + 1
		}
	}
	return 0
}

// keyAbove is about a command over several lines whose first holds a colon and a space: that makes it a key, below
// which more text has no place.
func keyAbove(src *source, number int) (mark, complaint, bool) {
	above, line := src.line(number-1), src.line(number)
	command, isItem := strings.CutPrefix(strings.TrimSpace(above), "- ")
	key, value, isKey := strings.Cut(command, ": ")
	if !isItem || !isKey || value == "" || strings.ContainsAny(command[:1], "\"'[{|>&*!") || knownKey(key) || strings.Contains(line, ": ") {
		return mark{}, complaint{}, false
	}
	indent := strings.Index(above, "-")
	if len(line)-len(strings.TrimLeft(line, " ")) <= indent {
		return mark{}, complaint{}, false
	}
	return mark{line: number - 1, col: utf8.RuneCountInString(above[:strings.Index(above, command)]) + 1, width: utf8.RuneCountInString(key) + 1}, complaint{
		message: fmt.Sprintf("YAML reads %q as a key, and cannot read more text below it", shorten(key+":")),
		hint:    quoteHint(src, number-1),
	}, true
}

// withoutColon tells of a line that begins with a key of the language and lacks the colon behind it, or the space
// behind that.
func (r *report) withoutColon(at mark) bool {
	where, c, ok := colonMissing(r.src, at.line)
	if ok {
		r.fail(where, c)
	}
	return ok
}

func colonMissing(src *source, number int) (mark, complaint, bool) {
	line := src.line(number)
	text := strings.TrimSpace(line)
	word, rest, _ := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	name, value, stuck := strings.Cut(word, ":")
	if stuck && value == "" || len(strings.Fields(rest)) > 1 || !knownKey(name) {
		return mark{}, complaint{}, false
	}
	at := mark{line: number, col: len(line) - len(strings.TrimLeft(line, " \t")) + 1, width: len(word)}
	if stuck {
		return at, complaint{
			message: fmt.Sprintf("YAML takes a colon for one only with a space behind it, and there is none in %q", shorten(word)),
			hint:    fmt.Sprintf("write %s: %s", name, shorten(strings.TrimSpace(value+" "+rest))),
		}, true
	}
	return at, complaint{
		message: fmt.Sprintf("there is no colon behind %q", name),
		hint:    strings.TrimSpace(fmt.Sprintf("write %s: %s", name, shorten(rest))),
	}, true
}

// knownKey tells whether some section of the language has a key.
func knownKey(name string) bool {
	for _, s := range allSections() {
		if _, ok := s.find(name, "0.1"); ok {
			return true
		}
	}
	return false
}
