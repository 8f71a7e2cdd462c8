package forge

import (
	"bytes"
	"encoding/json"
	"errors"
)

var errOutline = errors.New("it is no JSON object")

// outline finds the values of some fields of a JSON object, as they stand there. Nearly all of a payload is needed by
// nobody, and to decode it costs more than all else that is done with a webhook: so what lies between the fields is
// passed over, with no more judgment than it takes to find its end. The values themselves are the caller's to decode,
// which is where a mistake in them shows. Of a field that stands twice the last counts, as with encoding/json.
func outline(text []byte, fields map[string]*json.RawMessage) error {
	i := space(text, 0)
	if i == len(text) || text[i] != '{' {
		return errOutline
	}
	i = space(text, i+1)
	if i < len(text) && text[i] == '}' {
		return ended(text, i+1)
	}
	for i < len(text) && text[i] == '"' {
		end := stringEnd(text, i)
		colon := space(text, end)
		if colon >= len(text) || text[colon] != ':' {
			return errOutline
		}
		from := space(text, colon+1)
		to := valueEnd(text, from)
		if to <= from {
			return errOutline
		}
		if value := fields[string(text[i+1:end-1])]; value != nil {
			*value = text[from:to:to]
		}
		i = space(text, to)
		switch {
		case i < len(text) && text[i] == ',':
			i = space(text, i+1)
		case i < len(text) && text[i] == '}':
			return ended(text, i+1)
		default:
			return errOutline
		}
	}
	return errOutline
}

// ended tells whether nothing follows.
func ended(text []byte, i int) error {
	if space(text, i) != len(text) {
		return errOutline
	}
	return nil
}

// space is where the white space at i ends.
func space(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\r' || text[i] == '\t') {
		i++
	}
	return i
}

// stringEnd is the place behind the string that begins at i; that of the text when it has no end.
func stringEnd(text []byte, i int) int {
	for i++; i < len(text); {
		n := bytes.IndexByte(text[i:], '"')
		if n < 0 {
			break
		}
		slashes := 0
		for end := i + n; end-slashes > i && text[end-slashes-1] == '\\'; slashes++ {
		}
		if i += n + 1; slashes%2 == 0 {
			return i
		}
	}
	return len(text) + 1
}

// valueEnd is the place behind the value that begins at i; 0 when it has no end.
func valueEnd(text []byte, i int) int {
	depth := 0
	for i < len(text) {
		switch c := text[i]; {
		case c == '"':
			if i = stringEnd(text, i); i > len(text) {
				return 0
			}
		case c == '{', c == '[':
			depth++
			i++
		case c == '}', c == ']':
			depth--
			i++
		case depth > 0:
			i++ // what a string or a bracket does not begin or end tells nothing of the end
			continue
		default: // a number, true, false or null
			for i < len(text) && !bytes.ContainsRune(scalarEnds, rune(text[i])) {
				i++
			}
		}
		if depth <= 0 {
			return i
		}
	}
	return 0
}

// scalarEnds are what can stand behind a value that has no end of its own.
var scalarEnds = []byte(",}] \n\r\t")
