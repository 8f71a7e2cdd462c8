package attributes

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Conversion is how the bytes of a blob become those of a file.
type Conversion struct {
	Filter string // the driver named by the attribute "filter", which is not applied

	crlf     lineEnds
	ident    bool
	encoding string // upper case, "" for UTF-8
}

// lineEnds says which files get carriage returns.
type lineEnds uint8

const (
	asIs     lineEnds = iota
	textCRLF          // every lone line feed
	autoCRLF          // the same, if the blob is text that has none yet
)

// decide turns attributes into a conversion, as git's convert_attrs does for core.autocrlf=false on Linux.
func decide(said []state) (Conversion, error) {
	text := said[attrText]
	if !meansText(text) {
		text = said[attrCRLF]
	}
	c := Conversion{ident: said[attrIdent].kind == set}
	if f := said[attrFilter]; f.kind == valued {
		c.Filter = f.value
	}
	eol := said[attrEOL]
	if text.kind != unset && eol.kind == valued && eol.value == "crlf" {
		c.crlf = textCRLF
		if text.kind == valued && text.value == "auto" {
			c.crlf = autoCRLF
		}
	}
	switch e := said[attrEncoding]; e.kind {
	case set, unset:
		return c, fmt.Errorf("the attribute working-tree-encoding needs the name of an encoding")
	case valued:
		c.encoding = strings.ToUpper(e.value)
		if c.encoding == "UTF-8" || c.encoding == "UTF8" {
			c.encoding = ""
		}
		if c.encoding != "" && encoders[c.encoding] == nil {
			return c, fmt.Errorf("the attribute working-tree-encoding=%s is not supported (supported: UTF-8, UTF-16, UTF-32 "+
				"and their LE, BE and LE-BOM, BE-BOM forms, ISO-8859-1, US-ASCII)", e.value)
		}
	}
	return c, nil
}

// meansText tells whether a state of "text" or "crlf" says anything that git understands.
func meansText(s state) bool {
	return s.kind == set || s.kind == unset || s.kind == valued && (s.value == "auto" || s.value == "input")
}

// None tells that the bytes stay as they are.
func (c Conversion) None() bool { return c.crlf == asIs && !c.ident && c.encoding == "" }

// Key names what Apply does: with the same key, the same blob becomes the same file. It holds no space, and is "" for None.
func (c Conversion) Key() string {
	if c.None() {
		return ""
	}
	return fmt.Sprintf("eol=%d,ident=%t,%s", c.crlf, c.ident, c.encoding)
}

// Apply converts a blob. The result may share memory with data.
func (c Conversion) Apply(data []byte, id plumbing.Hash) []byte {
	if len(data) == 0 {
		return data
	}
	if c.ident {
		data = expandIdent(data, id)
	}
	if c.crlf != asIs {
		data = toCRLF(data, c.crlf == autoCRLF)
	}
	if encode := encoders[c.encoding]; encode != nil {
		if out, ok := encode(data); ok {
			data = out // else it is not UTF-8, and git leaves it alone as well
		}
	}
	return data
}

// toCRLF puts a carriage return before each lone line feed.
func toCRLF(data []byte, auto bool) []byte {
	s := measure(data)
	if s.loneLF == 0 || auto && (s.loneCR > 0 || s.crlf > 0 || s.binary()) {
		return data
	}
	out := make([]byte, 0, len(data)+s.loneLF)
	for i, c := range data {
		if c == '\n' && (i == 0 || data[i-1] != '\r') {
			out = append(out, '\r')
		}
		out = append(out, c)
	}
	return out
}

// statistics of a blob, by which git tells text from binary.
type statistics struct {
	nul, loneCR, loneLF, crlf, printable, other int
}

func measure(data []byte) (s statistics) {
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '\r' && i+1 < len(data) && data[i+1] == '\n':
			s.crlf++
			i++
		case c == '\r':
			s.loneCR++
		case c == '\n':
			s.loneLF++
		case c == '\b', c == '\t', c == '\033', c == '\f':
			s.printable++
		case c == 0:
			s.nul++
			s.other++
		case c < 32, c == 127:
			s.other++
		default:
			s.printable++
		}
	}
	if len(data) > 0 && data[len(data)-1] == '\032' {
		s.other-- // the end-of-file mark of DOS
	}
	return s
}

func (s statistics) binary() bool {
	return s.loneCR > 0 || s.nul > 0 || s.printable>>7 < s.other
}

// expandIdent replaces $Id$ and $Id: …$ by the blob's name. As in git, a dollar that breaks off a keyword does not
// begin the next one.
func expandIdent(data []byte, id plumbing.Hash) []byte {
	const head = "$Id"
	if !bytes.Contains(data, []byte(head)) {
		return data
	}
	out := make([]byte, 0, len(data)+64)
	for i := 0; i < len(data); {
		n := 0
		for n < len(head) && i+n < len(data) && data[i+n] == head[n] {
			n++
		}
		if n < len(head) {
			n = min(n+1, len(data)-i)
			out = append(out, data[i:i+n]...)
			i += n
			continue
		}
		keyword, ours := keywordLength(data[i:])
		if ours {
			out = append(append(append(out, "$Id: "...), id.String()...), " $"...)
		} else {
			out = append(out, data[i:i+keyword]...)
		}
		i += keyword
	}
	return out
}

// keywordLength measures what begins with "$Id" at the head of data, and tells whether it is a keyword to replace.
func keywordLength(data []byte) (n int, ours bool) {
	if len(data) < 4 {
		return len(data), false
	}
	if data[3] != ':' {
		return 4, data[3] == '$'
	}
	i := bytes.IndexAny(data[4:], "$\n")
	if i < 0 {
		return len(data), false
	}
	n = 4 + i + 1
	if data[n-1] == '\n' {
		return n, false
	}
	// A space inside is another system's keyword, except right before the dollar.
	body := data[4 : n-1]
	if len(body) > 0 && body[0] == ' ' {
		sp := bytes.IndexAny(body[1:], " \t\r\f\v")
		return n, sp < 0 || sp == len(body)-2
	}
	return n, true
}
