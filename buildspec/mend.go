package buildspec

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/token"
)

// mendBytes bounds how much of a text is scanned anew, mostMends how often: what one mend hid can show another one.
const (
	mendBytes = 4 << 20
	mostMends = 64
	leastMend = 4
)

// scanMended cuts a text into tokens, and mends what the library misreads, with lines and columns as they are: blocks
// of text whose first line begins with a tab, blocks without text above empty lines, tabs inside quotes, and an empty
// item at the end of a list that is not indented. stand is the character that stands for a tab in what the tokens
// hold, 0 if there is none.
func scanMended(src *source) (tokens token.Tokens, stand rune) {
	lines := slices.Clone(src.lines)
	tokens = scan(src.text + endMark(src.text))
	if src.json() && spaceForTabs(lines) {
		text := strings.Join(lines, "\n")
		tokens = scan(text + endMark(text))
	}
	if strings.Contains(src.text, "\t") {
		stand = unusedRune(src.text)
	}
	for range min(mostMends, max(leastMend, mendBytes/(len(src.text)+1))) {
		found := dropEmptyBlocks(src, tokens, lines)
		if stand != 0 {
			found = standInBlocks(src, tokens, lines, stand) || found
			found = standInQuotes(src, tokens, lines, stand) || found
		}
		if !found {
			break
		}
		text := strings.Join(lines, "\n")
		tokens = scan(text + endMark(text))
	}
	return fillEmptyItems(tokens), stand
}

// json tells whether a text is one mapping in braces, as JSON is: white space means nothing in it.
func (s *source) json() bool { return strings.HasPrefix(strings.TrimLeft(s.text, " \t\n"), "{") }

// spaceForTabs puts spaces for the tabs that indent lines, and tells whether there were any.
func spaceForTabs(lines []string) (found bool) {
	for i, line := range lines {
		text := strings.TrimLeft(line, " \t")
		if indent := line[:len(line)-len(text)]; strings.Contains(indent, "\t") {
			lines[i], found = strings.Repeat(" ", len(indent))+text, true
		}
	}
	return found
}

// dropEmptyBlocks makes a null of each block that has no text, but empty lines: the library takes what follows for
// its text. It tells whether there were any.
func dropEmptyBlocks(src *source, tokens token.Tokens, lines []string) (found bool) {
	for _, tk := range tokens {
		if tk.Type != token.LiteralType && tk.Type != token.FoldedType {
			continue
		}
		at := place(src, tk)
		if at.line >= len(lines) || strings.Trim(lines[at.line], " ") != "" || (lines[at.line] == "" && at.line == len(lines)-1) {
			continue
		}
		header := lines[at.line-1]
		first, indent := firstText(lines, at.line), len(header)-len(strings.TrimLeft(header, " "))
		if first >= 0 && len(lines[first])-len(strings.TrimLeft(lines[first], " ")) > indent {
			continue
		}
		runes := []rune(header)
		if i := at.col - 1; i < len(runes) && (runes[i] == '|' || runes[i] == '>') {
			runes[i] = '~'
			for i++; i < len(runes) && strings.ContainsRune("+-123456789", runes[i]); i++ {
				runes[i] = ' '
			}
			lines[at.line-1], found = string(runes), true
		}
	}
	return found
}

// standInBlocks mends the first lines of blocks, and tells whether there was anything to mend.
func standInBlocks(src *source, tokens token.Tokens, lines []string, stand rune) (found bool) {
	for _, tk := range tokens {
		if tk.Type != token.LiteralType && tk.Type != token.FoldedType || strings.ContainsAny(tk.Value, "123456789") {
			continue // the depth of some is told by a number
		}
		first := firstText(lines, place(src, tk).line)
		if first < 0 {
			continue
		}
		if tab, ok := tabIndent(lines[first]); ok {
			lines[first] = lines[first][:tab-1] + string(stand) + lines[first][tab:]
			found = true
		}
	}
	return found
}

// firstText is the index of the first line that is not empty, at an index or below it; -1 if there is none.
func firstText(lines []string, from int) int {
	for i := from; i < len(lines); i++ {
		if strings.Trim(lines[i], " ") != "" {
			return i
		}
	}
	return -1
}

// unusedRune is a character of Unicode's private area that a text does not hold, 0 if it holds them all.
func unusedRune(text string) rune {
	const first, last = '\uE000', '\uE0FF'
	for r := first; r <= last; r++ {
		if !strings.ContainsRune(text, r) {
			return r
		}
	}
	return 0
}

// fillEmptyItems gives an empty item of a list its null, where a key of the list's own column follows: the library
// takes that key for the item.
func fillEmptyItems(tokens token.Tokens) token.Tokens {
	filled := make(token.Tokens, 0, len(tokens)+1)
	flow := 0
	for i, tk := range tokens {
		filled.Add(tk)
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType:
			if flow == 0 && endsList(tokens, i) {
				filled.Add(token.New("null", "null", tk.Position))
			}
		}
	}
	return filled
}

// endsList tells whether what follows a dash stands on another line, at the dash's column or before it, and is no
// dash itself.
func endsList(tokens token.Tokens, i int) bool {
	dash := tokens[i].Position
	for _, next := range tokens[i+1:] {
		if next.Type == token.CommentType {
			continue
		}
		return next.Position != nil && next.Position.Line > dash.Line && next.Position.Column <= dash.Column &&
			next.Type != token.SequenceEntryType && next.Type != token.DocumentEndType && next.Type != token.DocumentHeaderType
	}
	return false
}

// blockText is the text of a block in which a character stands for a tab. A folded one is folded anew: a line that
// begins with a tab keeps its line ends.
func (c *converter) blockText(value string, folded bool, at mark) string {
	if c.stand == 0 || !strings.ContainsRune(value, c.stand) {
		return value
	}
	if folded {
		return c.foldBlock(at)
	}
	return value // checked puts the tab back
}

// foldBlock folds the block that begins at a header: a line end between two lines of text is a space, an empty line
// is a line end, and lines that begin with white space keep theirs.
func (c *converter) foldBlock(at mark) string {
	first := firstText(c.src.lines, at.line)
	indent := len(c.src.lines[first]) - len(strings.TrimLeft(c.src.lines[first], " "))
	var b strings.Builder
	empty, wasKept, begun := 0, false, false
	for _, line := range c.src.lines[at.line:] {
		if strings.TrimSpace(line) == "" && len(line) <= indent {
			empty++
			continue
		}
		if len(line) < indent || strings.TrimLeft(line[:indent], " ") != "" {
			break
		}
		line = line[indent:]
		kept := line[0] == ' ' || line[0] == '\t'
		switch {
		case !begun:
		case kept || wasKept:
			b.WriteByte('\n')
		case empty == 0:
			b.WriteByte(' ')
		}
		b.WriteString(strings.Repeat("\n", empty) + line)
		empty, wasKept, begun = 0, kept, true
	}
	header := c.src.line(at.line)
	if strings.Contains(header, ">-") {
		return b.String()
	}
	if strings.Contains(header, ">+") {
		return b.String() + strings.Repeat("\n", empty+1)
	}
	return b.String() + "\n"
}
