package buildspec

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/scanner"
	"github.com/goccy/go-yaml/token"
)

// Bounds on what is given to the YAML parser. It recurses with depth, takes time that grows with the square of a
// mapping's length and of a run of anchors, and builds a path string for every value, so that a small file could
// cost minutes or gigabytes. The longest buildspecs in public repositories (generated batches of 2,500 lines) have
// about 10,000 tokens, depth 7.
const (
	maxMarks  = 250_000  // characters that can begin a token: bounds what the scanner allocates to some 70 MB
	maxTokens = 20_000   // bounds the parser's square to about a second of one slow core
	maxDepth  = 100      // lists and mappings inside one another
	maxAnchor = 1_000    // anchors, aliases, tags and "?" keys
	maxPaths  = 64 << 20 // bytes of the path strings that the parser makes at most
)

// maxScan bounds the steps that the scanner spends on what it reads again and again: it looks at the rest of a run of
// "<" at each of them, at the rest of the line at each tab, and at the whole block for each empty line that ends one.
const maxScan = 1 << 28

// beginsToken are the characters that can begin a token of their own.
var beginsToken = func() (table [256]bool) {
	for _, c := range []byte("[]{},:-?&*!#|>'\"%@`\t") {
		table[c] = true
	}
	return table
}()

// checkText refuses a text that would already be too much for the scanner.
func checkText(src *source) *Error {
	marks, steps, empty := 0, 0, 0
	for _, line := range src.lines {
		n, brackets := 1, 0
		for i := range len(line) {
			if beginsToken[line[i]] {
				n++
			}
			if line[i] == '<' {
				brackets++
				steps += brackets
			} else {
				brackets = 0
			}
		}
		marks += n
		steps += strings.Count(line, "\t") * len(line)
		if strings.TrimSpace(line) != "" {
			empty = 0
			continue
		}
		empty++
		steps = max(steps, empty*len(src.text))
	}
	switch {
	case marks > maxMarks:
		return src.refuse(mark{}, tooMuch(fmt.Sprintf("has %d punctuation marks and line ends", marks), maxMarks))
	case steps > maxScan:
		return src.refuse(mark{}, complaint{
			message: "this file is too large to read with so many tabs, empty lines or < signs in a row",
			hint:    "move long scripts and data into files of the repository",
		})
	}
	return nil
}

func tooMuch(found string, limit int) complaint {
	return complaint{
		message: fmt.Sprintf("this file %s, and a buildspec may have %d", found, limit),
		hint:    "move long scripts and data into files of the repository",
	}
}

// measurer walks the tokens before the parser does, and follows how deep they nest.
type measurer struct {
	src     *source
	block   []blockLevel // open block lists and mappings, outermost first
	flow    int          // open [ and {
	anchors int
	longest int // longest key in characters
	deepest int
}

type blockLevel struct {
	column int
	list   bool
}

// scan cuts a text into tokens, up to the first that is none: what follows would only repeat the error.
func scan(text string) token.Tokens {
	var s scanner.Scanner
	s.Init(text)
	var tokens token.Tokens
	for {
		more, err := s.Scan()
		tokens.Add(more...)
		if err != nil {
			return tokens
		}
	}
}

// checkTokens refuses tokens that would cost the parser too much.
func checkTokens(src *source, tokens token.Tokens) *Error {
	if len(tokens) > maxTokens {
		return src.refuse(place(src, tokens[maxTokens]), tooMuch(fmt.Sprintf("has %d YAML tokens", len(tokens)), maxTokens))
	}
	m := &measurer{src: src}
	for i, tk := range tokens {
		var key *token.Token
		if i > 0 {
			key = tokens[i-1]
		}
		if err := m.token(tk, key); err != nil {
			return err
		}
	}
	if m.longest*m.deepest*len(tokens) > maxPaths {
		return src.refuse(mark{}, complaint{
			message: fmt.Sprintf("this file is too large to read with keys of %d characters nested %d deep", m.longest, m.deepest),
			hint:    "quote long commands, so that they are not read as keys; move long scripts into files of the repository",
		})
	}
	return nil
}

// token follows one token. key is the one before it, which a ":" makes a key.
func (m *measurer) token(tk, key *token.Token) *Error {
	switch tk.Type {
	case token.SequenceStartType, token.MappingStartType:
		m.flow++
	case token.SequenceEndType, token.MappingEndType:
		m.flow = max(0, m.flow-1)
	case token.SequenceEntryType:
		m.open(blockLevel{tk.Position.Column, true})
	case token.MappingKeyType:
		m.anchors++
		m.open(blockLevel{tk.Position.Column, false})
	case token.MappingValueType:
		if key != nil {
			m.longest = max(m.longest, utf8.RuneCountInString(key.Value))
			m.open(blockLevel{key.Position.Column, false})
		}
	case token.AnchorType, token.AliasType, token.TagType:
		m.anchors++
	}
	m.deepest = max(m.deepest, len(m.block)+m.flow)
	if m.deepest > maxDepth {
		return m.src.refuse(place(m.src, tk), complaint{
			message: fmt.Sprintf("lists and mappings are nested more than %d deep here", maxDepth),
			hint:    "a buildspec needs no more than eight levels; look for a bracket that is never closed",
		})
	}
	if m.anchors > maxAnchor {
		return m.src.refuse(place(m.src, tk), tooMuch("has more anchors, aliases and tags than it can need", maxAnchor))
	}
	return nil
}

// open follows a block list or mapping whose entry begins at a column: deeper ones end there. A list may stand at
// the column of its own key.
func (m *measurer) open(level blockLevel) {
	if m.flow > 0 {
		return
	}
	for len(m.block) > 0 {
		top := m.block[len(m.block)-1]
		if top.column < level.column || top == level || (top.column == level.column && level.list) {
			break
		}
		m.block = m.block[:len(m.block)-1]
	}
	if n := len(m.block); n == 0 || m.block[n-1] != level {
		m.block = append(m.block, level)
	}
}

// place is where a token stands. The scanner's offsets go astray after a tab inside a text, its lines and columns
// after a tab elsewhere and after an escaped line end, so the one of the two that shows the token's own text is taken.
func place(src *source, tk *token.Token) mark {
	if tk.Position == nil {
		return mark{line: 1, col: 1, width: 1}
	}
	text, _, _ := strings.Cut(strings.TrimLeft(tk.Origin, " \t\n"), "\n")
	text = strings.TrimRight(text, " \t")
	counted := mark{line: tk.Position.Line, col: max(1, tk.Position.Column)}
	at := src.at(tk.Position.Offset - 1)
	if !src.shows(at, text) || (strings.Contains(text, "\t") && src.shows(counted, text)) {
		at = counted
	}
	at.width = max(1, utf8.RuneCountInString(text))
	return at
}

// shows tells whether a text begins at a place, by its first character: the scanner drops characters from what it
// remembers of a quoted text.
func (s *source) shows(at mark, text string) bool {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return false
	}
	r, ok := s.runeAt(at)
	return ok && r == first
}
