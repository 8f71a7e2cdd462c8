package parse

import (
	"bytes"
	"fmt"
)

// nameSize is how many bytes at the beginning of a tag are its name.
func nameSize(text []byte) int {
	for i, b := range text {
		if space(b) || b == '/' || b == '=' || b == '"' || b == '\'' {
			return i
		}
	}
	return len(text)
}

func space(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

// local is a name without its namespace's prefix.
func local(name []byte) []byte {
	if i := bytes.IndexByte(name, ':'); i > 0 && i+1 < len(name) {
		return name[i+1:]
	}
	return name
}

// attribute is the decoded value of an attribute of the element that just started, "" if it has none. It is cut to
// max bytes.
func (x *xmlReader) attribute(name string, max int) string {
	for _, a := range x.attributes() {
		if string(a.name) == name {
			return decodeText(a.value, max)
		}
	}
	return ""
}

// attributes are those of the element that just started, with local names, not decoded. What is no attribute is
// passed over: a report that quotes badly still has its other values. So are those behind the first maxAttributes.
func (x *xmlReader) attributes() []attr {
	if x.parsed {
		return x.attrs
	}
	x.parsed, x.attrs = true, x.attrs[:0]
	rest := x.raw
	for len(x.attrs) < maxAttributes {
		rest = bytes.TrimLeft(rest, " \t\r\n/")
		size := nameSize(rest)
		if size == 0 {
			if len(rest) == 0 {
				return x.attrs
			}
			rest = rest[1:]
			continue
		}
		name := rest[:size]
		rest = bytes.TrimLeft(rest[size:], " \t\r\n")
		if len(rest) == 0 || rest[0] != '=' {
			continue
		}
		rest = bytes.TrimLeft(rest[1:], " \t\r\n")
		if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
			continue
		}
		end := bytes.IndexByte(rest[1:], rest[0])
		if end < 0 {
			return x.attrs
		}
		x.attrs = append(x.attrs, attr{local(name), rest[1 : 1+end]})
		rest = rest[end+2:]
	}
	return x.attrs
}

// has tells whether the element that just started has an attribute.
func (x *xmlReader) hasAttribute(name string) bool {
	for _, a := range x.attributes() {
		if string(a.name) == name {
			return true
		}
	}
	return false
}

// number is an attribute as a whole number, 0 if it is none.
func (x *xmlReader) number(name string) int {
	for _, a := range x.attributes() {
		if string(a.name) == name {
			return atoi(a.value)
		}
	}
	return 0
}

// atoi reads decimal digits up to the first other byte. What is too large is the largest line number and more.
func atoi(text []byte) int {
	n := 0
	for _, b := range bytes.TrimLeft(text, " \t") {
		if b < '0' || b > '9' {
			break
		}
		if n = n*10 + int(b-'0'); n > 1<<40 {
			return 1 << 40
		}
	}
	return n
}

// shorten is the beginning of what was found, for an error.
func shorten(text []byte) string {
	const most = 60
	if len(text) > most {
		return fmt.Sprintf("%.*s…", most, string(bytes.ToValidUTF8(text[:most], []byte("\uFFFD"))))
	}
	return string(bytes.ToValidUTF8(text, []byte("\uFFFD")))
}
