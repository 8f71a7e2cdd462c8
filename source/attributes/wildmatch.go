package attributes

import "strings"

// The outcomes of matching a pattern at one place of a text. The two aborts tell callers further up that trying
// later places cannot help.
type outcome int

const (
	match outcome = iota
	noMatch
	abortAll
	abortToStarStar
)

// maxSteps bounds the work on one pattern and one path. Honest patterns need some tens.
const maxSteps = 200_000

// matcher matches git's patterns. With pathname set, a single star and a question mark do not match a slash.
type matcher struct {
	pathname bool
	steps    int
}

// wildmatch tells whether pattern matches the whole of text; ok is false when it took too many steps to find out.
func wildmatch(pattern, text string, pathname bool) (matched, ok bool) {
	m := &matcher{pathname: pathname}
	return m.at(pattern, text) == match, m.steps <= maxSteps
}

// char returns a byte of s, or 0 past its end, which no pattern or path holds.
func char(s string, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0
}

func (m *matcher) at(p, text string) outcome {
	if m.steps++; m.steps > maxSteps {
		return abortAll
	}
	t := 0
	for i := 0; i < len(p); i, t = i+1, t+1 {
		c := char(text, t)
		if c == 0 && p[i] != '*' {
			return abortAll
		}
		switch p[i] {
		case '?':
			if m.pathname && c == '/' {
				return noMatch
			}
		case '*':
			return m.star(p, i, text[min(t, len(text)):])
		case '[':
			next, in, ok := class(p, i+1, c)
			if !ok {
				return abortAll
			}
			if !in || m.pathname && c == '/' {
				return noMatch
			}
			i = next
		case '\\':
			i++
			if c != char(p, i) {
				return noMatch
			}
		default:
			if c != p[i] {
				return noMatch
			}
		}
	}
	if t < len(text) {
		return noMatch
	}
	return match
}

// star matches from the star at p[i] on.
func (m *matcher) star(p string, i int, text string) outcome {
	before := i - 1
	slashes := !m.pathname
	i++
	if char(p, i) == '*' {
		for char(p, i) == '*' {
			i++
		}
		alone := (before < 0 || p[before] == '/') &&
			(i >= len(p) || p[i] == '/' || p[i] == '\\' && char(p, i+1) == '/')
		if m.pathname && alone {
			// "a/**/b" matches "a/b" too.
			if char(p, i) == '/' && m.at(p[i+1:], text) == match {
				return match
			}
			slashes = true
		}
	}
	rest := p[i:]
	if rest == "" {
		if !slashes && strings.Contains(text, "/") {
			return noMatch
		}
		return match
	}
	if !slashes && rest[0] == '/' {
		n := strings.IndexByte(text, '/')
		if n < 0 {
			return noMatch
		}
		return m.at(rest[1:], text[n+1:])
	}
	return m.tryAll(rest, text, slashes)
}

// tryAll lets a star take ever more of the text, until the rest of the pattern matches.
func (m *matcher) tryAll(rest, text string, slashes bool) outcome {
	literal := !strings.ContainsRune(`*?[\`, rune(rest[0]))
	for t := 0; t < len(text); t++ {
		if literal {
			for t < len(text) && text[t] != rest[0] && (slashes || text[t] != '/') {
				t++
			}
			if char(text, t) != rest[0] {
				return noMatch
			}
		}
		got := m.at(rest, text[t:])
		if got != noMatch {
			if !slashes || got != abortToStarStar {
				return got
			}
		} else if !slashes && text[t] == '/' {
			return abortToStarStar
		}
	}
	return abortAll
}

// class matches one byte against the bracket expression whose first byte is p[i]. It returns the position of the
// closing bracket.
func class(p string, i int, c byte) (end int, in, ok bool) {
	negated := char(p, i) == '!' || char(p, i) == '^'
	if negated {
		i++
	}
	var previous byte
	for first := true; first || char(p, i) != ']'; first = false {
		ch := char(p, i)
		switch {
		case ch == 0:
			return 0, false, false
		case ch == '\\':
			i++
			if ch = char(p, i); ch == 0 {
				return 0, false, false
			}
			in = in || c == ch
		case ch == '-' && previous != 0 && char(p, i+1) != 0 && char(p, i+1) != ']':
			i++
			if ch = char(p, i); ch == '\\' {
				i++
				if ch = char(p, i); ch == 0 {
					return 0, false, false
				}
			}
			in = in || previous <= c && c <= ch
			ch = 0
		case ch == '[' && char(p, i+1) == ':':
			n := strings.IndexByte(p[i+2:], ']')
			if n < 0 {
				return 0, false, false
			}
			if n == 0 || p[i+2+n-1] != ':' {
				in = in || c == '['
				break
			}
			member, known := named(p[i+2:i+2+n-1], c)
			if !known {
				return 0, false, false
			}
			in = in || member
			i += 2 + n
			ch = 0
		default:
			in = in || c == ch
		}
		previous = ch
		i++
	}
	return i, in != negated, true
}

// named tells whether a byte is in a class such as "alpha".
func named(name string, c byte) (in, known bool) {
	lower, upper, digit := 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9'
	graph := '!' <= c && c <= '~'
	switch name {
	case "alnum":
		return lower || upper || digit, true
	case "alpha":
		return lower || upper, true
	case "blank":
		return c == ' ' || c == '\t', true
	case "cntrl":
		return c < 32 || c == 127, true
	case "digit":
		return digit, true
	case "graph":
		return graph, true
	case "lower":
		return lower, true
	case "print":
		return graph || c == ' ', true
	case "punct":
		return graph && !lower && !upper && !digit, true
	case "space":
		return c == ' ' || '\t' <= c && c <= '\r', true
	case "upper":
		return upper, true
	case "xdigit":
		return digit || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F', true
	}
	return false, false
}
