package buildspec

import (
	"strings"

	"github.com/goccy/go-yaml/token"
)

// standInQuotes mends the tabs of quoted texts, and tells whether there was anything to mend. Behind a tab in double
// quotes the library is out of step: from there on, what it takes for a quoted text is believed only if it stands so in
// the file. The next scan sees more.
func standInQuotes(src *source, tokens token.Tokens, lines []string, stand rune) (found bool) {
	for _, tk := range tokens {
		if !bareTab(tk) {
			continue
		}
		at, origin := place(src, tk), strings.TrimLeft(tk.Origin, " \t\n")
		most := longestMended // the first may have lost tabs
		if found {
			most = min(most, len(origin))
		}
		text, ok := quotedText(lines, at, most)
		if !ok || (found && text != origin) {
			return found
		}
		mended := standIn(text, stand)
		if mended == text {
			continue
		}
		found = true
		parts := strings.Split(text, "\n")
		for i, part := range strings.Split(mended, "\n") {
			line, before := lines[at.line-1+i], ""
			if i == 0 {
				before = string([]rune(line)[:at.col-1])
			}
			lines[at.line-1+i] = before + part + line[len(before)+len(parts[i]):]
		}
	}
	return found
}

// longestMended bounds the lines in which quoted texts are mended: each text costs as much as its line is long,
// and the square of its own lines.
const longestMended = 16 << 10

// quotedText is the text from the quote that stands at a place to the one that closes it, both included, if it has no
// more than so many bytes.
func quotedText(lines []string, at mark, most int) (string, bool) {
	if at.line > len(lines) || len(lines[at.line-1]) > longestMended {
		return "", false
	}
	first := []rune(lines[at.line-1])
	if at.col > len(first) || (first[at.col-1] != '"' && first[at.col-1] != '\'') {
		return "", false
	}
	quote, text := byte(first[at.col-1]), string(first[at.col-1:])
	for i, n := 1, at.line; i < most; i++ {
		for i >= len(text) {
			if n == len(lines) || len(lines[n]) > longestMended {
				return "", false
			}
			text += "\n" + lines[n]
			n++
		}
		switch {
		case text[i] == '\\' && quote == '"':
			i++
		case text[i] == quote && quote == '\'' && i+1 < len(text) && text[i+1] == quote:
			i++
		case text[i] == quote:
			return text[:i+1], true
		}
	}
	return "", false
}

// standIn puts the stand-in for the tabs of a quoted text that are to be kept, and a space for those that end a line,
// which mean nothing. What the library reads as it should is left alone: tabs that begin a line, escaped ones, and in
// single quotes all but those that end a line.
func standIn(text string, stand rune) string {
	double := strings.HasPrefix(text, `"`)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		begin, end := 0, len(line)
		if i > 0 {
			begin = len(line) - len(strings.TrimLeft(line, " \t"))
		}
		if i < len(lines)-1 {
			end = max(begin, len(strings.TrimRight(line, " \t")))
		}
		kept, rest, escaped := line[begin:end], line[end:], false
		if double {
			kept = strings.Map(func(r rune) rune {
				if r == '\t' && !escaped {
					return stand
				}
				escaped = r == '\\' && !escaped
				return r
			}, kept)
		}
		if !escaped {
			rest = strings.ReplaceAll(rest, "\t", " ")
		}
		lines[i] = line[:begin] + kept + rest
	}
	return strings.Join(lines, "\n")
}

// bareTab tells whether a token is a quoted text with a tab that is to be mended.
func bareTab(tk *token.Token) bool {
	if tk.Type != token.DoubleQuoteType && tk.Type != token.SingleQuoteType {
		return false
	}
	text := strings.TrimLeft(tk.Origin, " \t\n")
	return strings.Contains(text, "\t") && standIn(text, ' ') != text
}

// foldQuoted makes one line of a text in single quotes over several, as YAML does.
func foldQuoted(tk *token.Token) string {
	text := strings.TrimSpace(tk.Origin)
	if len(text) < 2 || text[0] != '\'' || text[len(text)-1] != '\'' {
		return tk.Value
	}
	lines := strings.Split(text[1:len(text)-1], "\n")
	var b strings.Builder
	ends := 0
	for i, line := range lines {
		if i > 0 {
			line = strings.TrimLeft(line, " \t")
			ends++
		}
		if i < len(lines)-1 {
			line = strings.TrimRight(line, " \t")
		}
		if line == "" && i < len(lines)-1 && i > 0 {
			continue
		}
		if ends == 1 {
			b.WriteByte(' ')
		} else if ends > 1 {
			b.WriteString(strings.Repeat("\n", ends-1))
		}
		b.WriteString(line)
		ends = 0
	}
	return strings.ReplaceAll(b.String(), "''", "'")
}
